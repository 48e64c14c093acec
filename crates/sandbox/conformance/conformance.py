"""Drives the sandbox with boto3, the AWS CLI and the EB CLI.

Every answer of Elastic Beanstalk is held against botocore's own model: nothing
that the model marks required is missing, nothing unknown is there, and every
value is of its type.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import boto3
import botocore.exceptions
from botocore.config import Config

from rings import moto, rings_against

BIN = Path(sys.executable).parent
passed = failed = 0
answers_checked = set()


one_at_a_time = threading.Lock()


def check(name, holds, detail=""):
    global passed, failed
    with one_at_a_time:
        passed, failed = passed + bool(holds), failed + (not holds)
        print(f"{'ok    ' if holds else 'FAILED'} {name}{'' if holds else f': {detail}'}", flush=True)


# --- the model ---------------------------------------------------------------

PLAIN = {
    "integer": int, "long": int, "float": float, "double": float,
    "boolean": lambda text: {"true": True, "false": False}[text],
    "timestamp": lambda text: time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"),
    "string": str,
}


# What the service sends although its public model lacks it: the EB CLI reads it.
BEYOND_THE_MODEL = {"DescribeConfigurationSettings.ConfigurationSettings[].Tier"}


def local(tag):
    return tag.split("}")[-1]


def faults_of(element, shape, path):
    """Where an answer's element departs from the model's shape."""
    if shape.type_name == "structure":
        children = {local(child.tag): child for child in element}
        for name in shape.required_members:
            if name not in children:
                yield f"{path}.{name} is required and missing"
        for name, child in children.items():
            member = shape.members.get(name)
            if f"{path}.{name}" in BEYOND_THE_MODEL:
                continue
            if member is None:
                yield f"{path}.{name} is not in the model"
            else:
                yield from faults_of(child, member, f"{path}.{name}")
    elif shape.type_name == "list":
        for child in element:
            if local(child.tag) != "member":
                yield f"{path} has <{local(child.tag)}> in a list"
            yield from faults_of(child, shape.member, f"{path}[]")
    elif shape.type_name == "map":
        yield f"{path}: maps are not expected"
    else:
        if shape.type_name == "string" and shape.enum and element.text not in shape.enum:
            # The service itself departs here; see the facts on its statuses.
            known = {"ApplicationVersionStatus", "EnvironmentHealth", "EnvironmentStatus"}
            if shape.name not in known:
                yield f"{path} is {element.text!r}, not one of {shape.enum}"
        try:
            PLAIN[shape.type_name](element.text or "")
        except (KeyError, ValueError) as error:
            yield f"{path} is no {shape.type_name}: {error}"


def hold_against_model(client):
    """Checks every good answer of this client as it comes in."""

    def received(response_dict, operation_model=None, context=None, exception=None, **_):
        if response_dict is None or response_dict["status_code"] >= 300:
            return
        name = context["operation"]
        root = ElementTree.fromstring(response_dict["body"])
        output = client.meta.service_model.operation_model(name).output_shape
        result = root.find(f"{{*}}{name}Result")
        faults = []
        if local(root.tag) != f"{name}Response":
            faults.append(f"the root is {root.tag}")
        if root.find("{*}ResponseMetadata/{*}RequestId") is None:
            faults.append("no request id")
        if output is None or result is None:
            if (output is None) != (result is None):
                faults.append("a result where none is modelled, or none where one is")
        else:
            faults.extend(faults_of(result, output, name))
        answers_checked.add(name)
        if faults:
            check(f"{name} holds against the model", False, "; ".join(faults))

    def before(params, model, context, **_):
        context["operation"] = model.name

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-call.{service}", before)
    client.meta.events.register(f"response-received.{service}", received)


# --- helpers -----------------------------------------------------------------


def until(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"never came: {what}")


def refusal(name, call, code, words):
    try:
        call()
        check(name, False, "it was not refused")
    except botocore.exceptions.ClientError as error:
        got = error.response["Error"]
        check(name, got["Code"] == code and words in got.get("Message", ""), got)


class World:
    def __init__(self, url):
        self.url = url
        session = boto3.Session("a", "b", region_name="us-east-1")
        plain = Config(retries={"max_attempts": 1})
        self.eb = session.client("elasticbeanstalk", endpoint_url=url, config=plain)
        self.s3 = session.client("s3", endpoint_url=url, config=plain)
        self.sts = session.client("sts", endpoint_url=url, config=plain)
        self.route53 = session.client("route53", endpoint_url=url, config=plain)
        self.ssm = session.client("ssm", endpoint_url=url, config=plain)
        self.cloudformation = session.client("cloudformation", endpoint_url=url, config=plain)
        hold_against_model(self.eb)
        self.environment = dict(
            os.environ, AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b",
            AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1", NO_PROXY="127.0.0.1",
            PYTHONWARNINGS="ignore", AWS_PAGER="",
        )

    def describe(self, name):
        found = self.eb.describe_environments(EnvironmentNames=[name], IncludeDeleted=False)
        return (found["Environments"] or [None])[0]

    def ready(self, name, health="Green"):
        def is_ready():
            found = self.describe(name)
            return found and (found["Status"], found["Health"]) == ("Ready", health)
        until(f"{name} is Ready and {health}", is_ready)

    def run(self, *command, cwd=None):
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]], env=self.environment, cwd=cwd,
            capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
        )
        return done.returncode, done.stdout + done.stderr


# --- boto3 -------------------------------------------------------------------


def with_boto3(world):
    eb = world.eb
    check("STS tells the account", world.sts.get_caller_identity()["Account"] == "123456789012")
    check("applications", eb.describe_applications()["Applications"][0]["ApplicationName"] == "shop")
    labels = [v["VersionLabel"] for v in eb.describe_application_versions(ApplicationName="shop")["ApplicationVersions"]]
    check("versions, newest first", labels == ["v2", "v1"], labels)
    blue = world.describe("shop-blue")
    check("enhanced health", blue["HealthStatus"] == "Ok", blue)
    eb.create_application(ApplicationName="other", Description="another")
    eb.create_application_version(
        ApplicationName="shop", VersionLabel="v3", Process=True,
        SourceBundle={"S3Bucket": "shop-artifacts", "S3Key": "shop/v2.zip"})
    status = lambda: eb.describe_application_versions(ApplicationName="shop", VersionLabels=["v3"])["ApplicationVersions"][0]["Status"]
    until("v3 is processed", lambda: status() == "PROCESSED")
    check("processing ends PROCESSED", True)
    eb.update_application_version(ApplicationName="shop", VersionLabel="v3", Description="third")
    refusal("a label is taken", lambda: eb.create_application_version(ApplicationName="shop", VersionLabel="v3"),
            "InvalidParameterValue", "already exists")
    eb.create_configuration_template(ApplicationName="shop", TemplateName="t", EnvironmentId=blue["EnvironmentId"])
    refusal("a template is taken", lambda: eb.create_configuration_template(ApplicationName="shop", TemplateName="t", EnvironmentId=blue["EnvironmentId"]),
            "InvalidParameterValue", "Configuration Template t already exists.")
    template = eb.describe_configuration_settings(ApplicationName="shop", TemplateName="t")["ConfigurationSettings"][0]
    running = eb.describe_configuration_settings(ApplicationName="shop", EnvironmentName="shop-blue")["ConfigurationSettings"][0]
    own = {"SecurityGroups", "ManagedSecurityGroup", "Notification Topic Name", "AppSource"}
    values = lambda told: [(s["Namespace"], s["OptionName"], s["Value"]) for s in told["OptionSettings"]
                           if s["OptionName"] not in own and "Value" in s]
    check("a template is blue's settings but for its own", values(template) == values(running))
    launched = lambda told: [s["ResourceName"] for s in told["OptionSettings"] if s["OptionName"] == "IamInstanceProfile"]
    check("what launches instances depends on an environment's age",
          (launched(running), launched(template)) == (["AWSEBAutoScalingLaunchConfiguration"], ["AWSEBEC2LaunchTemplate"]))
    refusal("a worker has no CNAME", lambda: eb.swap_environment_cnames(SourceEnvironmentName="shop-blue", DestinationEnvironmentName="shop-worker"),
            "InvalidParameterValue", "CNAME")
    refusal("a reserved tag", lambda: eb.create_environment(ApplicationName="shop", EnvironmentName="shop-green", TemplateName="t", Tags=[{"Key": "aws:x", "Value": "y"}]),
            "InvalidParameterValue", "reserved")
    made = eb.create_environment(ApplicationName="shop", EnvironmentName="shop-green", TemplateName="t",
                                 VersionLabel="v1", Tags=[{"Key": "a", "Value": "b"}])
    check("a launch begins Launching and Grey", (made["Status"], made["Health"]) == ("Launching", "Grey"), made)
    refusal("a name is taken", lambda: eb.create_environment(ApplicationName="shop", EnvironmentName="shop-green", TemplateName="t"),
            "InvalidParameterValue", "Environment shop-green already exists.")
    refusal("a launch cannot be terminated", lambda: eb.terminate_environment(EnvironmentName="shop-green"),
            "InvalidParameterValue", "currently pending deployment")
    tags = {t["Key"]: t["Value"] for t in eb.list_tags_for_resource(ResourceArn=made["EnvironmentArn"])["ResourceTags"]}
    check("tags, and those of the service", tags.get("a") == "b" and tags["elasticbeanstalk:environment-name"] == "shop-green", tags)
    change = {"TagsToAdd": [{"Key": "c", "Value": "d"}], "TagsToRemove": ["a"]}
    refusal("tags of what launches", lambda: eb.update_tags_for_resource(ResourceArn=made["EnvironmentArn"], **change),
            "InvalidParameterValue", "Must be Ready")
    world.ready("shop-green")
    eb.update_tags_for_resource(ResourceArn=made["EnvironmentArn"], **change)
    check("an environment is Updating while its tags change", world.describe("shop-green")["Status"] == "Updating")
    world.ready("shop-green")
    before = {name: world.describe(name) for name in ("shop-blue", "shop-green")}
    swapped = eb.swap_environment_cnames(SourceEnvironmentName="shop-blue", DestinationEnvironmentName="shop-green")
    refusal("a swap needs both Ready", lambda: eb.swap_environment_cnames(SourceEnvironmentName="shop-blue", DestinationEnvironmentName="shop-green"),
            "InvalidParameterValue", "Must be Ready.")
    world.ready("shop-blue")
    after = {name: world.describe(name) for name in before}
    check("the CNAMEs have changed places", after["shop-blue"]["CNAME"] == before["shop-green"]["CNAME"])
    check("the endpoints have stayed", after["shop-blue"]["EndpointURL"] == before["shop-blue"]["EndpointURL"])
    own = eb.describe_events(RequestId=swapped["ResponseMetadata"]["RequestId"])["Events"]
    check("a request's events alone, newest first", own and own[0]["Message"].startswith("Completed swapping"), own)
    eb.update_environment(EnvironmentName="shop-blue", VersionLabel="v2")
    refusal("an update needs Ready", lambda: eb.update_environment(EnvironmentName="shop-blue", VersionLabel="v2"),
            "InvalidParameterValue", "Must be Ready.")
    check("an update can be aborted", world.describe("shop-blue")["AbortableOperationInProgress"])
    eb.abort_environment_update(EnvironmentName="shop-blue")
    world.ready("shop-blue")
    check("an aborted update leaves the old version", world.describe("shop-blue")["VersionLabel"] == "v1")
    refusal("nothing to abort", lambda: eb.abort_environment_update(EnvironmentName="shop-blue"),
            "InvalidParameterValue", "Must be pending deployment.")
    eb.update_environment(EnvironmentName="shop-blue", VersionLabel="v2")
    world.ready("shop-blue")
    health = eb.describe_instances_health(EnvironmentName="shop-blue", AttributeNames=["All"])["InstanceHealthList"]
    check("every instance tells its version", all(i["Deployment"]["VersionLabel"] == "v2" for i in health), health)
    check("health needs its attributes named", "Status" not in eb.describe_environment_health(EnvironmentName="shop-blue"))
    eb.describe_environment_health(EnvironmentName="shop-blue", AttributeNames=["All"])
    eb.describe_environment_resources(EnvironmentName="shop-blue")
    eb.describe_environment_managed_actions(EnvironmentName="shop-blue")
    eb.restart_app_server(EnvironmentName="shop-blue")
    world.ready("shop-blue")
    eb.describe_configuration_options()
    eb.validate_configuration_settings(ApplicationName="shop", EnvironmentName="shop-blue", OptionSettings=[])
    eb.check_dns_availability(CNAMEPrefix="shop")
    eb.create_storage_location()
    eb.describe_account_attributes()
    eb.list_available_solution_stacks()
    eb.list_platform_branches()
    eb.describe_platform_version(PlatformArn=eb.list_platform_versions()["PlatformSummaryList"][0]["PlatformArn"])
    for operation, arguments, key in [
        ("describe_application_versions", {}, "ApplicationVersions"),
        ("describe_environments", {}, "Environments"),
        ("describe_events", {}, "Events"),
        ("list_platform_versions", {}, "PlatformSummaryList"),
        ("describe_environment_managed_action_history", {"EnvironmentName": "shop-blue"}, "ManagedActionHistoryItems"),
    ]:
        pages = list(eb.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": 1}))
        whole = getattr(eb, operation)(**arguments)[key]
        check(f"the paginator of {operation}", sum(len(p.get(key, [])) for p in pages) == len(whole), len(pages))
    eb.swap_environment_cnames(SourceEnvironmentName="shop-blue", DestinationEnvironmentName="shop-green")
    world.ready("shop-blue")
    eb.terminate_environment(EnvironmentName="shop-green")
    until("shop-green is gone", lambda: world.describe("shop-green") is None)
    gone = eb.describe_environments(EnvironmentNames=["shop-green"])["Environments"]
    check("a terminated one keeps showing", [e["Status"] for e in gone] == ["Terminated"], gone)
    eb.delete_configuration_template(ApplicationName="shop", TemplateName="t")
    eb.delete_application_version(ApplicationName="shop", VersionLabel="v3")
    refusal("an unknown environment", lambda: eb.terminate_environment(EnvironmentName="nowhere"),
            "InvalidParameterValue", "No Environment found for EnvironmentName = 'nowhere'.")
    refusal("an operation that is not offered", lambda: eb.compose_environments(), "UnsupportedOperation", "ComposeEnvironments")
    check("many operations were held against the model", len(answers_checked) >= 30, sorted(answers_checked))


def with_s3(world):
    s3, bucket = world.s3, "shop-artifacts"
    s3.put_object(Bucket=bucket, Key="a/b.txt", Body=b"hello")
    check("an object comes back", s3.get_object(Bucket=bucket, Key="a/b.txt")["Body"].read() == b"hello")
    etag = s3.head_object(Bucket=bucket, Key="a/b.txt")["ETag"]
    refusal("If-None-Match", lambda: s3.put_object(Bucket=bucket, Key="a/b.txt", Body=b"x", IfNoneMatch="*"), "PreconditionFailed", "")
    s3.put_object(Bucket=bucket, Key="a/b.txt", Body=b"hello again", IfMatch=etag)
    refusal("If-Match", lambda: s3.put_object(Bucket=bucket, Key="a/b.txt", Body=b"x", IfMatch=etag), "PreconditionFailed", "")
    refusal("a missing object", lambda: s3.get_object(Bucket=bucket, Key="nowhere"), "NoSuchKey", "")
    with tempfile.NamedTemporaryFile() as large:
        large.write(os.urandom(20 * 1024 * 1024))
        large.flush()
        s3.upload_file(large.name, bucket, "large")
        check("a multipart upload", s3.head_object(Bucket=bucket, Key="large")["ContentLength"] == 20 * 1024 * 1024)
    begun = s3.create_multipart_upload(Bucket=bucket, Key="never")["UploadId"]
    s3.abort_multipart_upload(Bucket=bucket, Key="never", UploadId=begun)
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix="shop/")["Contents"]]
    check("a listing by prefix", keys == ["shop/v1.zip", "shop/v2.zip"], keys)
    for key in ("a/b.txt", "large"):
        s3.delete_object(Bucket=bucket, Key=key)


# --- the services behind preview hostnames ------------------------------------

ZONE_PARAMETER, HOSTS_PARAMETER = "/shop/hosted-zone-id", "/shop/preview-hosts"


def lacking(value, shape, path):
    """What a parsed answer lacks although the model requires it."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                yield from lacking(value[name], member, f"{path}.{name}")
            elif name in shape.required_members:
                yield f"{path}.{name}"
    elif shape.type_name == "list":
        for one in value:
            yield from lacking(one, shape.member, f"{path}[]")


