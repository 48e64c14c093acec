"""Opens the sandbox's status page in headless Chromium: it shows what the sandbox has, and the browser logs no error.

Usage: status_page.py BLUEGREEN CHROMIUM
"""

import json
import subprocess
import sys
import tempfile
import urllib.request

from conformance import check, sandbox
from strangers import ends


def opened(browser, url):
    """The page's document once its script has run, and what the browser logged of it."""
    with tempfile.TemporaryDirectory() as profile:
        ran = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}",
             "--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom", url],
            capture_output=True, text=True, timeout=120)
    return ran.stdout, [line for line in ran.stderr.splitlines() if "CONSOLE" in line]


def main():
    browser = sys.argv[2]
    with sandbox(60) as world:
        page, logged = opened(browser, f"{world.url}/_sandbox/")
        state = json.load(urllib.request.urlopen(f"{world.url}/_sandbox/state"))
        check("the browser logs no error", not logged, logged)
        for environment in state["environments"]:
            check(f"the page shows {environment['name']}", environment["name"] in page, page[-2000:])
        check("the page says where the clients' name leads", "Clients' name leads here" in page, page[-2000:])
        check("the page names the seed", f"seed {state['seed']}" in page, page[-2000:])
    ends()


main()
