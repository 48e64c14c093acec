"""Programs that others wrote, unmodified, each in a folder of its own against a sandbox of its own."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request
import zipfile
from pathlib import Path

import conformance
from conformance import BIN, check, sandbox

# How many seconds of a sandbox pass in one of the wall's. These programs poll every 4 to 30 real
# seconds; a launch takes less than one.
SPEED = 600
# How many real seconds a command may take.
SECONDS = 90


def last(told):
    """The end of what a program printed, where its error is."""
    return told.strip()[-2000:]


class Stranger:
    """A folder with a small application, in which commands are typed whose AWS is a sandbox."""

    def __init__(self, world, folder, **variables):
        self.world, self.home = world, Path(folder)
        self.folder = self.home / "shop"
        self.folder.mkdir()
        (self.folder / "app.js").write_text("require('http').createServer((_, a) => a.end('a shop')).listen(8080)\n")
        (self.folder / "package.json").write_text('{"name": "shop", "version": "1.0.0"}\n')
        self.environment = {
            **world.environment, "HOME": str(self.home), "PATH": f"{BIN}:{os.environ['PATH']}", "no_proxy": "127.0.0.1",
            "BROWSER": "echo %s", "PYTHONUNBUFFERED": "1", **variables}

    def bundle(self, name):
        """A file with the application, as it is deployed; its path."""
        path = self.home / name
        with zipfile.ZipFile(path, "w") as bundle:
            bundle.write(self.folder / "app.js", "app.js")
        return str(path)

    def types(self, *command, answers="", seconds=SECONDS):
        """The exit code of a command, None if it had to be ended, and all that it printed."""
        with subprocess.Popen(
                command, cwd=self.folder, env=self.environment, text=True, start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
            try:
                told, _ = running.communicate(answers, timeout=seconds)
                return running.returncode, told
            except subprocess.TimeoutExpired:
                # Its own children too, which would keep its output open.
                os.killpg(running.pid, 9)
                return None, running.communicate()[0]

    def does(self, *command, words=(), lacks=(), code=0, name=None, **how):
        """Checks that a command ends with this exit code, and prints these words and none of those."""
        words = [words] if isinstance(words, str) else words
        got, told = self.types(*map(str, command), **how)
        missing = [word for word in words if word not in told]
        unwanted = [word for word in ["Traceback", *lacks] if word in told]
        detail = f"exit {got}, expected {code}"
        detail += f"; it lacks {missing}" if missing else ""
        detail += f"; it has {unwanted}" if unwanted else ""
        check(name or f"$ {' '.join(map(str, command))}", got == code and not missing and not unwanted,
              f"{detail}\n{last(told)}\n")
        return told

    def shows(self, *command, words, seconds=15):
        """Checks that a command that does not end by itself shows these words, and ends it."""
        with tempfile.TemporaryFile() as shown, subprocess.Popen(
                command, cwd=self.folder, env=self.environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=shown, stderr=shown) as running:
            told, deadline = "", time.monotonic() + seconds
            while running.poll() is None and words not in told and time.monotonic() < deadline:
                time.sleep(0.2)
                told = os.pread(shown.fileno(), 1 << 20, 0).decode()
            told = os.pread(shown.fileno(), 1 << 20, 0).decode()
            if running.poll() is None:
                os.killpg(running.pid, 9)
        check(f"$ {' '.join(command)}", words in told, f"it lacks {words!r}\n{last(told)}\n")

    def inject(self, **fault):
        """Has the sandbox do this from now on."""
        request = urllib.request.Request(f"{self.world.url}/_sandbox/faults", json.dumps(fault).encode())
        urllib.request.urlopen(request).read()

    def report(self):
        """What the sandbox counted meanwhile."""
        return json.load(urllib.request.urlopen(f"{self.world.url}/_sandbox/report"))

    def called(self, *operations):
        """Checks that the program used these operations, so that no check passes without them."""
        calls = {call.split(" ")[0] for call in self.report()["calls"]}
        missing = [name for name in operations if name not in calls]
        check(f"the report counts {', '.join(operations)}", not missing, f"it lacks {missing}; it has {sorted(calls)}")


def side_by_side(parts):
    """Runs every part, a name and what gets a `Stranger`, at once with the others: they mostly wait.
    A third entry is the arguments of its sandbox, which begin with its speed.
    """

    def played(name, part, arguments=(SPEED,)):
        began = time.monotonic()
        try:
            with tempfile.TemporaryDirectory() as folder, sandbox(*arguments) as world:
                part(Stranger(world, folder))
        except Exception:
            traceback.print_exc()
            check(f"{name} runs to its end", False, "see above")
        print(f"      {name}: {time.monotonic() - began:.0f} s", flush=True)

    threads = [threading.Thread(target=played, args=part) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ends():
    """Says how many checks there were, and ends with a failure if one failed."""
    print(f"{conformance.passed} passed, {conformance.failed} failed")
    sys.exit(conformance.failed > 0)