def whole(client, operation, **arguments):
    """An answer that has all that its model requires."""
    name = client.meta.method_to_api_mapping[operation]
    answer = getattr(client, operation)(**arguments)
    output = client.meta.service_model.operation_model(name).output_shape
    missing = list(lacking(answer, output, name))
    if missing:
        check(f"{name} holds against the model", False, "; ".join(missing))
    return answer


def change_of(name, action, ttl=60, **record):
    values = record.pop("values", None)
    if values:
        record.update(TTL=ttl, ResourceRecords=[{"Value": value} for value in values])
    return {"Action": action, "ResourceRecordSet": {"Name": name, **record}}


def with_route53(world):
    dns = world.route53
    zone = whole(dns, "list_hosted_zones_by_name", DNSName="shop.example")["HostedZones"][0]["Id"]
    check("the zone by its name", whole(dns, "get_hosted_zone", Id=zone)["HostedZone"]["Name"] == "shop.example.")
    check("the zones", [z["Id"] for z in whole(dns, "list_hosted_zones")["HostedZones"]] == [zone])

    def change(*changes):
        return whole(dns, "change_resource_record_sets", HostedZoneId=zone, ChangeBatch={"Changes": list(changes)})["ChangeInfo"]

    def records(**start):
        return whole(dns, "list_resource_record_sets", HostedZoneId=zone, **start)["ResourceRecordSets"]

    before = records()
    old = [r for r in before if r["Name"] == "preview.shop.example."]
    check("a seeded CNAME", [r["ResourceRecords"] for r in old] == [[{"Value": "parked.example.net"}]], old)
    begun = change(change_of("Preview.shop.example", "UPSERT", Type="CNAME", values=["blue.example"]))
    check("a change begins PENDING", begun["Status"] == "PENDING", begun)
    until("the change is in sync", lambda: whole(dns, "get_change", Id=begun["Id"])["ChangeInfo"]["Status"] == "INSYNC")
    dns.get_waiter("resource_record_sets_changed").wait(Id=begun["Id"], WaiterConfig={"Delay": 1})
    now = records(StartRecordName="preview.shop.example", MaxItems="1")[0]
    check("an upsert replaces", (now["TTL"], now["ResourceRecords"]) == (60, [{"Value": "blue.example"}]), now)
    for name, words, *changes in [
        ("a record is there", "it already exists", change_of("preview.shop.example", "CREATE", Type="CNAME", values=["x.example"])),
        ("a delete tells all of the record", "do not match the current values", change_of("preview.shop.example", "DELETE", Type="CNAME", values=["x.example"])),
        ("a missing record", "was not found", change_of("none.shop.example", "DELETE", Type="CNAME", values=["x.example"])),
        ("a CNAME stands alone", "conflicting RRSet of type CNAME", change_of("preview.shop.example", "UPSERT", Type="TXT", values=['"x"'])),
        ("a batch is all or nothing", "not permitted in zone", change_of("new.shop.example", "CREATE", Type="A", values=["192.0.2.1"]),
         change_of("new.other.example", "CREATE", Type="A", values=["192.0.2.1"])),
    ]:
        refusal(name, lambda: change(*changes), "InvalidChangeBatch", words)
    refusal("neither an alias nor values", lambda: change(change_of("a.shop.example", "UPSERT", Type="A")), "InvalidInput", "found none")
    refusal("a missing zone", lambda: dns.get_hosted_zone(Id="ZNOWHERE"), "NoSuchHostedZone", "ZNOWHERE")
    refusal("a missing change", lambda: dns.get_change(Id="CNOWHERE"), "NoSuchChange", "CNOWHERE")
    alias = {"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": "lb.example.", "EvaluateTargetHealth": True}
    change(change_of("preview.shop.example", "DELETE", Type="CNAME", values=["blue.example"]),
           change_of("preview.shop.example", "CREATE", Type="A", AliasTarget=alias))
    now = records(StartRecordName="preview.shop.example", MaxItems="1")[0]
    check("an alias takes a CNAME's place", now.get("AliasTarget") == alias, now)
    change(change_of("preview.shop.example", "DELETE", Type="A", AliasTarget=alias), {"Action": "CREATE", "ResourceRecordSet": old[0]})
    change(change_of("*.shop.example", "CREATE", Type="CNAME", values=["x.example"]))
    check("other characters are written in octal", any(r["Name"] == "\\052.shop.example." for r in records()))
    pages = list(dns.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone, PaginationConfig={"PageSize": 1}))
    check("the paginator of list_resource_record_sets", [r for p in pages for r in p["ResourceRecordSets"]] == records(), len(pages))
    change(change_of("*.shop.example", "DELETE", Type="CNAME", values=["x.example"]))
    check("the zone is as it was", records() == before, records())


