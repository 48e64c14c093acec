"""Programs of PyPI and npm that release to Elastic Beanstalk, unmodified, each a whole release where it can.

How each is pointed at the sandbox:

- ebi, ebdeploy, eb-prune, ct-aws-eb-cleaner, eb-deploy-docker (boto3, the EB CLI, the AWS CLI): AWS_ENDPOINT_URL.
- ebs-deploy (boto 2): the sandbox as an HTTP proxy, and `is_secure = False` in boto's configuration, for https is not offered.
- beanstalkify, node-aws-beanstalk (AWS SDK for JavaScript 2): the SDK's own `endpoint`, by the argument that the program takes, or
  globally by the script that calls it.

Usage: deployers.py BLUEGREEN NODE-MODULES [VENV-WITH-BOTO-2]
"""

import json
import sys
from pathlib import Path

from conformance import BIN, check
from strangers import ends, side_by_side

PLATFORM = "64bit Amazon Linux 2023 v4.3.0 running Node.js 20"
REGION = "us-east-1"


def runs(stranger, environment, label):
    """Checks that an environment is there, Ready and Green with this version."""
    found = stranger.world.describe(environment) or {}
    state = (found.get("Status"), found.get("Health"), found.get("VersionLabel"))
    check(f"{environment} runs {label}", state == ("Ready", "Green", label), state)
    return found


def loses_nothing(stranger):
    lost = stranger.report()["lost"]
    check("no request is lost", lost == 0, lost)


# --- ebi ---------------------------------------------------------------------


def ebi(stranger):
    """Blue/green between two environments, and by a clone: `eb` and boto3 by turns."""
    configured(stranger)
    # An application of its own: ebi wants a CNAME of every environment, and a worker has none.
    world = stranger.world
    world.eb.create_application(ApplicationName="site")
    world.eb.create_application_version(ApplicationName="site", VersionLabel="s1", SourceBundle={
        "S3Bucket": "shop-artifacts", "S3Key": "shop/v1.zip"})
    for name, prefix in [("site-blue", "site"), ("site-green", "site-green")]:
        world.eb.create_environment(ApplicationName="site", EnvironmentName=name, VersionLabel="s1", CNAMEPrefix=prefix, SolutionStackName=PLATFORM)
    for name in ["site-blue", "site-green"]:
        world.ready(name)
    stranger.does("eb", "init", "site", "--platform", PLATFORM, "--region", REGION)
    done = "DONE successfully."
    stranger.does("ebi", "bgdeploy", "site", "site-green", "site-blue", "site", "--version", "s2", words=["Primary site-blue => new primary site-green", done])
    world.ready("site-green")
    green = runs(stranger, "site-green", "s2")
    check("ebi bgdeploy has swapped", green.get("CNAME", "").startswith("site.us-east-1."), green)
    stranger.does("ebi", "deploy", "site", "site-blue", "--version", "s3", words="Environment update completed successfully.")
    runs(stranger, "site-blue", "s3")
    stranger.does("ebi", "clonedeploy", "site", "site-next", "site", "--version", "s4", "--noswap", words=[
        "Successfully launched environment: site-next", "DONE successfully without Swapping"])
    stranger.does("ebi", "create", "site", "site-new", "site-new", "--version", "s5", words="Successfully launched environment: site-new")
    runs(stranger, "site-new", "s5")
    stranger.called("CreateStorageLocation", "CreateApplicationVersion", "CreateEnvironment", "UpdateEnvironment", "SwapEnvironmentCNAMEs")


