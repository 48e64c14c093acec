"""Every subcommand of the EB CLI from the folder of an application, without a terminal.
Usage: eb_cli.py BLUEGREEN
"""

import re
import subprocess
import time

from conformance import BIN, check, until
from strangers import ends, side_by_side

STACK = "64bit Amazon Linux 2023 v4.3.0 running Node.js 20"
BRANCH = "Node.js 20 running on 64bit Amazon Linux 2023"
DEPLOYED = ["Environment update is starting.", "Deploying new version to instance(s).",
            "New application version was deployed to running EC2 instances.", "Environment update completed successfully."]
# The EB CLI waits no longer than for the last of these.
CONFIGURED = ["Environment update is starting.", "Updating environment shop-blue's configuration settings.",
              "Successfully deployed new configuration to environment."]
CREATED = ["createEnvironment is starting.", "Using elasticbeanstalk-us-east-1-123456789012 as Amazon S3 storage bucket",
           "Application available at", "Successfully launched environment: "]

played = set()


def cli(stranger):
    """`eb` with these arguments, and what `Stranger.does` takes."""

    def eb(command, **how):
        played.add(command.split()[0])
        return stranger.does("eb", *command.split(), **{"lacks": ["ERROR"], **how})

    return eb


def initialised(stranger, environment="shop-blue"):
    eb = cli(stranger)
    stranger.does("eb", "init", "shop", "--platform", BRANCH, "--region", "us-east-1")
    eb(f"use {environment}")
    return eb


def statuses(stranger, name):
    """Status and health of every environment that ever had this name, the newest first."""
    found = stranger.world.eb.describe_environments(EnvironmentNames=[name])["Environments"]
    return [(e["Status"], e["Health"]) for e in sorted(found, key=lambda e: e["DateCreated"], reverse=True)]


# --- a release ---------------------------------------------------------------


def release(stranger):
    played.add("init")
    eb = initialised(stranger)
    told = (stranger.folder / ".elasticbeanstalk/config.yml").read_text()
    check("eb init writes the platform", f"default_platform: {BRANCH}" in told, told)
    eb("list", words=["* shop-blue", "shop-worker"])
    eb("create shop-new --cname shop-new --timeout 5 --tags team=web --envvars GREETING=hello", words=[*CREATED, "shop-new"])
    eb("printenv shop-new", words="GREETING = hello")
    stranger.world.ready("shop-new")
    eb("events shop-new", words="Environment health has transitioned from Pending to Ok")
    eb("status shop-new", words=["Status: Ready", "Health: Green", "CNAME: shop-new.us-east-1.elasticbeanstalk.com"])
    eb("deploy shop-new --label mine --message hello", words=["Uploading shop/mine.zip to S3", *DEPLOYED])
    new = stranger.world.describe("shop-new")
    check("eb deploy deploys what it uploaded", new and new["VersionLabel"] == "mine", new)
    bucket = "elasticbeanstalk-us-east-1-123456789012"
    kept = [b["Name"] for b in stranger.world.s3.list_buckets()["Buckets"]]
    check("CreateStorageLocation makes the bucket", bucket in kept, kept)
    eb("swap shop-blue -n shop-new", words=[
        "swapEnvironmentCNAMEs is starting.", "Swapping CNAMEs for environments 'shop-blue' and 'shop-new'.",
        "now points to", "Completed swapping CNAMEs for environments 'shop-blue' and 'shop-new'."])
    eb("swap shop-new -n shop-blue", words="Completed swapping CNAMEs")
    eb("terminate shop-new --force", words="terminateEnvironment completed successfully.")
    stranger.called("CreateStorageLocation", "CreateEnvironment", "UpdateEnvironment", "SwapEnvironmentCNAMEs", "TerminateEnvironment")
    left = stranger.report()["leftovers"]["environments"]
    check("the release leaves no environment", left == [], left)