def with_ssm(world):
    ssm = world.ssm
    found = whole(ssm, "get_parameters", Names=[ZONE_PARAMETER, "/nowhere", HOSTS_PARAMETER])
    values = {p["Name"]: p["Value"] for p in found["Parameters"]}
    check("parameters", values[HOSTS_PARAMETER] == '["preview.shop.example"]', found)
    check("those that are not there", found["InvalidParameters"] == ["/nowhere"], found)
    made = whole(ssm, "put_parameter", Name="/shop/secret", Value="s3cret", Type="SecureString")
    check("a parameter begins with version 1", made["Version"] == 1, made)
    secret = lambda **how: whole(ssm, "get_parameter", Name="/shop/secret", **how)["Parameter"]["Value"]
    check("a secret is told only where it is asked for", secret() != "s3cret" and secret(WithDecryption=True) == "s3cret")
    put = lambda **how: ssm.put_parameter(Name="/shop/secret", Value="other", Type="SecureString", **how)
    refusal("a parameter is there", put, "ParameterAlreadyExists", "overwrite")
    check("overwriting makes a version", put(Overwrite=True)["Version"] == 2)
    refusal("a missing parameter", lambda: ssm.get_parameter(Name="/nowhere"), "ParameterNotFound", "")


def with_cloudformation(world):
    stacks, eb = world.cloudformation, world.eb
    stack = f"awseb-{world.describe('shop-blue')['EnvironmentId']}-stack"
    protected = lambda: whole(stacks, "describe_stacks", StackName=stack)["Stacks"][0]["EnableTerminationProtection"]
    check("a stack is not protected", protected() is False)
    whole(stacks, "update_termination_protection", StackName=stack, EnableTerminationProtection=True)
    check("a stack is protected", protected() is True)
    ended = eb.terminate_environment(EnvironmentName="shop-blue")
    check("a termination is taken", ended["Status"] == "Terminating", ended)
    world.ready("shop-blue")
    errors = [e["Message"] for e in eb.describe_events(EnvironmentName="shop-blue", Severity="ERROR")["Events"]]
    check("and fails", "cannot be deleted while TerminationProtection is enabled" in errors[0], errors)
    stacks.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    pages = list(stacks.get_paginator("describe_stacks").paginate())
    check("every environment has a stack", sum(len(p["Stacks"]) for p in pages) == 2, pages)
    refusal("a missing stack", lambda: stacks.describe_stacks(StackName="nowhere"), "ValidationError", "Stack with id nowhere does not exist")


