"""`make release`: wheel, sdist, bill of materials, provenance and checksums of the commit that is checked out, in dist/.

They are made of what is committed and nothing else, with the commit's time for all times: whoever builds the same commit
with the same Python gets the same wheel and sdist, byte for byte, and can compare them with the sums.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCE = "https://github.com/arqlight/arqlight"
SBOM, PROVENANCE, SUMS = "sbom.json", "provenance.json", "SHA256SUMS"


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    out = parser.parse_args().out.resolve()
    if changed := _git("status", "--porcelain").decode():
        sys.stderr.write(f"release: a release is made of a commit; commit or remove these first:\n{changed}")
        return 1
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    commit, made = _git("rev-parse", "HEAD").decode().strip(), int(_git("log", "-1", "--format=%ct"))
    started = datetime.now(UTC)
    _build(out, made)
    _bill_of_materials(out / SBOM, commit, made)
    subjects = {path.name: sha256(path) for path in sorted(out.iterdir())}
    _write(out / PROVENANCE, provenance(subjects, commit, made, started))
    (out / SUMS).write_text("".join(f"{sha256(path)}  {path.name}\n" for path in sorted(out.iterdir())))
    sys.stdout.write(f"release: {commit[:12]} in {out}: {', '.join(path.name for path in sorted(out.iterdir()))}\n")
    return 0


def _build(out: Path, made: int) -> None:
    with tempfile.TemporaryDirectory(prefix="arqlight-release-") as folder:
        tree = Path(folder, "arqlight")
        with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", "HEAD"))) as archive:
            archive.extractall(tree, filter="data")
        # Not in an environment of its own, for which the newest builder would be fetched: uv.lock says which.
        _run(sys.executable, "-m", "hatchling", "build", "--directory", str(out), cwd=tree, SOURCE_DATE_EPOCH=str(made))


def _bill_of_materials(path: Path, commit: str, made: int) -> None:
    _run(
        str(Path(sys.executable).with_name("uv")), "export", "--quiet", "--locked", "--no-dev", "--all-extras",
        "--format", "cyclonedx1.5", "--output-file", str(path), cwd=ROOT,
    )  # fmt: skip
    bill = json.loads(path.read_text())
    bill["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{SOURCE}@{commit}')}"
    bill["metadata"]["timestamp"] = _time(made)
    _write(path, bill)


def provenance(subjects: dict[str, str], commit: str, made: int, started: datetime) -> dict[str, Any]:
    """An in-toto statement with SLSA's predicate: which files, of which commit, by whom, and with what."""
    locked = {"uri": "file:uv.lock", "digest": {"sha256": sha256(ROOT / "uv.lock")}}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": value}} for name, value in subjects.items()],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{SOURCE}/blob/main/docs/development.md#releases",
                "externalParameters": {"source": f"git+{SOURCE}@{commit}"},
                "internalParameters": {"SOURCE_DATE_EPOCH": made, "python": platform.python_version()},
                "resolvedDependencies": [
                    {"uri": f"git+{SOURCE}@{commit}", "digest": {"gitCommit": commit}},
                    locked,
                ],
            },
            "runDetails": {
                "builder": {"id": _builder()},
                "metadata": {
                    "startedOn": _time(started.timestamp()),
                    "finishedOn": _time(datetime.now(UTC).timestamp()),
                },
            },
        },
    }


def _builder() -> str:
    """The run of GitHub Actions that builds, or this machine."""
    run = [os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    return "{}/{}/actions/runs/{}".format(*run) if all(run) else f"urn:host:{platform.node()}"


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _git(*command: str) -> bytes:
    return subprocess.run(["git", *command], cwd=ROOT, check=True, capture_output=True).stdout


def _run(*command: str, cwd: Path, **environment: str) -> None:
    done = subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"release: {' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
