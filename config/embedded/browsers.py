"""The system's Chromium, which the browser tests drive."""

import os
import shutil
import subprocess
import sys

from config.embedded.bootstrap import say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def ensure() -> str | None:
    """Find it; as root on a system with apt-get, install it first if there is none."""
    apt = shutil.which("apt-get")
    if find() is None and os.geteuid() == 0 and apt:
        say("Installing the system's package chromium for the browser tests")
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run([apt, "-qq", *step], env=environment, stdout=sys.stderr, check=False)
    if find() is None:
        say("No Chromium or Chrome on PATH, so tests marked e2e are skipped: install the package chromium.")
    return find()