# --- the command lines -------------------------------------------------------


def with_the_aws_cli(world):
    def aws(name, *arguments, fails=False, words=""):
        code, text = world.run("aws", *arguments)
        check(f"aws: {name}", (code != 0) == fails and words in text, f"exit {code}: {text}")

    eb = "elasticbeanstalk"
    aws("describe-environments", eb, "describe-environments", "--no-include-deleted", words="shop-blue")
    aws("events, paged", eb, "describe-events", "--page-size", "2", "--max-items", "5", words="EventDate")
    aws("a template", eb, "create-configuration-template", "--application-name", "shop", "--template-name", "c",
        "--environment-id", world.describe("shop-blue")["EnvironmentId"])
    aws("clone", eb, "create-environment", "--application-name", "shop", "--environment-name", "shop-cli",
        "--template-name", "c", "--version-label", "v1", words="Launching")
    world.ready("shop-cli")
    aws("deploy", eb, "update-environment", "--environment-name", "shop-cli", "--version-label", "v2", words="Updating")
    world.ready("shop-cli")
    aws("swap", eb, "swap-environment-cnames", "--source-environment-name", "shop-blue", "--destination-environment-name", "shop-cli")
    world.ready("shop-cli")
    aws("swap back", eb, "swap-environment-cnames", "--source-environment-name", "shop-blue", "--destination-environment-name", "shop-cli")
    world.ready("shop-cli")
    aws("terminate", eb, "terminate-environment", "--environment-name", "shop-cli", words="Terminating")
    aws("an error", eb, "terminate-environment", "--environment-name", "nowhere", fails=True, words="No Environment found")
    aws("delete the template", eb, "delete-configuration-template", "--application-name", "shop", "--template-name", "c")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "f").write_bytes(os.urandom(9 * 1024 * 1024))
        aws("s3 cp up", "s3", "cp", f"{folder}/f", "s3://shop-artifacts/f", "--no-progress")
        aws("s3 cp down", "s3", "cp", "s3://shop-artifacts/f", f"{folder}/g", "--no-progress")
        check("aws: the same bytes", Path(folder, "f").read_bytes() == Path(folder, "g").read_bytes())
        aws("s3 rm", "s3", "rm", "s3://shop-artifacts/f")
    until("shop-cli is gone", lambda: world.describe("shop-cli") is None)


