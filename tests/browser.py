"""Finds a Chromium for the tests, or installs one: `python -m tests.browser` prints where it is, or why there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_chromium() -> str | None:
    """The path of a Chromium that is here: the one named by ARQLIGHT_CHROMIUM, an installed one, Playwright's own."""
    named = os.environ.get("ARQLIGHT_CHROMIUM")
    if named:
        return named
    for name in NAMES:
        if path := shutil.which(name):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def install_chromium() -> None:
    """Debian's package where we may, else Playwright's download; what they say stays on the terminal."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update", "-q"], check=False, **quiet)  # type: ignore[call-overload]
        subprocess.run(  # type: ignore[call-overload]
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"], check=False, **quiet
        )
    if find_chromium() is None:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def main() -> int:
    """Have a Chromium, or fail with one clear sentence."""
    if find_chromium() is None:
        install_chromium()
    path = find_chromium()
    if path is None:
        sys.stderr.write(
            "no Chromium is here and none could be installed: install one (Debian: apt-get install chromium), "
            "or name one with ARQLIGHT_CHROMIUM=/path/to/chromium\n"
        )
        return 1
    sys.stdout.write(f"browser tests use {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
