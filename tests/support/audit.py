"""`make audit`: every locked package carries its hashes, and none has a known vulnerability (OSV's database, by uv).

A database that cannot be reached is said loudly. It fails the command only with ARQLIGHT_AUDIT=strict, as a release
sets it: a change must not be held up by somebody else's outage.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNREACHABLE = ("error sending request", "dns error", "tcp connect error", "timed out")


def unhashed(lock: dict[str, list[dict[str, object]]]) -> list[str]:
    """Locked packages of which some file has no hash."""
    found = []
    for package in lock["package"]:
        files = [*_files(package.get("wheels")), *_files(package.get("sdist"))]
        is_ours = "editable" in str(package.get("source"))
        if not is_ours and not (files and all(str(file.get("hash", "")).startswith("sha256:") for file in files)):
            found.append(str(package["name"]))
    return found


def _files(value: object) -> list[dict[str, object]]:
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def main() -> int:
    """The exit code: 0 for nothing found."""
    bare = unhashed(tomllib.loads((ROOT / "uv.lock").read_text()))
    if bare:
        sys.stderr.write(f"audit: uv.lock has files without a hash: {', '.join(bare)}\n")
        return 1
    uv = Path(sys.executable).with_name("uv")
    asked = subprocess.run(
        [str(uv), "audit", "--locked", "--quiet"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = (asked.stdout + asked.stderr).strip()
    if asked.returncode == 0:
        sys.stdout.write("audit: every package is locked by hash, and none has a known vulnerability\n")
        return 0
    if any(words in said for words in UNREACHABLE):
        sys.stderr.write(
            "audit: NOT AUDITED: every package is locked by hash, but the database of vulnerabilities cannot be reached "
            f"from here ({said.splitlines()[-1].strip()})\n"
        )
        return 1 if os.environ.get("ARQLIGHT_AUDIT") == "strict" else 0
    sys.stderr.write(f"audit: {said}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