def with_the_eb_cli(world, folder):
    Path(folder, ".elasticbeanstalk").mkdir()
    Path(folder, ".elasticbeanstalk", "config.yml").write_text(
        "branch-defaults:\n  default:\n    environment: shop-blue\n"
        "global:\n  application_name: shop\n  default_region: us-east-1\n"
        "  sc: null\n  workspace_type: Application\n")

    def eb(*arguments, words=""):
        code, text = world.run("eb", *arguments, "--endpoint-url", world.url, cwd=folder)
        check(f"eb {' '.join(arguments)}", code == 0 and words in text and "ERROR" not in text, f"exit {code}: {text}")

    eb("list", words="shop-blue")
    eb("status", "shop-blue", words="Status: Ready")
    eb("clone", "shop-blue", "-n", "shop-two", "--timeout", "5", words="Successfully launched environment: shop-two")
    world.ready("shop-two")
    eb("swap", "shop-blue", "-n", "shop-two", words="Completed swapping CNAMEs")
    eb("deploy", "shop-two", "--version", "v1", words="Environment update completed successfully.")
    world.ready("shop-two")
    eb("swap", "shop-two", "-n", "shop-blue", words="Completed swapping CNAMEs")
    eb("events", "shop-two", words="createEnvironment is starting.")
    eb("health", "shop-blue", words="Deployed")
    eb("terminate", "shop-two", "--force", words="terminateEnvironment completed successfully.")