def in_place(stranger):
    """A deploy of production: what the EB CLI is mostly used for, and what its users lose by it."""
    eb = initialised(stranger)
    eb("deploy --label mine --process", words=DEPLOYED)
    eb("deploy --version v2", words=DEPLOYED)
    eb("setenv A=1 B=2", words=CONFIGURED)
    eb("printenv", words=["A = 1", "B = 2"])
    eb("setenv B=", words=CONFIGURED)
    eb("printenv", words="A = 1", lacks=["B = 2"])
    eb("scale 3", words=CONFIGURED)
    eb("list -v", words="shop-blue : [")
    eb("upgrade --force", words="Environment already on most recent platform version.")
    report = stranger.report()
    check("the report counts what a deploy in place loses", report["lost"] > 0, report["lost"])


# --- settings ----------------------------------------------------------------


def settings(stranger):
    eb = initialised(stranger)
    eb("config save --cfg saved", words="Configuration saved at:")
    saved = stranger.folder / ".elasticbeanstalk/saved_configs/saved.cfg.yml"
    told = saved.read_text() if saved.exists() else ""
    check("the saved configuration is YAML of the service", all(word in told for word in [
        "EnvironmentConfigurationMetadata", "AWSConfigurationTemplateVersion", "OptionSettings", "Platform"]), told)
    eb("config list", words="saved")
    saved.unlink(missing_ok=True)
    eb("config get saved", words="Configuration saved at:")
    eb("config put saved")
    eb("config shop-blue --cfg saved", words=CONFIGURED)
    eb("config shop-blue --display", words=["aws:autoscaling:asg", "MinSize"])
    updated = '{"OptionSettings":{"aws:autoscaling:asg":{"MaxSize":"4"}}}'
    stranger.does("eb", "config", "shop-blue", "--update", updated, words=CONFIGURED)
    eb("create shop-saved --cfg saved --timeout 5 --sample", words=CREATED)
    made = stranger.world.describe("shop-saved") or {}
    check("an environment tells the template that it was made from", made.get("TemplateName") == "saved", made)
    eb("config delete saved")
    eb("config list", lacks=["saved", "ERROR"])


def tags(stranger):
    eb = initialised(stranger)
    done = "Environment tag update completed successfully."
    eb("tags --list", words=["team", "storefront"])
    eb("tags --add k=v", words=done)
    eb("tags --update k=w", words=done)
    eb("tags --list", words=["k", "w"])
    eb("tags --delete k", words=done)
    told = stranger.world.eb.describe_application_versions(ApplicationName="shop", VersionLabels=["v2"])
    version = told["ApplicationVersions"][0]["ApplicationVersionArn"]
    eb(f"tags --resource {version} --add a=b")
    eb(f"tags --resource {version} --list", words=["a", "b"])
    application = stranger.world.eb.describe_applications()["Applications"][0]["ApplicationArn"]
    eb(f"tags --resource {application} --add c=d")
    eb(f"tags --resource {application} --list", words=["Showing tags for resource", "c", "d"])


# --- what is shown -----------------------------------------------------------


def shown(stranger):
    eb = initialised(stranger)
    eb("events", words=["createEnvironment is starting.", "Successfully launched environment: shop-blue"])
    stranger.shows("eb", "events", "shop-blue", "--follow", words="Successfully launched environment: shop-blue")
    eb("status", words=["Environment details for: shop-blue", "Deployed Version: v1", "Tier: WebServer-Standard"])
    eb("status shop-blue --verbose", words=["Running instances: 2", "healthy"])
    eb("health", words=["Deployed", "Ok"])
    for view in ["split", "status", "request", "cpu"]:
        eb(f"health shop-blue --view {view}", words="shop-blue")
    # Over ssh it waits for the browser, and shows what that says.
    played.add("open")
    stranger.does("env", "SSH_CLIENT=here", "eb", "open", words="shop.us-east-1.elasticbeanstalk.com")
    eb("console")
    eb("status shop-worker", words=["Tier: Worker", "Status: Ready"])


def logs(stranger):
    """At a slower clock: the service keeps the last lines of logs for a quarter of an hour."""
    eb = initialised(stranger)
    eb("logs", words="i-")
    eb("logs --all", words="Logs were saved to")
    eb("logs --zip", words="Logs were saved to")


# --- versions and applications -----------------------------------------------


