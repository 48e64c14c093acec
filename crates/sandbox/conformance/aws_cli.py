"""All operations of Elastic Beanstalk by the AWS CLI, and what `bluegreen sandbox` prints for it.
Usage: aws_cli.py BLUEGREEN [AWS-CLI-2]
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import boto3
from botocore import xform_name

from conformance import BIN, check, until
from strangers import ends, side_by_side

PLATFORM = "64bit Amazon Linux 2023 v4.3.0 running Node.js 20"
ARN = "arn:aws:elasticbeanstalk:us-east-1:123456789012"
ASG = "aws:autoscaling:asg"
EB = boto3.client("elasticbeanstalk", region_name="us-east-1").meta.service_model

DOCUMENTED = (Path(__file__).parents[3] / "docs/reference/sandbox.md").read_text()

called = set()


class Cli:
    """`aws elasticbeanstalk` in a sandbox: what is called, answered and refused."""

    def __init__(self, stranger):
        self.stranger, self.world = stranger, stranger.world

    def calls(self, operation, *arguments, **how):
        """The answer of an operation that must succeed; `{}` if it does not, or has none."""
        called.add(operation)
        name = xform_name(operation, "-").replace("-c-n-a-m-es", "-cnames")
        told = self.stranger.does("aws", "elasticbeanstalk", name, *arguments, **how)
        try:
            return json.loads(told or "{}")
        except ValueError:
            return {}

    def tells(self, operation, *arguments, has, **how):
        """The same, of an answer that holds all that `has` does."""
        answer = self.calls(operation, *arguments, **how)
        lacking = list(differences(has, answer))
        check(f"{operation} answers as expected", not lacking, f"{'; '.join(lacking)}\n{json.dumps(answer)[:2000]}\n")
        return answer

    def refuses(self, operation, *arguments, words, lacks=("(InvalidAction)",)):
        """The operation is offered, and what is wanted of it refused."""
        self.calls(operation, *arguments, words=words, lacks=lacks, code=255)

    def ready(self, name):
        self.world.ready(name)


def differences(expected, answer, path=""):
    """Where an answer lacks what is expected: a value, a type for any value of it, or a function that holds."""
    if isinstance(expected, dict):
        for key, inner in expected.items():
            if not isinstance(answer, dict) or key not in answer:
                yield f"{path}.{key} is missing"
            else:
                yield from differences(inner, answer[key], f"{path}.{key}")
    elif isinstance(expected, list):
        if not isinstance(answer, list) or len(answer) < len(expected):
            yield f"{path} has fewer than {len(expected)} entries"
        else:
            for at, inner in enumerate(expected):
                yield from differences(inner, answer[at], f"{path}[{at}]")
    elif isinstance(expected, type):
        if not isinstance(answer, expected):
            yield f"{path} is {answer!r}, no {expected.__name__}"
    elif callable(expected):
        if not expected(answer):
            yield f"{path} is {answer!r}"
    elif answer != expected:
        yield f"{path} is {answer!r}, not {expected!r}"


def setting(name, value, namespace=ASG):
    return f"Namespace={namespace},OptionName={name},Value={value}"


# --- applications and versions -----------------------------------------------


def applications(stranger):
    cli = Cli(stranger)
    bucket = "elasticbeanstalk-us-east-1-123456789012"
    cli.tells("CreateStorageLocation", has={"S3Bucket": bucket})
    stranger.does("aws", "s3", "cp", stranger.bundle("new.zip"), f"s3://{bucket}/new.zip", words="upload:")
    lifecycle = {"VersionLifecycleConfig": {"MaxCountRule": {"Enabled": False}, "MaxAgeRule": {"Enabled": False}}}
    made = {"ApplicationName": "other", "Description": "d", "ApplicationArn": f"{ARN}:application/other",
            "DateCreated": str, "DateUpdated": str, "ConfigurationTemplates": [], "ResourceLifecycleConfig": lifecycle}
    cli.tells("CreateApplication", "--application-name", "other", "--description", "d", "--tags", "Key=a,Value=b", has={"Application": made})
    cli.tells("ListTagsForResource", "--resource-arn", f"{ARN}:application/other", has={"ResourceTags": [{"Key": "a", "Value": "b"}]})
    cli.refuses("CreateApplication", "--application-name", "other", words=["(InvalidParameterValue)", "Application other already exists."])
    cli.tells("UpdateApplication", "--application-name", "other", "--description", "e", has={"Application": {"Description": "e"}})
    rule = '{"ServiceRole":"arn:aws:iam::123456789012:role/aws-elasticbeanstalk-service-role","VersionLifecycleConfig":' \
           '{"MaxCountRule":{"Enabled":true,"MaxCount":10,"DeleteSourceFromS3":false}}}'
    cli.tells("UpdateApplicationResourceLifecycle", "--application-name", "other", "--resource-lifecycle-config", rule, has={
        "ApplicationName": "other", "ResourceLifecycleConfig": {"VersionLifecycleConfig": {"MaxCountRule": {"Enabled": True, "MaxCount": 10}}}})
    cli.tells("DescribeApplications", "--application-names", "other", has={"Applications": [{
        "Description": "e", "ResourceLifecycleConfig": {"VersionLifecycleConfig": {"MaxCountRule": {"MaxCount": 10}}}}]})
    versions(cli, bucket)
    cli.calls("DeleteApplication", "--application-name", "other")
    cli.tells("DescribeApplications", has={"Applications": lambda all: [a["ApplicationName"] for a in all] == ["shop"]})
    cli.refuses("DeleteApplication", "--application-name", "shop", words="An error occurred (")
    cli.tells("DescribeAccountAttributes", has={"ResourceQuotas": {
        f"{of}Quota": {"Maximum": int} for of in ["Application", "ApplicationVersion", "ConfigurationTemplate", "CustomPlatform", "Environment"]}})


def versions(cli, bucket):
    other = ["--application-name", "other", "--version-label", "n1"]
    made = {"ApplicationVersionArn": f"{ARN}:applicationversion/other/n1", "Description": "d", "SourceBundle": {"S3Bucket": bucket, "S3Key": "new.zip"},
            "DateCreated": str, "DateUpdated": str, "Status": "PROCESSING"}
    bundle = f"S3Bucket={bucket},S3Key=new.zip"
    cli.tells("CreateApplicationVersion", *other, "--description", "d", "--process", "--source-bundle", bundle, has={"ApplicationVersion": made})
    for label, of in [("n2", bucket), ("n3", "nowhere-bucket")]:
        cli.refuses("CreateApplicationVersion", "--application-name", "other", "--version-label", label, "--source-bundle",
                    f"S3Bucket={of},S3Key=none.zip", words=[
                        "(InvalidParameterCombination)", f"Unable to download from S3 location (Bucket: {of}  Key: none.zip). Reason: Not Found"])
    cli.refuses("CreateApplicationVersion", "--application-name", "other", "--version-label", "n4", "--description", "d" * 201,
                words="(InvalidParameterValue)")
    cli.refuses("CreateApplicationVersion", "--application-name", "none", "--version-label", "n1", words="(InvalidParameterValue)")
    cli.tells("UpdateApplicationVersion", *other, "--description", "e", has={"ApplicationVersion": {"VersionLabel": "n1", "Description": "e"}})
    cli.tells("DescribeApplicationVersions", "--application-name", "other", has={"ApplicationVersions": [{"VersionLabel": "n1", "Description": "e"}]})
    cli.calls("DeleteApplicationVersion", *other, "--delete-source-bundle")
    cli.stranger.does("aws", "s3api", "head-object", "--bucket", bucket, "--key", "new.zip", code=255, words="(404)",
                      name="DeleteSourceBundle deletes the bundle")
    cli.refuses("DeleteApplicationVersion", "--application-name", "shop", "--version-label", "v1", words="v1")


# --- environments ------------------------------------------------------------


def environments(stranger):
    cli = Cli(stranger)
    blue = ["--environment-name", "shop-blue"]
    cli.tells("CheckDNSAvailability", "--cname-prefix", "shop-two", has={
        "Available": True, "FullyQualifiedCNAME": "shop-two.us-east-1.elasticbeanstalk.com"})
    two = ["--application-name", "shop", "--environment-name", "shop-two"]
    made = {"EnvironmentName": "shop-two", "EnvironmentId": str, "ApplicationName": "shop", "VersionLabel": "v1", "SolutionStackName": PLATFORM,
            "PlatformArn": str, "CNAME": "shop-two.us-east-1.elasticbeanstalk.com", "DateCreated": str, "DateUpdated": str, "Status": "Launching",
            "Health": "Grey", "Tier": {"Name": "WebServer", "Type": "Standard", "Version": "1.0"}, "EnvironmentArn": f"{ARN}:environment/shop/shop-two"}
    cli.tells("CreateEnvironment", *two, "--version-label", "v1", "--cname-prefix", "shop-two", "--solution-stack-name", PLATFORM,
              "--option-settings", setting("LoadBalancerType", "application", "aws:elasticbeanstalk:environment"), has=made)
    refusals_of_a_launch(cli)
    stranger.does("aws", "elasticbeanstalk", "wait", "environment-exists", "--environment-names", "shop-two")
    cli.ready("shop-two")
    described(cli)
    cli.tells("SwapEnvironmentCNAMEs", "--source-environment-name", "shop-blue", "--destination-environment-name", "shop-two", has={})
    cli.ready("shop-two")
    cli.tells("DescribeEnvironments", "--environment-names", "shop-two", has={"Environments": [{"CNAME": "shop.us-east-1.elasticbeanstalk.com"}]})
    stranger.inject(fault="slow_deploy", label="v2", seconds=200_000, batches=1)
    cli.tells("UpdateEnvironment", *blue, "--version-label", "v2", has={"Status": "Updating", "AbortableOperationInProgress": True})
    cli.calls("AbortEnvironmentUpdate", *blue)
    cli.ready("shop-blue")
    cli.refuses("UpdateEnvironment", "--application-name", "none", *blue, "--version-label", "v2", words="(InvalidParameterValue)")
    cli.calls("RestartAppServer", *blue)
    cli.ready("shop-blue")
    cli.calls("RebuildEnvironment", *blue)
    cli.ready("shop-blue")
    operations_role(cli, blue)
    ended(cli)


def refusals_of_a_launch(cli):
    def refused(name, words, *how):
        cli.refuses("CreateEnvironment", "--application-name", "shop", "--environment-name", name, *how, words=words)

    refused("shop-stack", ["(InvalidParameterValue)", "No Solution Stack named 'bogus' found."], "--solution-stack-name", "bogus")
    refused("shop-arn", "(InvalidParameterValue)", "--platform-arn", "arn:aws:elasticbeanstalk:us-east-1::platform/Nope/1.0.0")
    refused("shop-tier", "(InvalidParameterValue)", "--solution-stack-name", PLATFORM, "--tier", "Name=Bogus,Type=Standard")
    refused("shop-none", "Unable to determine base for template pack (no solution stack)")


def described(cli):
    """What an environment with an application load balancer is told to be, and a worker."""
    resources = lambda name: cli.calls("DescribeEnvironmentResources", "--environment-name", name).get("EnvironmentResources", {})
    own = resources("shop-blue")
    names = [balancer["Name"] for balancer in own.get("LoadBalancers", [])]
    check("an application load balancer is named by its ARN",
          len(names) == 1 and ":loadbalancer/app/awseb-" in names[0], names)
    check("one of launch configuration and launch template is told",
          len(own.get("LaunchConfigurations", [])) + len(own.get("LaunchTemplates", [])) == 1, own)
    queues = [queue.get("Name") for queue in resources("shop-worker").get("Queues", [])]
    check("a worker has its queues", queues == ["WorkerQueue", "WorkerDeadLetterQueue"], queues)
    check("and no load balancer", resources("shop-worker").get("LoadBalancers") == [], resources("shop-worker"))
    blue = ["--environment-name", "shop-blue", "--attribute-names", "All"]
    whole = cli.tells("DescribeEnvironmentHealth", *blue, has={"HealthStatus": "Ok", "Color": "Green", "InstancesHealth": {"Ok": 2}})
    each = cli.tells("DescribeInstancesHealth", *blue, has={"InstanceHealthList": [{"HealthStatus": "Ok"}, {"HealthStatus": "Ok"}]})
    metrics = [one["ApplicationMetrics"]["RequestCount"] for one in each.get("InstanceHealthList", [])]
    total = whole.get("ApplicationMetrics", {}).get("RequestCount")
    check("an environment's requests are its instances' together", sum(metrics) == total, f"{total} and {metrics}")
    cli.tells("DescribeEnvironmentManagedActions", *blue[:2], has={"ManagedActions": []})
    cli.tells("DescribeEnvironmentManagedActionHistory", *blue[:2], has={"ManagedActionHistoryItems": []})
    cli.tells("DescribeEvents", *blue[:2], "--max-records", "5", has={"Events": [{"Message": str, "Severity": "INFO"}]})
    cli.tells("DescribeEvents", "--template-name", "none", has={"Events": lambda all: all == []})


def drafts(stranger):
    """What a configuration update changes is a draft until it ends; at a slower clock, on which one takes half a minute."""
    cli = Cli(stranger)
    blue = ["--environment-name", "shop-blue"]
    describe = ["--application-name", "shop", *blue]
    cli.calls("UpdateEnvironment", *blue, "--option-settings", setting("MinSize", "3"))
    told = cli.calls("DescribeConfigurationSettings", *describe).get("ConfigurationSettings", [])
    sizes = {one.get("DeploymentStatus"): [s.get("Value") for s in one["OptionSettings"] if (s["Namespace"], s["OptionName"]) == (ASG, "MinSize")]
             for one in told}
    check("an update's settings are a draft", sizes == {"deployed": ["2"], "pending": ["3"]}, sizes)
    until("shop-blue is Ready", lambda: cli.world.describe("shop-blue")["Status"] == "Ready", 120)
    messages = [event["Message"] for event in cli.world.eb.describe_events(EnvironmentName="shop-blue", MaxRecords=4)["Events"]]
    check("a configuration update has its own events", "Successfully deployed new configuration to environment." in messages, messages)
    cli.calls("DeleteEnvironmentConfiguration", *describe)


def operations_role(cli, blue):
    role = "arn:aws:iam::123456789012:role/operations"
    cli.calls("AssociateEnvironmentOperationsRole", *blue, "--operations-role", role)
    cli.tells("DescribeEnvironments", "--environment-names", "shop-blue", has={"Environments": [{"OperationsRole": role}]})
    cli.calls("DisassociateEnvironmentOperationsRole", *blue)
    cli.tells("DescribeEnvironments", "--environment-names", "shop-blue", has={"Environments": lambda all: "OperationsRole" not in all[0]})


def ended(cli):
    """Six weeks long the service tells a terminated environment, by its id too."""
    gone = cli.tells("TerminateEnvironment", "--environment-name", "shop-two", has={"Status": "Terminating"})
    until("shop-two is gone", lambda: cli.world.describe("shop-two") is None)
    time.sleep(7)
    back = ["--include-deleted", "--included-deleted-back-to", "2020-01-01T00:00:00Z"]
    cli.tells("DescribeEnvironments", "--environment-ids", gone.get("EnvironmentId", "none"), *back,
              has={"Environments": [{"EnvironmentName": "shop-two", "Status": "Terminated"}]})
    cli.refuses("TerminateEnvironment", "--environment-name", "shop-none",
                words=["(InvalidParameterValue)", "No Environment found for EnvironmentName = 'shop-none'."])


# --- templates, tags, information, platforms ---------------------------------


def templates(stranger):
    cli = Cli(stranger)
    template = ["--application-name", "shop", "--template-name", "t"]
    blue = cli.world.describe("shop-blue")
    cli.tells("CreateConfigurationTemplate", *template, "--environment-id", blue["EnvironmentId"], "--description", "d", has={
        "ApplicationName": "shop", "TemplateName": "t", "Description": "d", "SolutionStackName": PLATFORM, "PlatformArn": blue["PlatformArn"]})
    cli.refuses("CreateConfigurationTemplate", "--application-name", "shop", "--template-name", "u", words="An error occurred (")
    cli.tells("UpdateConfigurationTemplate", *template, "--description", "e", "--option-settings", setting("MaxSize", "3"), has={"Description": "e"})
    told = cli.calls("DescribeConfigurationSettings", *template)
    sizes = [s.get("Value") for one in told.get("ConfigurationSettings", []) for s in one["OptionSettings"]
             if (s["Namespace"], s["OptionName"]) == (ASG, "MaxSize")]
    check("UpdateConfigurationTemplate changes the template", sizes == ["3"], sizes)
    cli.tells("CreateEnvironment", "--application-name", "shop", "--environment-name", "shop-t", "--template-name", "t", has={"TemplateName": "t"})
    cli.tells("DescribeConfigurationOptions", *template, "--options", f"Namespace={ASG},OptionName=MinSize",
              has={"Options": [{"Namespace": ASG, "Name": "MinSize", "ValueType": "Scalar"}]})
    cli.tells("ValidateConfigurationSettings", *template, "--option-settings", setting("MinSize", "2"), has={"Messages": lambda all: all == []})
    cli.tells("ValidateConfigurationSettings", *template, "--option-settings", setting("MinSize", "2", "aws:none"),
              has={"Messages": [{"Severity": "error", "Namespace": "aws:none", "OptionName": "MinSize", "Message": str}]})
    cli.calls("DeleteConfigurationTemplate", *template)
    cli.tells("DescribeApplications", has={"Applications": [{"ConfigurationTemplates": lambda all: "t" not in all}]})


def tagged(stranger):
    cli = Cli(stranger)
    for of in ["application/shop", "applicationversion/shop/v1", "environment/shop/shop-blue"]:
        arn = ["--resource-arn", f"{ARN}:{of}"]
        cli.calls("UpdateTagsForResource", *arn, "--tags-to-add", "Key=k,Value=v")
        cli.ready("shop-blue")
        cli.tells("ListTagsForResource", *arn, has={"ResourceTags": lambda all: {"Key": "k", "Value": "v"} in all})
        cli.calls("UpdateTagsForResource", *arn, "--tags-to-remove", "k")
        cli.ready("shop-blue")
    said = [event["Message"] for event in cli.world.eb.describe_events(EnvironmentName="shop-blue")["Events"]]
    check("a change of an environment's tags has its event", "Environment tag update completed successfully." in said, said[:5])
    cli.refuses("ListTagsForResource", "--resource-arn", f"{ARN}:environment/shop/none", words="(ResourceNotFoundException)")


def information(stranger):
    """At a slower clock: the service keeps the last lines of logs for a quarter of an hour."""
    cli = Cli(stranger)
    blue = ["--environment-name", "shop-blue"]
    for kind in ["tail", "bundle"]:
        cli.calls("RequestEnvironmentInfo", *blue, "--info-type", kind)
        until(f"the {kind} is there", lambda: cli.world.eb.retrieve_environment_info(EnvironmentName="shop-blue", InfoType=kind)["EnvironmentInfo"])
        told = cli.tells("RetrieveEnvironmentInfo", *blue, "--info-type", kind, has={
            "EnvironmentInfo": [{"InfoType": kind, "Ec2InstanceId": str, "Message": str, "SampleTimestamp": str}]})
        found = told.get("EnvironmentInfo") or [{}]
        got = subprocess.run(["curl", "-sf", "--noproxy", "*", found[0].get("Message", "http://none.invalid/")], capture_output=True)
        check(f"what it tells of a {kind} can be fetched", got.returncode == 0 and got.stdout, found)


def platforms(stranger):
    cli = Cli(stranger)
    versions = cli.tells("ListPlatformVersions", has={"PlatformSummaryList": [{"PlatformStatus": "Ready", "PlatformArn": str}]})
    check("one platform is recommended", [p.get("PlatformLifecycleState") for p in versions.get("PlatformSummaryList", [])].count("Recommended") == 1)
    for kind, value in [("PlatformName", "Docker"), ("PlatformOwner", "self")]:
        cli.tells("ListPlatformVersions", "--filters", f'Type={kind},Operator="=",Values={value}', has={"PlatformSummaryList": lambda all: all == []})
    cli.tells("ListPlatformBranches", has={"PlatformBranchSummaryList": [{"PlatformName": "Node.js", "LifecycleState": "Supported"}]})
    cli.tells("ListPlatformBranches", "--filters", 'Attribute=PlatformName,Operator="=",Values=Docker', has={
        "PlatformBranchSummaryList": lambda all: all == []})
    arn = (versions.get("PlatformSummaryList") or [{}])[0].get("PlatformArn", "none")
    cli.tells("DescribePlatformVersion", "--platform-arn", arn, has={"PlatformDescription": {"PlatformArn": arn, "SolutionStackName": PLATFORM}})
    cli.tells("ListAvailableSolutionStacks", has={"SolutionStacks": [PLATFORM], "SolutionStackDetails": [{"SolutionStackName": PLATFORM}]})
    cli.refuses("ApplyEnvironmentManagedAction", "--environment-name", "shop-blue", "--action-id", "none", words="An error occurred (")
    for operation, *how in [
        ("ComposeEnvironments", "--application-name", "shop", "--group-name", "g", "--version-labels", "v1"),
        ("CreatePlatformVersion", "--platform-name", "p", "--platform-version", "1.0.0", "--platform-definition-bundle", "S3Bucket=b,S3Key=k"),
        ("DeletePlatformVersion", "--platform-arn", arn),
    ]:
        cli.refuses(operation, *how, words=["(UnsupportedOperation)", f"The sandbox does not offer {operation}"])
        check(f"docs/reference/sandbox.md names {operation}", operation in DOCUMENTED)


# --- the AWS CLI 2, and what is printed --------------------------------------


def printed_line(binary):
    """The line for the AWS CLI that `bluegreen sandbox` prints, in either of them."""
    for name, folder in [("1", BIN), *([("2", Path(sys.argv[2]).parent)] if len(sys.argv) > 2 else [])]:
        with subprocess.Popen([binary, "sandbox", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True) as server:
            line = next(line for line in server.stdout if " aws " in line).strip()
            done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, stdin=subprocess.DEVNULL, env={
                "PATH": f"{folder}:{os.environ['PATH']}", "HOME": "/nonexistent", "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true"})
            server.terminate()
        told = done.stdout + done.stderr
        check(f"the printed line, with the AWS CLI {name}: {line}", done.returncode == 0 and "shop-blue" in told, told)


def release_with_two(stranger):
    """A release by the commands that its users know, with the AWS CLI 2."""
    stranger.environment["PATH"] = f"{Path(sys.argv[2]).parent}:{stranger.environment['PATH']}"
    stranger.does("aws", "--version", words="aws-cli/2.")
    aws = lambda service, *command, **how: stranger.does("aws", service, *command, **how)
    beanstalk = lambda *command, **how: aws("elasticbeanstalk", *command, **how)
    aws("s3", "cp", stranger.bundle("n.zip"), "s3://shop-artifacts/n.zip", words="upload:")
    beanstalk("create-application-version", "--application-name", "shop", "--version-label", "n", "--source-bundle",
              "S3Bucket=shop-artifacts,S3Key=n.zip", "--process", words="PROCESSING")
    beanstalk("create-environment", "--application-name", "shop", "--environment-name", "shop-two", "--version-label", "n",
              "--solution-stack-name", PLATFORM, words="Launching")
    beanstalk("wait", "environment-exists", "--environment-names", "shop-two")
    beanstalk("swap-environment-cnames", "--source-environment-name", "shop-blue", "--destination-environment-name", "shop-two")
    beanstalk("wait", "environment-updated", "--environment-names", "shop-two", "shop-blue")
    beanstalk("describe-environments", "--query", "Environments[?CNAME=='shop.us-east-1.elasticbeanstalk.com'].EnvironmentName",
              "--output", "text", words="shop-two")
    beanstalk("terminate-environment", "--environment-name", "shop-none", code=254, words="No Environment found")
    beanstalk("describe-events", "--max-items", "3", "--output", "yaml", words="EventDate")
    stranger.called("CreateApplicationVersion", "CreateEnvironment", "SwapEnvironmentCNAMEs")


def every_operation_is_called():
    missed = set(EB.operation_names) - called
    check(f"every operation of Elastic Beanstalk is called ({len(called)})", not missed, missed)


def main():
    printed_line(sys.argv[1])
    parts = [("applications and versions", applications), ("environments", environments), ("templates", templates),
             ("drafts", drafts, [3]), ("tags", tagged), ("information", information, [20]), ("platforms", platforms)]
    if len(sys.argv) > 2:
        parts.append(("a release with the AWS CLI 2", release_with_two))
    side_by_side(parts)
    every_operation_is_called()
    ends()


main()