def abort_with_the_eb_cli(world, folder):
    """At a slower clock: the EB CLI takes a second to start."""
    world.eb.update_environment(EnvironmentName="shop-blue", VersionLabel="v2")
    code, text = world.run("eb", "abort", "shop-blue", "--endpoint-url", world.url, cwd=folder)
    check("eb abort shop-blue", code == 0 and "ERROR" not in text, f"exit {code}: {text}")
    world.ready("shop-blue")
    check("eb abort left the old version", world.describe("shop-blue")["VersionLabel"] == "v1")


@contextlib.contextmanager
def moto_and_clients():
    """moto's server, and a function that makes clients of it."""
    with moto() as server:
        def client(service):
            return boto3.client(
                service, endpoint_url=server.url, region_name="us-east-1",
                aws_access_key_id="a", aws_secret_access_key="b")

        def answers():
            try:
                return client("s3").list_buckets()
            except botocore.exceptions.EndpointConnectionError:
                return False

        until("moto answers", answers)
        yield server, client


# Of the tests of either ring, those that another server can play to their end.
BUCKET = [f"bucket::{test}" for test in [
    "a_lease_is_given_back_whatever_was_written_into_it_meanwhile",
    "a_lease_is_taken_over_once_it_is_silent_and_its_holder_is_fenced_off",
    "a_renewed_lease_is_left_alone",
    "a_write_takes_place_under_its_condition_only",
    "objects_that_cannot_be_read_are_refused_and_left_alone",
    "one_of_many_contenders_gets_the_lease_and_the_fence_grows",
    "the_fence_grows_also_where_the_lease_was_removed",
    "the_later_copy_wins_and_the_target_is_busy_until_it_ends",
    "word_to_go_back_reaches_the_holder_with_a_renewal",
]]
SERVICES = [f"services::{test}" for test in [
    "a_hostname_that_had_addresses_is_pointed_and_put_back",
    "a_preview_is_planned_from_parameters_and_what_the_zone_holds",
    "a_zone_that_is_not_there_is_told_by_its_id",
    "records_that_lead_past_the_cname_are_found_on_every_page",
    "the_protection_of_a_stack_is_read",
]]


