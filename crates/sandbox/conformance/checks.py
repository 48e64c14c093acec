"""What a release is checked for: managed actions, platforms, quotas, CNAMEs, resources, who
asks and what he may do. The sandbox with boto3 and the AWS CLI, every answer held against
botocore's models.
"""

import datetime
import json
import sys
import tempfile
import traceback
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config

import conformance
from conformance import World, answers_checked, check, hold_against_model, refusal, sandbox, until

USER = "arn:aws:iam::123456789012:user/sandbox"
BLUE = "arn:aws:elasticbeanstalk:us-east-1:123456789012:environment/shop/shop-blue"


def client(world, service):
    """A client of any protocol."""
    plain = Config(retries={"max_attempts": 1})
    return boto3.client(service, endpoint_url=world.url, region_name="us-east-1",
                        aws_access_key_id="a", aws_secret_access_key="b", config=plain)


def held(world, service):
    """A client of the Query protocol whose answers are held against its model."""
    made = client(world, service)
    hold_against_model(made)
    return made


def inject(world, **fault):
    request = urllib.request.Request(f"{world.url}/_sandbox/faults", json.dumps(fault).encode())
    urllib.request.urlopen(request).read()


def clear(world):
    urllib.request.urlopen(urllib.request.Request(f"{world.url}/_sandbox/faults", method="DELETE")).read()


def launch(world, **how):
    stack = "64bit Amazon Linux 2023 v4.3.0 running Node.js 20"
    return world.eb.create_environment(
        ApplicationName="shop", EnvironmentName="shop-two", VersionLabel="v1", SolutionStackName=stack, **how)


def with_managed_actions(world):
    eb = world.eb
    actions = lambda **how: eb.describe_environment_managed_actions(EnvironmentName="shop-blue", **how)["ManagedActions"]
    check("no managed action", actions() == [], actions())
    inject(world, fault="managed_action_due", environment="shop-blue", seconds=3600)
    action = actions()[0]
    check("a managed action is scheduled", (action["ActionType"], action["Status"]) == ("PlatformUpdate", "Scheduled"), action)
    ahead = action["WindowStartTime"] - datetime.datetime.now(datetime.timezone.utc)
    check("its window is a moment", ahead < datetime.timedelta(days=1000), ahead)
    check("by status", len(actions(Status="Scheduled")) == 1 and actions(Status="Running") == [])
    until("it runs", lambda: actions(Status="Running"))
    check("its environment is busy", world.describe("shop-blue")["Status"] == "Updating")
    until("it is over", lambda: actions() == [])
    history = eb.describe_environment_managed_action_history(EnvironmentName="shop-blue")["ManagedActionHistoryItems"]
    check("its history", history[0]["Status"] == "Completed" and history[0]["FinishedTime"] > history[0]["ExecutedTime"], history)
    world.ready("shop-blue")
    refusal("of an unknown environment", lambda: eb.describe_environment_managed_actions(EnvironmentName="shop-none"),
            "InvalidParameterValue", "No Environment found")


def with_platforms(world):
    eb = world.eb
    arn = world.describe("shop-blue")["PlatformArn"]
    told = lambda: eb.describe_platform_version(PlatformArn=arn)["PlatformDescription"]
    state = lambda: (told()["PlatformBranchLifecycleState"], told().get("PlatformLifecycleState"))
    check("a supported branch", state() == ("Supported", "Recommended"), told())
    inject(world, fault="platform_branch", state="Retired")
    check("a retired branch", state() == ("Retired", None), told())
    branches = eb.list_platform_branches()["PlatformBranchSummaryList"]
    check("told by its list too", branches[0]["LifecycleState"] == "Retired", branches)
    check("its stack is not offered", eb.list_available_solution_stacks()["SolutionStacks"] == [])
    eb.list_platform_versions()
    refusal("nothing is made on it", lambda: launch(world), "InvalidParameterValue", "No Solution Stack named")
    clear(world)
    refusal("an unknown platform", lambda: eb.describe_platform_version(PlatformArn=arn + "0"), "InvalidParameterValue", "No Platform")


def with_quotas(world):
    eb = world.eb
    most = lambda name: eb.describe_account_attributes()["ResourceQuotas"][name]["Maximum"]
    check("quotas", (most("EnvironmentQuota"), most("ConfigurationTemplateQuota")) == (200, 2000))
    for of, maximum in [("environments", 2), ("templates", 0), ("applications", 1), ("versions", 2)]:
        inject(world, fault="quota", of=of, maximum=maximum)
    check("a lower quota", most("EnvironmentQuota") == 2)
    blue = world.describe("shop-blue")["EnvironmentId"]
    for name, call, code in [
        ("environments", lambda: launch(world), "TooManyEnvironmentsException"),
        ("templates", lambda: eb.create_configuration_template(ApplicationName="shop", TemplateName="t", EnvironmentId=blue),
         "TooManyConfigurationTemplatesException"),
        ("applications", lambda: eb.create_application(ApplicationName="other"), "TooManyApplicationsException"),
        ("versions", lambda: eb.create_application_version(ApplicationName="shop", VersionLabel="v9"),
         "TooManyApplicationVersionsException"),
    ]:
        refusal(f"too many {name}", call, code, "limit")
    clear(world)