def configured(stranger):
    """A profile, which ebi hands on to the EB CLI by its name, and what a Docker application has."""
    folder = stranger.home / ".aws"
    folder.mkdir()
    (folder / "config").write_text(f"[default]\nregion = {REGION}\n")
    (folder / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    (stranger.folder / "Dockerrun.aws.json").write_text('{"AWSEBDockerrunVersion": "1"}\n')
    (stranger.folder / ".ebextensions").mkdir()
    (stranger.folder / ".ebextensions/a.config").write_text("option_settings: []\n")


# --- other programs of PyPI --------------------------------------------------


def ebdeploy(stranger):
    (stranger.folder / "ebdeploy.yml").write_text(json.dumps({
        "app_name": "shop", "environment": "shop-blue", "s3_bucket": "shop-artifacts", "s3_prefix": "shop/stage",
        "aws_region": REGION, "use_git_archive": False, "poll_interval": 1}))
    stranger.does("ebdeploy", "-c", "ebdeploy.yml", "deploy", "--version", "k1", words=["Upload complete", "Deployed version: k1"])
    runs(stranger, "shop-blue", "k1")
    stranger.does("ebdeploy", "-c", "ebdeploy.yml", "deploy", "--version", "k1", code=1, words="Application Version k1 already exists.",
                  name="ebdeploy is refused a version that is there")
    stranger.does("ebdeploy", "-c", "ebdeploy.yml", "status", words=["Status: Ready", "VersionLabel: k1"])
    configured(stranger)
    blue = stranger.world.describe("shop-blue")["EnvironmentId"]
    # The account has that bucket: every environment's launch makes it.
    stranger.does("eb-deploy-docker", "--version-label", "k2", "--application-name", "shop", "--environment-name", "shop-blue",
                  "--environment-id", blue, "--region", REGION, words="Deploy started", lacks=["An error occurred"])
    stranger.world.ready("shop-blue")
    runs(stranger, "shop-blue", "k2")
    cleaned(stranger)


def cleaned(stranger):
    """What deletes the versions that no environment runs."""
    labels = lambda: [v["VersionLabel"] for v in stranger.world.eb.describe_application_versions(ApplicationName="shop")["ApplicationVersions"]]
    for label in ["old1", "old2", "old3"]:
        stranger.world.eb.create_application_version(ApplicationName="shop", VersionLabel=label, SourceBundle={
            "S3Bucket": "shop-artifacts", "S3Key": "shop/v1.zip"})
    before = labels()
    stranger.does("eb-prune", "1", words="Deleted version old2 of shop.")
    check("eb-prune leaves the newest", "old3" in labels() and "old2" not in labels(), f"{before} {labels()}")
    stranger.does(str(BIN / "python"), "-m", "ct_aws_eb_cleaner", "--application-name", "shop", words="[info] Done.",
                  name="$ python -m ct_aws_eb_cleaner --application-name shop")
    running = {e["VersionLabel"] for e in stranger.world.eb.describe_environments(IncludeDeleted=False)["Environments"]}
    check("ct-aws-eb-cleaner leaves what runs", set(labels()) == running, f"{labels()} {running}")


# --- boto 2 ------------------------------------------------------------------

EBS_CONFIG = {
    "aws": {"access_key": "a", "secret_key": "b", "region": REGION, "bucket": "shop-artifacts", "bucket_path": "ebs"},
    "app": {
        "app_name": "shop", "versions_to_keep": 10,
        "all_environments": {
            "solution_stack_name": PLATFORM, "tier_name": "WebServer", "tier_type": "Standard", "tier_version": "1.0",
            "option_settings": {"aws:autoscaling:asg": {"MinSize": "2"}}, "archive": {"includes": ["app.js"]}},
        "environments": {"shop-blue": {"cname_prefix": "shop"}}}}


def ebs_deploy(stranger):
    """JSON answers, dates as numbers, and S3 by version 2 of the signature, through a proxy."""
    (stranger.folder / "ebs.config").write_text(json.dumps(EBS_CONFIG))
    (stranger.home / "boto.cfg").write_text("[Boto]\nis_secure = False\nnum_retries = 1\n")
    variables = {"BOTO_CONFIG": str(stranger.home / "boto.cfg"), "http_proxy": stranger.world.url, "no_proxy": "", "NO_PROXY": ""}
    stranger.environment.update(variables)
    program = str(Path(sys.argv[3]) / "bin/ebs-deploy")
    run = lambda command, **how: stranger.does(program, *command.split(), name=f"$ ebs-deploy {command}", **how)
    run("list_environments", words="shop-blue")
    run("list_solution_stacks", words=PLATFORM)
    run("deploy -e shop-blue -l e1", words=["Uploaded ", "Deploying e1 to shop-blue", "has version e1 and has status Ready ... done"])
    runs(stranger, "shop-blue", "e1")
    run("describe_events -e shop-blue", words="Environment update completed successfully.")
    run("zdt_deploy -e shop-blue -l e2", words=["New environment name will be shop-blue-0", "Swapping environment cnames", "Deleting old environment shop-blue"])
    new = runs(stranger, "shop-blue-0", "e2")
    check("ebs-deploy zdt_deploy has swapped", new.get("CNAME") == "shop.us-east-1.elasticbeanstalk.com", new)
    report = stranger.report()
    check("the report counts what a termination right after the swap loses", report["lost"] > 0, report["lost"])
    stranger.called("CreateEnvironment", "SwapEnvironmentCNAMEs", "TerminateEnvironment", "ValidateConfigurationSettings", "DescribeEvents")


# --- node --------------------------------------------------------------------

BEANSTALKIFY = """
const Application = require('beanstalkify');
const shop = new Application({accessKeyId: 'a', secretAccessKey: 'b', region: 'us-east-1', endpoint: URL, s3ForcePathStyle: true});
const how = {awsStackName: STACK, beanstalkConfig: [], tags: [{Key: 'team', Value: 'web'}], environmentName: 'shop-node'};
const deploy = file => shop.deploy({archiveFilePath: file, ...how}).then(info => console.log(JSON.stringify(info)));
deploy('../shop-n1.zip').then(() => deploy('../shop-n2.zip'))
    .then(() => shop.cleanApplicationVersions('shop')).then(() => shop.terminateEnvironment('shop-node'))
    .then(() => console.log('all done'), error => { console.error('failed', error); process.exit(1); });
"""

NODE_AWS_BEANSTALK = """
require('aws-sdk').config.update({endpoint: URL, s3ForcePathStyle: true});
const beanstalk = require('node-aws-beanstalk');
const how = {accessKeyId: 'a', secretAccessKey: 'b', region: 'us-east-1', appName: 'shop', envName: 'shop-aws', version: 'm1',
    CNAMEPrefix: 'shop-aws', solutionStack: STACK, environmentSettings: []};
const deploy = then => beanstalk.deploy('../shop-n1.zip', how, error => {
    if (error) { console.error('failed', error); process.exit(1); }
    then();
});
deploy(() => setTimeout(() => deploy(() => console.log('all done')), 3000));
"""

def script(stranger, name, text):
    text = text.replace("URL", json.dumps(stranger.world.url)).replace("STACK", json.dumps(PLATFORM))
    (stranger.home / name).write_text(text)
    stranger.environment.update(NODE_PATH=sys.argv[2], AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE="1", NODE_NO_WARNINGS="1")
    for bundle in ["shop-n1.zip", "shop-n2.zip"]:
        stranger.bundle(bundle)
    return str(stranger.home / name)


def beanstalkify(stranger):
    told = stranger.does("node", script(stranger, "deploy.js", BEANSTALKIFY), words=["Create stack", "Deploying n2 to shop-node", "all done"],
                         seconds=120, name="beanstalkify creates, deploys, cleans and terminates")
    check("beanstalkify tells where its application is", '"env_url":"shop-node.us-east-1.elasticbeanstalk.com"' in told, told)
    labels = {v["VersionLabel"] for v in stranger.world.eb.describe_application_versions(ApplicationName="shop")["ApplicationVersions"]}
    check("beanstalkify leaves the versions that run", labels == {"v1", "n2"}, labels)
    stranger.called("CreateStorageLocation", "CheckDNSAvailability", "CreateEnvironment", "UpdateEnvironment", "TerminateEnvironment")
    loses_nothing(stranger)


def node_aws_beanstalk(stranger):
    stranger.does("node", script(stranger, "deploy.js", NODE_AWS_BEANSTALK), words=["Creating S3 bucket", "created and is now being launched", "all done"],
                  seconds=150, name="node-aws-beanstalk creates and deploys")
    runs(stranger, "shop-aws", "shop-aws-1.0.0.0")
    loses_nothing(stranger)


def main():
    parts = [("ebi", ebi), ("ebdeploy, and what cleans after it", ebdeploy), ("beanstalkify", beanstalkify),
             ("node-aws-beanstalk", node_aws_beanstalk)]
    if len(sys.argv) > 3:
        parts.append(("ebs-deploy", ebs_deploy))
    side_by_side(parts)
    ends()


main()