def state_in_the_bucket_of_moto():
    """The tests of the state in the bucket, against a second S3."""
    with moto_and_clients() as (server, client):
        client("s3").create_bucket(Bucket="shop-artifacts")
        rings_against(server, check, "on moto's S3", BUCKET, BLUEGREEN_TEST_S3=server.url)
        there = client("s3").list_objects_v2(Bucket="shop-artifacts", Prefix="bluegreen/")
        keys = [found["Key"] for found in there.get("Contents", [])]
        for kind in ["bluegreen/deployments/", "bluegreen/leases/"]:
            check(f"moto's bucket holds {kind}", any(key.startswith(kind) for key in keys), keys)


def services_of_moto():
    """The tests of Route 53, SSM and CloudFormation, against a second implementation."""
    with moto_and_clients() as (server, client):
        dns, ssm, stacks = client("route53"), client("ssm"), client("cloudformation")
        zone = dns.create_hosted_zone(Name="shop.example", CallerReference="seed")["HostedZone"]["Id"]
        # Upserted: moto refuses to create again what was once created.
        seeds = [
            change_of("preview.shop.example", "UPSERT", ttl=300, Type="CNAME", values=["parked.example.net"]),
            change_of("www.shop.example", "UPSERT", ttl=300, Type="CNAME", values=["shop.us-east-1.elasticbeanstalk.com"]),
            change_of("kept.shop.example", "UPSERT", ttl=17, Type="A", values=["192.0.2.1", "192.0.2.2"]),
            change_of("kept.shop.example", "UPSERT", Type="TXT", values=['"a & b"']),
        ]
        dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": seeds})
        ssm.put_parameter(Name=ZONE_PARAMETER, Value=zone.removeprefix("/hostedzone/"), Type="String")
        ssm.put_parameter(Name=HOSTS_PARAMETER, Value="preview.shop.example", Type="StringList")
        topic = '{"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}'
        for environment, protected in [("e-protected", True), ("e-open", False)]:
            stacks.create_stack(StackName=f"awseb-{environment}-stack", TemplateBody=topic, EnableTerminationProtection=protected)
        rings_against(server, check, "on moto's Route 53, SSM and CloudFormation", SERVICES, BLUEGREEN_TEST_MOTO=server.url)