def with_cnames(world):
    free = lambda prefix: world.eb.check_dns_availability(CNAMEPrefix=prefix)
    told = free("shop-two")
    check("a free CNAME", told["Available"] and told["FullyQualifiedCNAME"] == "shop-two.us-east-1.elasticbeanstalk.com", told)
    check("production's own", free("shop")["Available"] is False)
    inject(world, fault="cname_taken", prefix="shop-two")
    check("somebody else's", free("shop-two")["Available"] is False)
    refusal("it cannot be had", lambda: launch(world, CNAMEPrefix="shop-two"), "InvalidParameterValue", "is not available")
    clear(world)


def with_neighbours(world):
    """What describes the resources of environments in other services, each answer held against its model."""
    found = world.eb.describe_environment_resources(EnvironmentName="shop-blue")["EnvironmentResources"]
    balancer, group = found["LoadBalancers"][0]["Name"], found["AutoScalingGroups"][0]["Name"]
    instances = sorted(instance["Id"] for instance in found["Instances"])
    elb = held(world, "elbv2")
    target = elb.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"][0]["TargetGroupArn"]
    health = elb.describe_target_health(TargetGroupArn=target)["TargetHealthDescriptions"]
    told = sorted((one["Target"]["Id"], one["TargetHealth"]["State"]) for one in health)
    check("healthy targets", told == [(one, "healthy") for one in instances], told)
    elb.describe_load_balancer_attributes(LoadBalancerArn=balancer)
    elb.describe_target_group_attributes(TargetGroupArn=target)
    check("no classic one", held(world, "elb").describe_load_balancers()["LoadBalancerDescriptions"] == [])
    scaling = held(world, "autoscaling")
    told = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    check("the group", sorted(one["InstanceId"] for one in told[0]["Instances"]) == instances, told)
    scaling.describe_launch_configurations()
    scaling.describe_policies()
    scaling.describe_tags()
    ec2 = client(world, "ec2")
    named = [{"Name": "tag:elasticbeanstalk:environment-name", "Values": ["shop-blue"]}]
    told = [one for many in ec2.describe_instances(Filters=named)["Reservations"] for one in many["Instances"]]
    check("the instances", sorted(one["InstanceId"] for one in told) == instances, told)
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    check("subnets", len(ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]) == 3)
    worker = world.eb.describe_environment_resources(EnvironmentName="shop-worker")["EnvironmentResources"]
    sqs = client(world, "sqs")
    told = [sqs.get_queue_attributes(QueueUrl=q["URL"], AttributeNames=["All"])["Attributes"] for q in worker["Queues"]]
    check("queues", len(told) == 2 and told[0]["ApproximateNumberOfMessages"] == "0", told)
    profiles = held(world, "iam").list_instance_profiles()["InstanceProfiles"]
    check("the instance profile", profiles[0]["Roles"][0]["RoleName"] == "aws-elasticbeanstalk-ec2-role", profiles)
    for service, call, code in [
        ("rds", "describe_db_instances", "InvalidAction"),
        ("kms", "list_keys", "UnknownOperationException"),
        ("lambda", "list_functions", "UnknownOperationException"),
        ("codebuild", "list_projects", "UnknownOperationException"),
        ("cloudfront", "list_distributions", "InvalidAction"),
    ]:
        refusal(f"no {service}", getattr(client(world, service), call), code, f"does not offer the service {service}")


def with_resources(world):
    eb = world.eb
    resources = lambda: eb.describe_environment_resources(EnvironmentName="shop-blue")["EnvironmentResources"]
    options = lambda: {(s["Namespace"], s["OptionName"]): s.get("Value") for s in eb.describe_configuration_settings(
        ApplicationName="shop", EnvironmentName="shop-blue")["ConfigurationSettings"][0]["OptionSettings"]}
    worker = eb.describe_environment_resources(EnvironmentName="shop-worker")["EnvironmentResources"]
    queues = [queue["Name"] for queue in worker["Queues"]]
    check("a worker's queues", (worker["LoadBalancers"], queues) == ([], ["WorkerQueue", "WorkerDeadLetterQueue"]), worker)
    check("a load balancer of its own", "loadbalancer/app/awseb-" in resources()["LoadBalancers"][0]["Name"], resources())
    inject(world, fault="shared_balancer", environment="shop-blue")
    check("a shared one", "loadbalancer/app/shop-shared" in resources()["LoadBalancers"][0]["Name"], resources())
    inject(world, fault="coupled_database", environment="shop-blue")
    check("a coupled database", options()["aws:rds:dbinstance", "HasCoupledDatabase"] == "true", options())
    inject(world, fault="single_instance", environment="shop-blue")
    one = resources()
    check("a single instance", (len(one["Instances"]), one["LoadBalancers"]) == (1, []), one)
    inject(world, fault="protected_stack", environment="shop-blue")
    stack = f"awseb-{world.describe('shop-blue')['EnvironmentId']}-stack"
    stacks = world.cloudformation.describe_stacks(StackName=stack)["Stacks"]
    check("a protected stack", stacks[0]["EnableTerminationProtection"], stacks)


