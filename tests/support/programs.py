"""The programs the tests need beside Python's: finds them, or installs them. `python -m tests.support.programs` says which."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from tests.support.browser import find_chromium
from tests.support.node_programs import NodeProgramsMissing, install_node_programs


def find_nginx() -> str | None:
    """The path of an nginx that is here: the one named by ARQLIGHT_NGINX, or an installed one."""
    return os.environ.get("ARQLIGHT_NGINX") or shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


NEEDED: dict[str, Callable[[], str | None]] = {"chromium": find_chromium, "nginx": find_nginx}


def install(package: str) -> None:
    """Debian's package where we may, else for a Chromium Playwright's download; what they say stays on the terminal."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update", "-q"], check=False, **quiet)  # type: ignore[call-overload]
        subprocess.run(  # type: ignore[call-overload]
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", package], check=False, **quiet
        )
    if package == "chromium" and find_chromium() is None:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def main() -> int:
    """Have them all, or fail with one clear sentence."""
    for package, find in NEEDED.items():
        if find() is None:
            install(package)
        path = find()
        if path is None:
            sys.stderr.write(
                f"no {package} is here and none could be installed: install one (Debian: apt-get install {package}), "
                f"or name one with ARQLIGHT_{package.upper()}=/path/to/{package}\n"
            )
            return 1
        sys.stdout.write(f"the tests use {path}\n")
    try:
        sys.stdout.write(f"the tests use {install_node_programs()}\n")
    except NodeProgramsMissing as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