@contextlib.contextmanager
def sandbox(speed, *arguments):
    server = subprocess.Popen(
        [sys.argv[1], "sandbox", "--listen", "127.0.0.1:0", "--speed", str(speed), *arguments],
        stdout=subprocess.PIPE, text=True)
    try:
        yield World(re.search(r"http://[\d.]+:\d+", server.stdout.readline()).group())
    finally:
        server.terminate()
        server.wait(10)


def main():
    with tempfile.TemporaryDirectory() as folder, sandbox(600) as fast, sandbox(20) as slow:
        for name, part in [
            ("boto3", lambda: with_boto3(fast)),
            ("S3", lambda: with_s3(fast)),
            ("Route 53", lambda: with_route53(fast)),
            ("SSM", lambda: with_ssm(fast)),
            ("CloudFormation", lambda: with_cloudformation(fast)),
            ("the AWS CLI", lambda: with_the_aws_cli(fast)),
            ("the EB CLI", lambda: with_the_eb_cli(fast, folder)),
            ("eb abort", lambda: abort_with_the_eb_cli(slow, folder)),
            ("moto's S3", state_in_the_bucket_of_moto),
            ("moto's Route 53, SSM and CloudFormation", services_of_moto),
        ]:
            try:
                part()
            except Exception:
                traceback.print_exc()
                check(f"{name} runs to its end", False, "see above")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