def with_permissions(world):
    iam, sts = held(world, "iam"), held(world, "sts")
    check("who asks", sts.get_caller_identity()["Arn"] == USER)

    def simulate(*actions, **how):
        told = iam.simulate_principal_policy(PolicySourceArn=USER, ActionNames=actions, **how)
        return told["EvaluationResults"]

    result = simulate("elasticbeanstalk:UpdateEnvironment", "elasticbeanstalk:TerminateEnvironment", ResourceArns=[BLUE])
    check("decisions", [r["EvalDecision"] for r in result] == ["allowed", "explicitDeny"], result)
    other = BLUE.replace("shop-blue", "other")
    result = simulate("elasticbeanstalk:UpdateEnvironment", ResourceArns=[BLUE, other])[0]
    specific = {r["EvalResourceName"]: r["EvalResourceDecision"] for r in result["ResourceSpecificResults"]}
    check("of each resource", specific == {BLUE: "allowed", other: "implicitDeny"}, result)
    check("of all together the worst", result["EvalDecision"] == "implicitDeny", result)
    role = dict(ResourceArns=["arn:aws:iam::123456789012:role/r"])
    result = simulate("iam:PassRole", **role)[0]["ResourceSpecificResults"][0]
    check("a key that is missing", (result["EvalResourceDecision"], result["MissingContextValues"]) == ("implicitDeny", ["iam:passedtoservice"]), result)
    entry = dict(ContextKeyName="iam:PassedToService", ContextKeyType="string", ContextKeyValues=["ec2.amazonaws.com"])
    check("and one that is given", simulate("iam:PassRole", ContextEntries=[entry], **role)[0]["EvalDecision"] == "allowed")
    actions = [f"ec2:Action{n}" for n in range(5)]
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=USER, ActionNames=actions, PaginationConfig={"PageSize": 2})
    names = [[r["EvalActionName"] for r in page["EvaluationResults"]] for page in pages]
    check("the paginator of simulate_principal_policy", names == [actions[:2], actions[2:4], actions[4:]], names)
    session = "arn:aws:sts::123456789012:assumed-role/releases/me"
    ask = lambda arn: iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["s3:GetObject"])
    refusal("a session has no policies", lambda: ask(session), "InvalidInput", "Invalid Entity Arn")
    refusal("who may not ask", lambda: ask(USER + "2"), "AccessDenied", "iam:SimulatePrincipalPolicy")
    refusal("no role", lambda: iam.get_role(RoleName="nobody"), "NoSuchEntity", "cannot be found")


POLICY = [
    {"Effect": "Allow", "Action": "elasticbeanstalk:*", "Resource": BLUE},
    {"Effect": "Deny", "Action": "elasticbeanstalk:TerminateEnvironment", "Resource": "*"},
    {"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": USER},
    {"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"},
    {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
     "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}},
]


def with_the_aws_cli(world):
    def aws(name, *arguments, words):
        code, text = world.run("aws", *arguments)
        check(f"aws: {name}", code == 0 and words in text, f"exit {code}: {text}")

    eb = "elasticbeanstalk"
    aws("check-dns-availability", eb, "check-dns-availability", "--cname-prefix", "shop-two", words="shop-two.us-east-1")
    aws("describe-account-attributes", eb, "describe-account-attributes", words="EnvironmentQuota")
    aws("managed actions", eb, "describe-environment-managed-actions", "--environment-name", "shop-blue", words="ManagedActions")
    aws("simulate-principal-policy", "iam", "simulate-principal-policy", "--policy-source-arn", USER,
        "--action-names", "s3:GetObject", words="allowed")


def main():
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "policy.json")
        file.write_text(json.dumps({"Version": "2012-10-17", "Statement": POLICY}))
        with sandbox(600) as fast, sandbox(600, "--policy", str(file)) as limited:
            for name, part in [
                ("managed actions", lambda: with_managed_actions(fast)),
                ("platforms", lambda: with_platforms(fast)),
                ("quotas", lambda: with_quotas(fast)),
                ("CNAMEs", lambda: with_cnames(fast)),
                ("neighbours", lambda: with_neighbours(fast)),
                ("resources", lambda: with_resources(fast)),
                ("permissions", lambda: with_permissions(limited)),
                ("the AWS CLI", lambda: with_the_aws_cli(fast)),
            ]:
                try:
                    part()
                except Exception:
                    traceback.print_exc()
                    check(f"{name} runs to its end", False, "see above")
    print(f"{len(answers_checked)} operations held against their models")
    print(f"{conformance.passed} passed, {conformance.failed} failed")
    sys.exit(conformance.failed > 0)


main()
