"""`make audit`: every locked package carries its hashes, and none has a known vulnerability (OSV's database, by uv).

A database that cannot be reached is said loudly. It fails the command only with ARQLIGHT_AUDIT=strict, as a release
sets it: a change must not be held up by somebody else's outage. Where it can never be reached, ARQLIGHT_AUDIT_DATA names
a file of it that was brought along (`make audit-data` makes one); it is asked instead, and its age is said.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.vulnerability_data import UnusableData, read

ROOT = Path(__file__).parents[2]
OLD_DAYS = 30
CLEAN = "audit: every package is locked by hash, and none has a known vulnerability"
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
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    bare = unhashed(lock)
    if bare:
        sys.stderr.write(f"audit: uv.lock has files without a hash: {', '.join(bare)}\n")
        return 1
    if path := os.environ.get("ARQLIGHT_AUDIT_DATA"):
        return _ask_file(Path(path), lock)
    uv = Path(sys.executable).with_name("uv")
    asked = subprocess.run(
        [str(uv), "audit", "--locked", "--quiet"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = (asked.stdout + asked.stderr).strip()
    if asked.returncode == 0:
        sys.stdout.write(f"{CLEAN}\n")
        return 0
    if any(words in said for words in UNREACHABLE):
        sys.stderr.write(
            "audit: NOT AUDITED: every package is locked by hash, but the database of vulnerabilities cannot be reached "
            f"from here ({said.splitlines()[-1].strip()})\n"
        )
        return int(_is_strict())
    sys.stderr.write(f"audit: {said}\n")
    return 1


def _ask_file(path: Path, lock: dict[str, list[dict[str, object]]]) -> int:
    packages: dict[str, set[str]] = {}
    for package in lock["package"]:
        if "editable" not in str(package.get("source")):
            packages.setdefault(str(package["name"]), set()).add(str(package["version"]))
    try:
        data = read(path, packages)
    except UnusableData as error:
        sys.stderr.write(f"audit: {error}\n")
        return 1
    age = f"as of {data.newest:%Y-%m-%d}, {data.age_days} days ago, by {path}"
    if data.found:
        sys.stderr.write("".join(f"audit: {line}\n" for line in (*data.found, age)))
        return 1
    if data.age_days > OLD_DAYS:
        sys.stderr.write(f"audit: OLD DATA: {age}; bring a newer file along (make audit-data)\n")
        return int(_is_strict())
    sys.stdout.write(f"{CLEAN}, {age}\n")
    return 0


def _is_strict() -> bool:
    return os.environ.get("ARQLIGHT_AUDIT") == "strict"


if __name__ == "__main__":
    sys.exit(main())