def versions(stranger):
    eb = initialised(stranger)
    eb("appversion --create --label v9", words="Uploading shop/v9.zip to S3")
    stranger.shows("eb", "appversion", words="Current version # deployed:")
    eb("appversion --delete v9", answers="y\n", words="Application Version deleted successfully.")
    left = stranger.world.eb.describe_application_versions(ApplicationName="shop", VersionLabels=["v9"])["ApplicationVersions"]
    check("eb appversion --delete deletes it", left == [], left)
    eb("appversion --delete v1", code=4, lacks=[], words="Cannot delete Application version v1 as it is deployed")
    eb("appversion lifecycle -p", words=["Application details for: shop", "VersionLifecycleConfig"])
    eb("deploy --nohang --version v1")
    stranger.world.ready("shop-blue")
    eb("labs download shop-blue", words="Application version downloaded to:")
    eb("labs quicklink", words="newApplication?applicationName=shop")
    eb("labs cleanup-versions --num-to-leave 0 --older-than=-1 --force")
    left = [v["VersionLabel"] for v in stranger.world.eb.describe_application_versions(ApplicationName="shop")["ApplicationVersions"]]
    check("eb labs cleanup-versions deletes what no environment runs", left == ["v1"], left)
    eb("labs setup-cloudwatchlogs")
    # Of platform versions it lists the account's own alone.
    eb("platform list", words="node.js-20", lacks=["running on"])
    eb("platform list -v", words=STACK, lacks=["arn:"])
    # By a branch, which `eb init` writes, the EB CLI finds none; by a solution stack it does.
    stranger.does("eb", "init", "shop", "--platform", STACK, "--region", "us-east-1")
    eb("platform show", words=["Current default platform: Node.js 20", f"Latest:  {STACK}"])
    eb("platform select", answers="y\n")


def restored(stranger):
    eb = initialised(stranger)
    eb("clone shop-blue -n shop-two -c shop-two --exact --timeout 5", words=[*CREATED, "shop-two"])
    two = stranger.world.describe("shop-two") or {}
    eb("terminate shop-two --force", words="terminateEnvironment completed successfully.")
    # More than an hour of the sandbox; the service keeps it for six weeks.
    time.sleep(7)
    eb(f"restore {two.get('EnvironmentId')}", words="rebuildEnvironment is starting.")
    now = statuses(stranger, "shop-two")
    check("a restored environment is Ready", now and now[0][0] == "Ready", now)
    # It waits for the end of the first environment alone.
    eb("terminate --all --force", words="terminateEnvironment completed successfully.")
    applications = lambda: stranger.world.eb.describe_applications()["Applications"]
    until("eb terminate --all deletes the application", lambda: applications() == [])
    check("eb terminate --all deletes the application", True)


def aborted(stranger):
    eb = initialised(stranger)
    stranger.inject(fault="slow_deploy", label="v2", seconds=200_000, batches=1)
    eb("deploy --nohang --version v2")
    eb("abort", lacks=["ERROR"])
    stranger.world.ready("shop-blue")
    now = stranger.world.describe("shop-blue")["VersionLabel"]
    check("eb abort left the old version", now == "v1", now)


# --- all of them -------------------------------------------------------------

# What is not of Elastic Beanstalk alone, and why it is left out.
LEFT_OUT = {
    "codesource": "CodeCommit, which AWS has closed",
    "local": "Docker on this machine",
    "migrate": "IIS on Windows",
    "ssh": "instances of EC2, of which the sandbox has none",
}


def every_subcommand_is_played():
    told = subprocess.run([BIN / "eb", "--help"], capture_output=True, text=True).stdout
    known = set(re.findall(r"^  (\w+) {2,}", told.split("commands:")[1].split("options:")[0], flags=re.M))
    missed = known - played - set(LEFT_OUT)
    check("every subcommand of the EB CLI is played or left out by name", known and not missed, missed)


def main():
    side_by_side([
        ("a release with the EB CLI", release),
        ("a deploy in place", in_place),
        ("settings", settings),
        ("tags", tags),
        ("what is shown", shown),
        ("versions", versions),
        ("restore", restored),
        ("logs", logs, [20]),
        ("abort", aborted),
    ])
    every_subcommand_is_played()
    ends()


main()
