"""bluegreen's own tests against moto's server: by name, so that none is left out, and with
what reaches the server counted, so that none passes without it.
"""

import contextlib
import datetime
import http.server
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import cbor2

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[3]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Moto:
    """moto's server, while it runs."""

    def __init__(self, log):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self.process = subprocess.Popen(
            [BIN / "moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)

    def requests(self):
        """How many requests it has answered."""
        return len(re.findall(r'HTTP/1\.1" \d', Path(self.log.name).read_text()))


@contextlib.contextmanager
def moto():
    with tempfile.NamedTemporaryFile() as log:
        server = Moto(log)
        try:
            yield server
        finally:
            server.process.terminate()
            server.process.wait(10)


def rings_against(server, check, name, tests, **variables):
    """These tests, each by itself, against the server that the variables name."""
    for test in tests:
        before = server.requests()
        tested = subprocess.run(
            ["cargo", "test", "--workspace", "--test", "rings", "--", "--exact", test],
            cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True)
        asked = server.requests() - before
        check(f"{name}: {test}", tested.returncode == 0 and "1 passed" in tested.stdout and asked > 0,
              f"moto was asked {asked} times\n{tested.stdout}{tested.stderr}")


@contextlib.contextmanager
def alarms_in_cbor(watch):
    """The DescribeAlarms of a boto3 client in the one protocol that the Rust SDK speaks to
    CloudWatch, Smithy RPC v2 CBOR, which moto does not: what is asked and what is answered
    pass through as they are. Gives its URL.
    """

    def moments(value):
        if isinstance(value, dict):
            return {key: moments(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [moments(inner) for inner in value]
        if isinstance(value, datetime.datetime):
            return cbor2.CBORTag(1, value.timestamp())
        return value

    class Bridge(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            known = self.path.endswith("/operation/DescribeAlarms")
            asked = cbor2.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = watch.describe_alarms(**asked) if known else {"__type": "UnknownOperation"}
            answer.pop("ResponseMetadata", None)
            body = cbor2.dumps(moments(answer))
            self.send_response(200 if known else 404)
            self.send_header("smithy-protocol", "rpc-v2-cbor")
            self.send_header("content-type", "application/cbor")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    bridge = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bridge)
    threading.Thread(target=bridge.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{bridge.server_port}"
    finally:
        bridge.shutdown()
