#!/usr/bin/env bash
# Follows docs/start/guide.md with the AWS CLI, drives the sandbox with boto3, the AWS CLI and the EB CLI, and the clients of S3,
# Route 53, SSM, CloudFormation, CloudWatch and load balancers against those of moto.
# Usage: run.sh BLUEGREEN   (the built binary)
set -euo pipefail
binary=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
venv=${CONFORMANCE_VENV:-$here/../../../target/conformance-venv}

if ! python3 -c 'import ensurepip' 2>/dev/null; then
    # Debian keeps venv apart; a bare machine may have neither.
    apt-get update -q && apt-get install -qy python3-venv
fi
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check boto3 awscli awsebcli cbor2 'moto[server]'
"$venv/bin/python" "$here/alarms_and_rules.py" "$binary"
"$venv/bin/python" "$here/checks.py" "$binary"
"$venv/bin/python" "$here/guide.py" "$binary"
exec "$venv/bin/python" "$here/conformance.py" "$binary"
