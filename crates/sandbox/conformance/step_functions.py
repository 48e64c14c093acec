"""A fleet on AWS Step Functions: moto's interpreter runs the state machine that
`bluegreen fleet export step-functions` prints, with a stand-in for ECS whose RunTask starts the real
binary against a sandbox, each task with a disk of its own. One task is killed, one target fails its
tests, and somebody approves the second wave.
"""

import collections
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request
from pathlib import Path

import boto3
from moto import mock_aws
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent, FailureEventException)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_ecs, state_task_service_sns)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import wait_function
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

import conformance
from conformance import check, sandbox

TARGETS = 40
AT_ONCE = 6
SPEED = 200
# The one whose version fails its tests, and the swap at which a task is killed.
SICK = 7
KILLED_AT = 20
SECONDS = 600
ENVIRONMENT = {"PATH": os.environ["PATH"], "BLUEGREEN_POLL": "20s", "BLUEGREEN_PATIENCE": "12h"}


def world():
    """The applications app1 to app40, each with an environment on v1, and v2 and v3 to release."""
    lines = ['region = "us-east-1"']
    for number in range(1, TARGETS + 1):
        app = f"app{number}"
        lines += ["[[application]]", f'name = "{app}"', "[[environment]]", f'application = "{app}"',
                  f'name = "{app}-blue"', 'version = "v1"', f'cname_prefix = "{app}"']
        for version in ("v1", "v2", "v3"):
            lines += ["[[version]]", f'application = "{app}"', f'label = "{version}"',
                      'bucket = "artifacts"', f'key = "{app}/{version}.zip"']
    return "\n".join(lines) + "\n"


def fleet():
    """The first target is a canary; one failure is tolerated."""
    lines = ["[fleet]", f"concurrency = {AT_ONCE}", "stop-after = 2", "[settings]", 'bucket = "artifacts"',
             'region = "us-east-1"', 'version-label = "v2"', 'drain = "2m"', 'bake = "150s"', 'lease = "15m"',
             "[[wave]]", 'name = "canary"', 'bake = "5m"', "pause = true", "[[wave]]", 'name = "rest"']
    for number in range(1, TARGETS + 1):
        lines += ["[[target]]", f'app = "app{number}"', f'blue = "app{number}-blue"']
        lines += ['wave = "canary"'] if number == 1 else []
        lines += ['version-label = "v3"'] if number == SICK else []
    return "\n".join(lines) + "\n"


