"""docs/start/guide.md and docs/start/permissions.md followed to the letter: the commands as they are printed,
in one shell, with the AWS CLI, under the policy that the guide's own command puts on the role.
Usage: guide.py BLUEGREEN
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path

import conformance
from conformance import check, sandbox

DOCS = Path(__file__).parents[3] / "docs"
BIN = Path(sys.executable).parent
# How many seconds of a sandbox pass in one of the wall's: on a busy machine a request that takes
# longer than its lease has left is not sent.
SPEED = "120"


def blocks(text):
    """The indented blocks outside of fences, each as it is printed."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    found = re.findall(r"(?:^ {4,}\S.*\n(?:^ {4,}.*\S.*\n)*)", text, flags=re.M)
    # What follows a list's number is indented less than its code.
    code = [block for block in found if re.match(r" +(bluegreen|aws|export|\[\[|--)", block)]
    return [textwrap.dedent(block).strip() for block in code]


class Reader:
    """A reader at a shell, in a folder with a built bundle. What he exports lasts."""

    def __init__(self, folder, url):
        self.folder, self.kept = Path(folder), Path(folder, ".exported")
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "bluegreen").symlink_to(Path(sys.argv[1]).resolve())
        shutil.copy(DOCS / "reference/bluegreen.toml", self.folder)
        (self.folder / "target").mkdir()
        with zipfile.ZipFile(self.folder / "target/shop.zip", "w") as bundle:
            bundle.writestr("app.js", "// a shop")
        self.environment = dict(
            PATH=f"{tools}:{BIN}:{os.environ['PATH']}", HOME=folder, PYTHONWARNINGS="ignore", AWS_PAGER="",
            NO_PROXY="127.0.0.1", AWS_ENDPOINT_URL=url, BLUEGREEN_SANDBOX=url, BLUEGREEN_SANDBOX_SPEED=SPEED,
            AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")

    def types(self, command, **more):
        script = f"set -e\n[ -e {self.kept} ] && . {self.kept}\n{command}\nexport -p > {self.kept}\n"
        if more:
            script = f"{command}\n"
            script = f"[ -e {self.kept} ] && . {self.kept}\n{script}"
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env={**self.environment, **more},
                              capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr

    def follows(self, command, words="", **more):
        code, text = self.types(command, **more)
        check(f"$ {command}", code == 0 and words in text, f"exit {code}: {text}")
        return text

    def forgets(self, *names):
        """Is the administrator again."""
        self.types(f"unset {' '.join(names)}; export AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b")


def first_release(text):
    """The commands of the first release that stand by themselves, in their order."""
    section = text.split("## A first release on a real account")[1].split("\n## ")[0]
    return blocks(section)


def follow_the_guide(reader, text):
    commands = first_release(text)
    whole = "\n".join(commands)
    begun = re.findall(r"^ {4,}(?:bluegreen|aws|export) .*", text.split("## Two environments")[0], flags=re.M)
    missed = [line for line in begun if line.strip() not in whole]
    check("every command of the first release is followed", begun and not missed, missed)
    rehearsal, elsewhere, *rest = commands
    first, again = rehearsal.splitlines()
    # In place of a kill, after which `resume` goes on as well.
    reader.follows(first, BLUEGREEN_PAUSE_BEFORE="cutover")
    reader.follows(again, BLUEGREEN_PAUSE_BEFORE="")
    reader.follows(elsewhere, BLUEGREEN_PAUSE_BEFORE="")
    managed = [command for command in rest if "attach-role-policy" in command]
    check("the managed policy is attached by one command", len(managed) == 1, managed)
    for command in rest:
        # Followed below: beside the printed policy it would hide what that lacks.
        if command not in managed:
            reader.follows(command)
    for command in ["bluegreen config check", "bluegreen config show", "bluegreen status", "bluegreen resume",
                    "bluegreen doctor --create", "bluegreen resume --all"]:
        check(f"the guide names {command}", f"`{command}`" in text)
        reader.follows(command)
    told = reader.follows("aws elasticbeanstalk describe-environments --environment-names shop-blue")
    check("blue runs v42", '"VersionLabel": "v42"' in told, told)
    return managed[0]


def follow_the_recipes(reader, text, systems):
    """What they hold of settings is in order, a test is asked as it is written, and the line of each
    CI system whose page holds it releases its commit."""
    recipes = text.split("## Recipes")[1]
    hook, test = [next(b for b in blocks(recipes) if b.startswith(part)) for part in ("[[hook]]", "--test")]
    (reader.folder / "hook.toml").write_text(hook)
    reader.follows("bluegreen config check --config hook.toml")
    # Its listener of 443 is the user's own.
    code, told = reader.types(f"bluegreen plan --version-label v2 {test}")
    check("the test's name is asked of blue", "/health as shop.example.com" in told, f"{code} {told}")
    lines = re.findall(r"^ +- (bluegreen run .*)$", systems, flags=re.M)
    check("three CI systems run it by a line", len(lines) == 3, lines)
    commit = None
    for commit, line in zip(("4f2a", "9c1e", "07bd"), lines):
        with zipfile.ZipFile(reader.folder / "target/shop.zip", "w") as bundle:
            bundle.writestr("app.js", f"// a shop of {commit}")
        reader.follows(line, CI_COMMIT_SHA=commit, CODEBUILD_RESOLVED_SOURCE_VERSION=commit,
                       BITBUCKET_COMMIT=commit)
    told = reader.follows("aws elasticbeanstalk describe-environments --environment-names shop-blue")
    check("blue runs the last commit", f'"VersionLabel": "{commit}"' in told, told)


def is_the_role(reader):
    code, told = reader.types("bluegreen plan --version-label v2")
    check("the release has the role's rights and is denied nothing",
          code == 0 and "assumed-role/releases/first-release" in told and "unknown" not in told, told)


def without(policy, action):
    for statement in policy["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        statement["Action"] = [a for a in actions if a != action]
    policy["Statement"] = [s for s in policy["Statement"] if s["Action"]]
    return policy


SESSION = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]


def the_policy_is_enforced(reader, text):
    """What is taken off the role is missed by the next release."""
    put, take = [next(c for c in first_release(text) if part in c) for part in ("put-role-policy", "sts assume-role")]
    whole = json.loads((reader.folder / "policy.json").read_text())
    left = without(json.loads(json.dumps(whole)), "elasticbeanstalk:SwapEnvironmentCNAMEs")
    (reader.folder / "policy.json").write_text(json.dumps(left))
    reader.forgets(*SESSION)
    reader.follows(put)
    reader.follows(take)
    code, told = reader.types("bluegreen run --version-label v2")
    check("without an action the release is refused", code == 3 and "SwapEnvironmentCNAMEs" in told, f"{code} {told}")
    code, told = reader.types("bluegreen run --version-label v2 --allow permissions")
    check("or denied", code == 20 and "SwapEnvironmentCNAMEs" in told, f"{code} {told}")
    reader.forgets(*SESSION)
    (reader.folder / "policy.json").write_text(json.dumps(whole))
    reader.follows(put)
    reader.follows(take)
    reader.follows("bluegreen resume")


def the_managed_policy_is_enough(reader, text, attach):
    """The caller's own statements, and AWS's managed policy in place of what is beneath."""
    put, take = [next(c for c in first_release(text) if part in c) for part in ("put-role-policy", "sts assume-role")]
    policy = json.loads((reader.folder / "policy.json").read_text())
    policy["Statement"] = [s for s in policy["Statement"] if not s["Sid"].startswith("Beneath")]
    (reader.folder / "policy.json").write_text(json.dumps(policy))
    reader.forgets(*SESSION)
    reader.follows(put)
    reader.follows(attach)
    reader.follows(take)
    reader.follows("bluegreen run --version-label v1")


def follow_the_permissions(reader, text):
    reader.forgets(*SESSION)
    for command in blocks(text):
        if command.startswith(("bluegreen", "aws")):
            reader.follows(command)
    reader.follows("aws iam list-attached-role-policies --role-name releases", words="policy/bluegreen-1")


def the_quotas_are_told(reader, text):
    command = re.search(r"`(aws service-quotas [^`]*) ?(L-\w+)`", text)
    others = set(re.findall(r"`(L-\w+)`", text)) | {command.group(2)}
    for code in sorted(others):
        reader.follows(f"{command.group(1).strip()} {code}", words='"Value"')


def main():
    guide, permissions = (DOCS / "start/guide.md").read_text(), (DOCS / "start/permissions.md").read_text()
    with tempfile.TemporaryDirectory() as folder, sandbox(SPEED) as world:
        reader = Reader(folder, world.url)
        attach = follow_the_guide(reader, guide)
        is_the_role(reader)
        follow_the_recipes(reader, guide, (DOCS / "use/ci.md").read_text())
        the_policy_is_enforced(reader, guide)
        the_managed_policy_is_enough(reader, guide, attach)
        follow_the_permissions(reader, permissions)
        the_quotas_are_told(reader, guide)
    print(f"{conformance.passed} passed, {conformance.failed} failed")
    sys.exit(conformance.failed > 0)


main()
