"""CloudWatch, Elastic Load Balancing and policies: the sandbox with boto3 and the AWS
CLI, and the program against moto's server.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import botocore.exceptions
from botocore.config import Config

from rings import alarms_in_cbor, moto, rings_against

BIN = Path(sys.executable).parent
passed = failed = 0


def check(name, holds, detail=""):
    global passed, failed
    passed, failed = passed + bool(holds), failed + (not holds)
    print(f"{'ok    ' if holds else 'FAILED'} {name}{'' if holds else f': {detail}'}", flush=True)


def refusal(name, call, code, words=""):
    try:
        call()
        check(name, False, "it was not refused")
    except botocore.exceptions.ClientError as error:
        got = error.response["Error"]
        check(name, got["Code"] == code and words in got.get("Message", ""), got)


def until(what, condition, seconds=30):
    for _ in range(seconds * 5):
        if condition():
            return
        time.sleep(0.2)
    raise TimeoutError(what)


def client(url, service):
    plain = Config(retries={"max_attempts": 1})
    return boto3.client(service, endpoint_url=url, region_name="us-east-1",
                        aws_access_key_id="a", aws_secret_access_key="b", config=plain)


# --- CloudWatch ---------------------------------------------------------------

LATENCY = dict(
    MetricName="Latency", Namespace="Shop", Statistic="Average", Period=60,
    EvaluationPeriods=2, Threshold=0.5, ComparisonOperator="GreaterThanThreshold")
BOTH = ["MetricAlarm", "CompositeAlarm"]


def with_alarms(url):
    watch = client(url, "cloudwatch")
    watch.put_metric_alarm(AlarmName="latency", **LATENCY)
    made = watch.describe_alarms(AlarmNames=["latency"])["MetricAlarms"][0]
    check("an alarm begins without data", made["StateValue"] == "INSUFFICIENT_DATA", made)
    check("an alarm is as it was made", all(made[k] == v for k, v in LATENCY.items()), made)
    watch.set_alarm_state(AlarmName="latency", StateValue="ALARM", StateReason="too slow")
    told = watch.describe_alarms(AlarmNames=["latency"])["MetricAlarms"][0]
    check("its state is set", (told["StateValue"], told["StateReason"]) == ("ALARM", "too slow"), told)
    check("moments are moments", told["StateUpdatedTimestamp"].year > 2000, told)
    watch.put_metric_alarm(AlarmName="latency", **{**LATENCY, "Threshold": 1.5})
    told = watch.describe_alarms(AlarmNames=["latency"])["MetricAlarms"][0]
    check("a new definition keeps its state", (told["StateValue"], told["Threshold"]) == ("ALARM", 1.5), told)
    watch.put_composite_alarm(AlarmName="shop", AlarmRule='ALARM("latency")')
    names = lambda **which: [a["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms")
                             for a in watch.describe_alarms(**which).get(kind, [])]
    check("without a type only metric alarms", names() == ["latency"], names())
    check("composite alarms where asked for", names(AlarmTypes=BOTH) == ["latency", "shop"], names(AlarmTypes=BOTH))
    check("by prefix", names(AlarmTypes=BOTH, AlarmNamePrefix="sh") == ["shop"])
    check("by state", names(StateValue="OK") == [])
    check("unknown names are left out", names(AlarmNames=["nowhere"]) == [])
    pages = list(watch.get_paginator("describe_alarms").paginate(AlarmTypes=BOTH, PaginationConfig={"PageSize": 1}))
    check("the paginator of describe_alarms", len(pages) == 2, pages)
    refusal("an unknown alarm", lambda: watch.set_alarm_state(AlarmName="none", StateValue="OK", StateReason="r"), "ResourceNotFound")
    refusal("a name of another type", lambda: watch.put_metric_alarm(AlarmName="shop", **LATENCY), "ValidationError", "another type")
    refusal("a condition is missing", lambda: watch.put_metric_alarm(AlarmName="x", MetricName="m"), "MissingParameter", "ComparisonOperator")
    refusal("names and a prefix", lambda: watch.describe_alarms(AlarmNames=["a"], AlarmNamePrefix="b"), "InvalidParameterCombination")
    watch.delete_alarms(AlarmNames=["shop"])
    check("a deleted alarm is gone", names(AlarmTypes=BOTH) == ["latency"])


def ask(url, body, **headers):
    """A request that boto3 does not write any more."""
    headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=a/20300101/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0"
    request = urllib.request.Request(url, body.encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def with_older_protocols(url):
    plain = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    status, text = ask(url, "Action=DescribeAlarms&AlarmNames.member.1=latency&Version=2010-08-01", **plain)
    check("Query", status == 200 and "<MetricAlarms><member>" in text and "<StateValue>ALARM</StateValue>" in text, text)
    stamp = re.search(r"<StateUpdatedTimestamp>(.*?)</", text)
    check("Query writes moments as dates", stamp and stamp.group(1).endswith("Z"), text)
    status, text = ask(url, "Action=SetAlarmState&AlarmName=none&StateValue=OK&StateReason=r", **plain)
    check("an error in Query", status == 404 and "<Code>ResourceNotFound</Code>" in text, text)
    target = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "GraniteServiceVersion20100801.DescribeAlarms"}
    status, text = ask(url, json.dumps({"AlarmNames": ["latency"]}), **target)
    check("JSON", status == 200 and json.loads(text)["MetricAlarms"][0]["StateValue"] == "ALARM", text)
    status, text = ask(url, "{", **target)
    check("broken JSON is refused", status == 400 and "SerializationException" in text, text)


# --- Elastic Load Balancing ----------------------------------------------------


def with_rules(url):
    elb, eb = client(url, "elbv2"), client(url, "elasticbeanstalk")
    balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    setting = lambda namespace, name, value: dict(Namespace=namespace, OptionName=name, Value=value)
    shared = [
        setting("aws:elasticbeanstalk:environment", "LoadBalancerIsShared", "true"),
        setting("aws:elbv2:loadbalancer", "SharedLoadBalancer", balancer),
    ]
    stack = eb.list_available_solution_stacks()["SolutionStacks"][0]
    for name in ("rule-a", "rule-b"):
        eb.create_environment(ApplicationName="shop", EnvironmentName=name, VersionLabel="v1",
                              SolutionStackName=stack, OptionSettings=shared)

    def state(name):
        found = eb.describe_environments(EnvironmentNames=[name], IncludeDeleted=False)["Environments"]
        return found[0]["Status"] if found else None

    until("both are Ready", lambda: state("rule-a") == state("rule-b") == "Ready")
    groups = [g["TargetGroupArn"] for g in elb.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"]]
    tags = elb.describe_tags(ResourceArns=groups)["TagDescriptions"]
    owner = {t["Value"]: d["ResourceArn"] for d in tags for t in d["Tags"] if t["Key"] == "elasticbeanstalk:environment-name"}
    check("each environment has a target group", set(owner) == {"rule-a", "rule-b"}, owner)
    listener = elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"]
    rules = lambda **how: elb.describe_rules(ListenerArn=listener, **how)["Rules"]
    check("and a rule, before the default one", len(rules()) == 3 and rules()[-1]["IsDefault"], rules())
    host = [{"Field": "host-header", "Values": ["www.shop.example"]}]
    to = lambda *names: [{"Type": "forward", "ForwardConfig": {"TargetGroups": [
        {"TargetGroupArn": owner[name], "Weight": 10 + at} for at, name in enumerate(names)]}}]
    make = lambda priority, actions: elb.create_rule(
        ListenerArn=listener, Priority=priority, Conditions=host, Actions=actions,
        Tags=[{"Key": "bluegreen:follow", "Value": "production"}])["Rules"][0]
    made = make(100, to("rule-a"))
    rule = made["RuleArn"]
    check("one target is told in both forms", made["Actions"][0]["TargetGroupArn"] == owner["rule-a"], made)
    check("a host is told in both forms", made["Conditions"][0]["HostHeaderConfig"]["Values"] == ["www.shop.example"], made)
    check("its tags", elb.describe_tags(ResourceArns=[rule])["TagDescriptions"][0]["Tags"] == [{"Key": "bluegreen:follow", "Value": "production"}])
    refusal("a priority in use", lambda: make(100, to("rule-a")), "PriorityInUse")
    both = elb.modify_rule(RuleArn=rule, Actions=to("rule-a", "rule-b"))["Rules"][0]["Actions"][0]
    weights = [g["Weight"] for g in both["ForwardConfig"]["TargetGroups"]]
    check("weights", weights == [10, 11] and "TargetGroupArn" not in both, both)
    moved = elb.modify_rule(RuleArn=rule, Actions=to("rule-b"))["Rules"][0]
    check("a rule is pointed elsewhere, its conditions stay", moved["Actions"][0]["TargetGroupArn"] == owner["rule-b"] and moved["Conditions"] == made["Conditions"], moved)
    gone = [{"Type": "forward", "TargetGroupArn": owner["rule-a"] + "0"}]
    refusal("an unknown target group", lambda: elb.modify_rule(RuleArn=rule, Actions=gone), "TargetGroupNotFound")
    refusal("an unknown rule", lambda: elb.modify_rule(RuleArn=rule + "0", Actions=to("rule-a")), "RuleNotFound")
    refusal("the default rule", lambda: elb.modify_rule(RuleArn=rules()[-1]["RuleArn"], Actions=to("rule-a")), "OperationNotPermitted", "cannot be modified")
    refusal("nothing to modify", lambda: elb.modify_rule(RuleArn=rule), "ValidationError")
    refusal("no routing action", lambda: elb.modify_rule(RuleArn=rule, Actions=[]), "InvalidLoadBalancerAction")
    refusal("neither listener nor rules", lambda: elb.describe_rules(), "ValidationError", "must be specified")
    pages = list(elb.get_paginator("describe_rules").paginate(ListenerArn=listener, PaginationConfig={"PageSize": 1}))
    check("the paginator of describe_rules", len(pages) == 4, pages)
    eb.terminate_environment(EnvironmentName="rule-b")
    until("the termination has ended", lambda: state("rule-b") != "Terminating")
    check("a target group in use keeps its environment", state("rule-b") == "Ready", state("rule-b"))
    elb.delete_rule(RuleArn=rule)
    for name in owner:
        eb.terminate_environment(EnvironmentName=name)
        until(f"{name} is gone", lambda: state(name) is None)
    check("their rules are gone", len(rules()) == 1, rules())


# --- the AWS CLI ----------------------------------------------------------------


def with_the_aws_cli(url):
    environment = dict(
        os.environ, AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b",
        AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1", NO_PROXY="127.0.0.1", PYTHONWARNINGS="ignore", AWS_PAGER="")

    def aws(name, *arguments, words):
        done = subprocess.run([BIN / "aws", *arguments], env=environment, capture_output=True, text=True, timeout=120)
        check(f"aws: {name}", done.returncode == 0 and words in done.stdout, done.stdout + done.stderr)

    aws("describe-alarms", "cloudwatch", "describe-alarms", "--alarm-names", "latency", words="too slow")
    aws("set-alarm-state", "cloudwatch", "set-alarm-state", "--alarm-name", "latency", "--state-value", "OK", "--state-reason", "r", words="")
    aws("describe-load-balancers", "elbv2", "describe-load-balancers", words="shop-shared")


# --- policies -------------------------------------------------------------------


def with_a_policy():
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["elasticbeanstalk:Describe*", "s3:List*"], "Resource": "*"}]}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "policy.json")
        file.write_text(json.dumps(policy))
        with sandbox("--policy", str(file)) as url:
            eb, s3, watch = (client(url, name) for name in ("elasticbeanstalk", "s3", "cloudwatch"))
            check("what is allowed", len(eb.describe_environments()["Environments"]) == 2)
            who = "User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform: "
            refusal("Elastic Beanstalk denies", lambda: eb.terminate_environment(EnvironmentName="shop-blue"), "AccessDenied", who)
            refusal("S3 denies", lambda: s3.get_object(Bucket="shop-artifacts", Key="shop/v1.zip"), "AccessDenied", who)
            refusal("CloudWatch denies", lambda: watch.describe_alarms(), "AccessDenied", who)
            refusal("Elastic Load Balancing denies", lambda: client(url, "elbv2").describe_load_balancers(), "AccessDenied", who)
            check("who asks may always be asked", client(url, "sts").get_caller_identity()["Account"] == "123456789012")
        file.write_text('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*"}]}')
        refused = subprocess.run([sys.argv[1], "sandbox", "--policy", file], capture_output=True, text=True)
        check("a policy that cannot be used is refused", refused.returncode == 3 and "Statement[0]" in refused.stderr, refused)


# --- moto -----------------------------------------------------------------------


def told(url):
    """What is told of an alarm that is made and set anew."""
    watch = client(url, "cloudwatch")
    watch.put_metric_alarm(AlarmName="twice", **LATENCY)
    watch.set_alarm_state(AlarmName="twice", StateValue="OK", StateReason="calm")
    alarm = watch.describe_alarms(AlarmNames=["twice"])["MetricAlarms"][0]
    return {name: alarm.get(name) for name in ("AlarmName", "AlarmArn", "StateValue", "StateReason", *LATENCY)}


def on_moto(ours):
    """The program's clients of CloudWatch and of load balancers against moto's."""
    with moto() as server:
        url = server.url
        watch, elb, ec2 = (client(url, name) for name in ("cloudwatch", "elbv2", "ec2"))

        def answers():
            try:
                return watch.describe_alarms()
            except botocore.exceptions.EndpointConnectionError:
                return False

        until("moto answers", answers)
        check("moto and the sandbox tell the same of an alarm", told(url) == told(ours), (told(url), told(ours)))
        subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"][:2]]
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        balancer = elb.create_load_balancer(Name="shared", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
        nothing = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
        listener = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=nothing)["Listeners"][0]["ListenerArn"]
        for at, (name, follow) in enumerate([("e-blue", "production"), ("e-green", "staging")]):
            group = elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc, Tags=[
                {"Key": "elasticbeanstalk:environment-id", "Value": name},
                {"Key": "aws:cloudformation:logical-id", "Value": "AWSEBV2LoadBalancerTargetGroup"},
            ])["TargetGroups"][0]["TargetGroupArn"]
            elb.create_rule(
                ListenerArn=listener, Priority=at + 1, Actions=[{"Type": "forward", "TargetGroupArn": group}],
                Conditions=[{"Field": "host-header", "Values": [f"{follow}.example"]}],
                Tags=[{"Key": "bluegreen:follow", "Value": follow}])
        rings_against(
            server, check, "rules follow on moto", ["rules::rules_follow_over_the_wire"],
            BLUEGREEN_TEST_AWS=url, BLUEGREEN_TEST_BALANCER=balancer)
        for name, state in [("latency", "OK"), ("errors", "ALARM")]:
            watch.put_metric_alarm(AlarmName=name, **LATENCY)
            watch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="set by the test")
        with alarms_in_cbor(watch) as bridge:
            rings_against(
                server, check, "alarms are told on moto", ["alarms::alarms_are_told_over_the_wire"],
                BLUEGREEN_TEST_CLOUDWATCH=bridge)


@contextlib.contextmanager
def sandbox(*arguments):
    server = subprocess.Popen(
        [sys.argv[1], "sandbox", "--listen", "127.0.0.1:0", "--speed", "600", *arguments],
        stdout=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://[\d.]+:\d+", server.stdout.readline()).group()
    finally:
        server.terminate()
        server.wait(10)


def main():
    with sandbox() as url:
        for name, part in [
            ("CloudWatch", lambda: with_alarms(url)),
            ("CloudWatch's older protocols", lambda: with_older_protocols(url)),
            ("Elastic Load Balancing", lambda: with_rules(url)),
            ("the AWS CLI", lambda: with_the_aws_cli(url)),
            ("policies", with_a_policy),
            ("moto", lambda: on_moto(url)),
        ]:
            try:
                part()
            except Exception:
                traceback.print_exc()
                check(f"{name} runs to its end", False, "see above")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