def lower(value):
    """A request with its names as boto3 takes them; Step Functions begins them with a capital."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: lower(inner) for key, inner in value.items()}
    return [lower(inner) for inner in value] if isinstance(value, list) else value


def upper(value):
    """An answer with its names as Step Functions has them."""
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: upper(inner) for key, inner in value.items()}
    return [upper(inner) for inner in value] if isinstance(value, list) else value


class Ecs:
    """What the state machine asks of ECS: RunTask starts the binary, DescribeTasks tells its exit code."""

    def __init__(self, url, folder):
        self.url, self.folder = url, folder
        self.tasks, self.commands = {}, {}
        self.guard = threading.Lock()
        self.kills = None

    def run_task(self, **request):
        request = lower(request)
        [override] = request["overrides"]["containerOverrides"]
        assert override["name"] == "bluegreen", override
        assert request["launchType"] == "FARGATE", request
        with self.guard:
            arn = f"arn:aws:ecs:us-east-1:123456789012:task/fleet/{len(self.commands)}"
            self.commands[arn] = override["command"]
        # A container's disk is new.
        disk = tempfile.mkdtemp(dir=self.folder)
        log = open(f"{disk}/log", "w")
        environment = {**ENVIRONMENT, "BLUEGREEN_SANDBOX": self.url, "BLUEGREEN_STATE": f"{disk}/journal.db"}
        process = subprocess.Popen(
            [sys.argv[1], *override["command"]], env=environment, cwd=disk, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL)
        with self.guard:
            self.tasks[arn] = process
        return self.answer(arn)

    def answer(self, *arns):
        """The tasks, with their names as boto3 has them and as the interpreter would write them."""
        told = {"tasks": [self.described(arn) for arn in arns], "failures": []}
        return {**told, **upper(told)}

    def described(self, arn):
        code = self.tasks[arn].poll()
        container = {"name": "bluegreen", "lastStatus": "RUNNING" if code is None else "STOPPED"}
        if code is not None:
            # ECS says 137 of a container that was killed.
            container["exitCode"] = code if code >= 0 else 128 - code
        return {"taskArn": arn, "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/fleet",
                "lastStatus": container["lastStatus"], "containers": [container]}

    def describe_tasks(self, cluster, tasks):
        assert cluster.endswith(":cluster/fleet"), cluster
        return self.answer(*tasks)

    def kill_one(self):
        """Kills a task that runs, as its host would."""
        with self.guard:
            running = [process for process in self.tasks.values() if process.poll() is None]
        running[0].kill()


class Sns:
    """Keeps what is published."""

    def __init__(self):
        self.messages = []

    def publish(self, **request):
        self.messages.append(request["Message"])
        return {"MessageId": "1"}


def resolved(value, names):
    """A part of the template, with what its parameters and resources are called."""
    if isinstance(value, dict):
        if set(value) == {"Ref"}:
            return names[value["Ref"]]
        return {key: resolved(inner, names) for key, inner in value.items()}
    return [resolved(inner, names) for inner in value] if isinstance(value, list) else value


def report(world):
    return json.loads(urllib.request.urlopen(f"{world.url}/_sandbox/report").read())


def failures_reach_the_interpreter():
    """Step Functions fails a task of `runTask.sync` whose container has ended with another code than 0
    (developer guide, "Run Amazon ECS or Fargate tasks"); moto's interpreter takes every stopped task for a
    success.
    """
    build = state_task_service_ecs.StateTaskServiceEcs._build_sync_resolver

    def building(self, env, resource_runtime_part, normalised_parameters, state_credentials):
        resolver = build(self, env, resource_runtime_part, normalised_parameters, state_credentials)

        def resolve():
            task = resolver()
            if task is not None and task["Containers"][0].get("ExitCode") != 0:
                failed = TaskFailedEventDetails(
                    resourceType="ecs", resource="runTask.sync", error="States.TaskFailed", cause=json.dumps(task))
                raise FailureEventException(FailureEvent(
                    env=env, error_name=StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed),
                    event_type=HistoryEventType.TaskFailed,
                    event_details=EventDetails(taskFailedEventDetails=failed)))
            return task
        return resolve
    state_task_service_ecs.StateTaskServiceEcs._build_sync_resolver = building


def waits_pass_as_in_the_sandbox():
    def waiting(self, env, wait_seconds):
        env.program_state_event.wait(wait_seconds / SPEED)
    wait_function.WaitFunction._wait_interval = waiting


def until(what, holds, ends=lambda: False):
    began = time.time()
    while not holds() and not ends():
        if time.time() - began > SECONDS:
            raise TimeoutError(what)
        time.sleep(0.1)


@mock_aws(config={"stepfunctions": {"execute_state_machine": True}})
def run(world, folder, template):
    ecs, sns = Ecs(world.url, folder), Sns()
    state_task_service_ecs.boto_client_for = lambda **_: ecs
    state_task_service_sns.boto_client_for = lambda **_: sns
    names = {"Cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/fleet",
             "TaskDefinition": "arn:aws:ecs:us-east-1:123456789012:task-definition/bluegreen-fleet:1",
             "Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"], "AssignPublicIp": "DISABLED",
             "ApprovalTopic": "arn:aws:sns:us-east-1:123456789012:approvals"}
    definition = resolved(template["Resources"]["StateMachine"]["Properties"]["Definition"], names)
    client = boto3.client("stepfunctions", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    machine = client.create_state_machine(
        name="fleet", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/states")
    execution = client.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]

    def status():
        return client.describe_execution(executionArn=execution)

    def has_ended():
        return status()["status"] != "RUNNING"
    until("an approval is requested", lambda: sns.messages, has_ended)
    check("the canary alone is released before the approval", len(ecs.commands) == 1, ecs.commands)
    message = json.loads(sns.messages[0])
    check("the message says how to approve", "wave rest waits" in message["text"], message)
    client.send_task_success(taskToken=message["token"], output="{}")

    def swaps():
        return report(world)["calls"].get("SwapEnvironmentCNAMEs", 0)
    until("tasks swap", lambda: swaps() >= KILLED_AT, has_ended)
    ecs.kill_one()
    until("the execution ends", has_ended)
    ended = status()
    check("the execution tolerates the failure and succeeds", ended["status"] == "SUCCEEDED", ended)
    return ecs


def main():
    logging.disable()
    failures_reach_the_interpreter()
    waits_pass_as_in_the_sandbox()
    with tempfile.TemporaryDirectory() as folder:
        described, file = Path(folder, "world.toml"), Path(folder, "fleet.toml")
        described.write_text(world())
        file.write_text(fleet())
        with sandbox(SPEED, "--seed-world", str(described)) as served:
            try:
                fault = json.dumps({"fault": "version_answers", "label": "v3", "status": 500}).encode()
                urllib.request.urlopen(urllib.request.Request(f"{served.url}/_sandbox/faults", fault)).read()
                exported = subprocess.run(
                    [sys.argv[1], "fleet", "export", "step-functions", str(file)], capture_output=True, text=True,
                    env={**ENVIRONMENT, "BLUEGREEN_SANDBOX": served.url, "BLUEGREEN_STATE": f"{folder}/journal.db"})
                check("$ bluegreen fleet export step-functions", exported.returncode == 0, exported.stderr)
                ecs = run(served, folder, json.loads(exported.stdout))
                found = served.eb.describe_environments(IncludeDeleted=False)["Environments"]
                runs = {one["EnvironmentName"]: one["VersionLabel"] for one in found}
                released = [n for n in range(1, TARGETS + 1) if runs.get(f"app{n}-blue") == "v2"]
                expected = [n for n in range(1, TARGETS + 1) if n != SICK]
                check("every other target is released", released == expected, runs)
                greens = [name for name in runs if name.endswith("-green")]
                check("green serves where the tests failed", greens == [f"app{SICK}-blue-green"], runs)
                told = report(served)
                made = collections.Counter(created["name"] for created in told["created"])
                check("no green was made twice", len(made) == TARGETS and set(made.values()) == {1}, made)
                check("no request was lost", told["lost"] == 0 and not told["interruptions"], told["losses"])
                ends = collections.defaultdict(list)
                for arn, command in ecs.commands.items():
                    ends[" ".join(command)].append(ecs.described(arn)["containers"][0]["exitCode"])
                # The next one waits until the lock of the one that was killed is over.
                again = [codes for codes in ends.values() if codes not in ([0], [14])]
                expected = len(again) == 1 and again[0][0] == 137 and again[0][-1] == 0 and set(again[0][1:-1]) <= {12}
                check("the task that was killed ran again, and no other", expected, again)
                check("the one that is held was not tried again", list(ends.values()).count([14]) == 1, dict(ends))
            except Exception:
                traceback.print_exc()
                check("the fleet runs to its end", False, "see above")
    print(f"{conformance.passed} passed, {conformance.failed} failed")
    # moto's threads of what waits would keep it.
    sys.stdout.flush()
    os._exit(conformance.failed > 0)


main()
