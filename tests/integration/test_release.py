"""What `make release` puts into dist/."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of one commit, from two clones: at other paths, with other times and rights of files, in another zone."""
    folder = tmp_path_factory.mktemp("releases")
    one, two = folder / "one", folder / "a" / "longer path" / "two"
    for clone, umask, zone in ((one, 0o022, "UTC"), (two, 0o077, "Asia/Kathmandu")):
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, umask=umask)
        if clone == two:
            for path in (each for each in clone.rglob("*") if ".git" not in each.parts):
                os.utime(path, (0, 1_000_000_000))
        done = _release(clone, umask=umask, TZ=zone)
        assert done.returncode == 0, done.stderr
    return one / "dist", two / "dist"


def _release(clone: Path, umask: int = 0o022, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tests.support.release"],
        cwd=clone, env=os.environ | environment, umask=umask, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_two_builds_of_a_commit_are_the_same_byte_for_byte(releases: tuple[Path, Path]) -> None:
    one, two = releases
    names = sorted(path.name for path in one.iterdir())
    assert [re.sub(r"\d+\.\d+\.\d+", "VERSION", name) for name in names] == [
        "SHA256SUMS", "arqlight-VERSION-py3-none-any.whl", "arqlight-VERSION.tar.gz", "provenance.json", "sbom.json",
    ]  # fmt: skip
    assert names == sorted(path.name for path in two.iterdir())
    for name in names[1:3] + names[4:]:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    with zipfile.ZipFile(one / names[1]) as wheel:
        assert "arqlight_service/web/templates/layout.html" in wheel.namelist()
    with tarfile.open(one / names[2]) as sdist:
        assert len({member.mtime for member in sdist}) == 1


def test_the_sums_and_the_provenance_are_those_of_the_files_and_name_the_commit(releases: tuple[Path, Path]) -> None:
    folder, _ = releases
    subprocess.run(["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"], cwd=folder, check=True)
    listed = {line.split()[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert listed == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    statement = json.loads((folder / "provenance.json").read_text())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert {each["name"]: each["digest"]["sha256"] for each in statement["subject"]} == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in listed - {"provenance.json"}
    }
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    [source, lock] = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert source["digest"] == {"gitCommit": commit.stdout.strip()}
    assert lock["digest"]["sha256"] == hashlib.sha256((folder.parent / "uv.lock").read_bytes()).hexdigest()
    assert statement["predicate"]["runDetails"]["builder"]["id"]


def test_the_bill_of_materials_of_a_release_names_what_is_in_it(releases: tuple[Path, Path]) -> None:
    bill = json.loads((releases[0] / "sbom.json").read_text())
    named = {component["name"] for component in bill["components"]}
    assert {"aiohttp", "arq", "redis", "cryptography"} <= named
    assert not named & {"pytest", "mypy"}


def test_what_is_not_committed_is_not_released(releases: tuple[Path, Path]) -> None:
    clone = releases[0].parent
    (clone / "workers" / "arqlight" / "mine.py").write_text("")
    done = _release(clone)
    assert done.returncode == 1
    assert "workers/arqlight/mine.py" in done.stderr
