"""`make audit` with a file of known vulnerabilities that was brought along, in the layout of OSV's export."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.support.vulnerability_data import UnusableData, fetch, read

LOCKED = {package["name"]: package for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}


def _record(name: str, number: int = 1, **more: Any) -> dict[str, Any]:
    affected = {"package": {"ecosystem": "PyPI", "name": name}} | more.pop("affected", {})
    return {"id": f"GHSA-{number}", "summary": "It leaks.", "modified": _ago(2), "affected": [affected]} | more


def _ago(days: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days, hours=1):%Y-%m-%dT%H:%M:%SZ}"


def _between(*events: dict[str, str]) -> dict[str, Any]:
    return {"ranges": [{"type": "ECOSYSTEM", "events": list(events)}]}


@pytest.fixture
def data(tmp_path: Path) -> Callable[..., Path]:
    def write(*records: dict[str, Any]) -> Path:
        path = tmp_path / "osv.zip"
        with zipfile.ZipFile(path, "w") as file:
            for number, record in enumerate(records):
                file.writestr(f"{number}.json", json.dumps(record))
        return path

    return write


def _audit(path: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tests.support.audit"], cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"ARQLIGHT_AUDIT_DATA": str(path)} | environment,
    )  # fmt: skip


def test_a_vulnerable_package_is_found_and_the_age_of_the_file_is_said(data: Callable[..., Path]) -> None:
    version = LOCKED["aiohttp"]["version"]
    done = _audit(data(_record("AioHTTP", affected=_between({"introduced": "0"}, {"last_affected": version}))))
    assert done.returncode == 1
    assert f"aiohttp {version}: GHSA-1 It leaks." in done.stderr
    assert "2 days ago" in done.stderr


def test_nothing_found_in_a_new_file_is_good_and_in_an_old_one_is_said_and_no_release(
    data: Callable[..., Path],
) -> None:
    fixed = _between({"introduced": "0"}, {"fixed": LOCKED["aiohttp"]["version"]})
    done = _audit(data(_record("aiohttp", affected=fixed)), ARQLIGHT_AUDIT="strict")
    assert (done.returncode, "2 days ago" in done.stdout) == (0, True), done.stderr
    old = data(_record("aiohttp", affected=fixed, modified=_ago(100)))
    assert "OLD DATA: as of" in _audit(old).stderr
    assert [_audit(old).returncode, _audit(old, ARQLIGHT_AUDIT="strict").returncode] == [0, 1]


@pytest.mark.parametrize("content", [None, b"not a zip"])
def test_a_file_that_is_none_fails_and_says_how_one_is_made(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "osv.zip").write_bytes(content)
    done = _audit(tmp_path / "osv.zip")
    assert (done.returncode, "make audit-data" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("affected", "versions"),
    [
        ({"versions": ["1.5"]}, {"1.5"}),
        (_between({"introduced": "1.5"}, {"fixed": "2.0"}), {"1.5", "1.10"}),
        (_between({"introduced": "0"}, {"last_affected": "1.5"}), {"1.0", "1.5"}),
        (_between({"introduced": "0"}, {"fixed": "1.5"}, {"introduced": "2.0"}), {"1.0", "2.0", "2.1"}),
        (_between({"fixed": "2.0"}, {"introduced": "1.10"}), {"1.10"}),
        ({"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}, set()),
    ],
)
def test_versions_are_compared_as_python_does(
    data: Callable[..., Path], affected: dict[str, Any], versions: set[str]
) -> None:
    found = read(data(_record("some.name", affected=affected)), {"Some_Name": {"1.0", "1.5", "1.10", "2.0", "2.1"}})
    assert {
        version for version in ("1.0", "1.5", "1.10", "2.0", "2.1") if f" {version}" in str(found.found)
    } == versions


def test_one_vulnerability_is_told_once_and_a_withdrawn_one_not(data: Callable[..., Path]) -> None:
    everything = _between({"introduced": "0"})
    records = (
        _record("arq", 1, affected=everything),
        _record("arq", 2, affected=everything, aliases=["GHSA-1"]),
        _record("arq", 3, affected=everything, withdrawn=_ago(1)),
        _record("arq", 4, affected=everything | {"package": {"ecosystem": "npm", "name": "arq"}}),
    )
    assert len(read(data(*records), {"arq": {"0.28"}}).found) == 1


def test_the_file_is_fetched_whole_or_not_at_all(data: Callable[..., Path], tmp_path: Path) -> None:
    source = data(_record("arq"))
    fetch(tmp_path / "mine.zip", source.as_uri())
    assert read(tmp_path / "mine.zip", {}).age_days == 2
    source.write_bytes(b"cut off")
    with pytest.raises(UnusableData):
        fetch(tmp_path / "mine.zip", source.as_uri())
    assert read(tmp_path / "mine.zip", {}).age_days == 2
