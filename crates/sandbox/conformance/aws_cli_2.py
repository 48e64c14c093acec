"""Unpacks the AWS CLI 2 from the layer of AWS's CDK package, without its completer.
Usage: aws_cli_2.py LAYER.zip FOLDER   (the command is then FOLDER/aws)
"""

import re
import shutil
import sys
import zipfile
from pathlib import Path

layer, folder = zipfile.ZipFile(sys.argv[1]), Path(sys.argv[2])
shutil.rmtree(folder, ignore_errors=True)
for entry in layer.infolist():
    path = re.fullmatch(r"awscli/v2/[\d.]+/dist/(.+[^/])", entry.filename)
    if path and path[1] != "aws_completer":
        to = folder / path[1]
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(layer.read(entry))
(folder / "aws").chmod(0o755)
