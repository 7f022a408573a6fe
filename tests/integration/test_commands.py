"""The commands: one that starts everything, and errors in one line."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from arqlight_service.auth.middleware import is_loopback
from tests.conftest import ROOT
from tests.support.waiting import eventually


class Up:
    """`arqlight up` as a process; `address` is where it says its page is."""

    def __init__(self, data_dir: Path, *flags: str, **environment: str) -> None:
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith("ARQLIGHT_") and name != "PORT"
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "arqlight_service", "up", "--data-dir", str(data_dir), *flags],
            cwd=ROOT, env=clean | {"PORT": "0"} | environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self.process.stdout
        said = self.process.stdout.readline()
        found = re.search(r"http://\S+", said)
        assert found, f"it said {said!r}"
        self.address = found[0].rstrip("/")

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Stop it as Ctrl-C in a terminal does: the signal goes to the whole foreground group."""
        os.killpg(self.process.pid, number)
        return self.process.wait(timeout=40)


@pytest.fixture
def started() -> Iterator[list[Up]]:
    running: list[Up] = []
    yield running
    for up in running:
        if up.process.poll() is None:
            up.process.kill()
        up.process.communicate()


async def _get(address: str, path: str) -> Any:
    try:
        async with aiohttp.ClientSession() as session, session.get(address + path) as answer:
            return await answer.json() if answer.status == 200 else None
    except aiohttp.ClientError:
        return None


async def _stats(up: Up, **wanted: int) -> Any:
    stats = await _get(up.address, "/api/v1/stats")
    return stats and all(stats[name] == value for name, value in wanted.items()) and stats


def _command(data_dir: Path, *command: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ARQLIGHT_")}
    return subprocess.run(
        [sys.executable, "-m", "arqlight_service", *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        env=clean | {"ARQLIGHT_DATA_DIR": str(data_dir)},
    )  # fmt: skip


async def test_up_starts_everything_stops_on_ctrl_c_and_keeps_its_jobs_and_its_deletions(
    tmp_path: Path, started: list[Up]
) -> None:
    data = tmp_path / "data of my 'team'"
    up = Up(data)
    started.append(up)
    await eventually(lambda: _stats(up, workers=1), within_s=30)
    for number in range(2):
        done = _command(data, "enqueue", "deliver_webhook", "url=ftp://nowhere", "--id", f"bad{number}")
        assert (done.returncode, done.stdout.strip()) == (0, f"bad{number}")
    await eventually(lambda: _stats(up, failed=2))
    async with aiohttp.ClientSession() as session, session.delete(f"{up.address}/api/v1/failed/bad0") as answer:
        assert answer.status == 204
    second = _command(data, "up", "--port", "0")
    assert second.returncode == 2
    assert "in use by another `arqlight up`" in second.stderr
    assert up.stop() == 0
    assert not (data / "redis-url").exists()
    again = Up(data)
    started.append(again)
    await eventually(lambda: _stats(again, workers=1, failed=1), within_s=30)
    [failed] = (await _get(again.address, "/api/v1/failed"))["items"]
    assert (failed["id"], failed["error"]) == ("bad1", "InvalidWebhook")
    assert again.stop(signal.SIGTERM) == 0


async def test_a_part_of_up_that_is_killed_is_started_again(tmp_path: Path, started: list[Up]) -> None:
    up = Up(tmp_path)
    started.append(up)
    for part in ("worker", "server"):
        await eventually(lambda: _stats(up, workers=1), within_s=30)
        [pid] = _children(up.process.pid, part)
        os.kill(pid, signal.SIGKILL)

        async def is_another(part: str = part, pid: int = pid) -> bool:
            return pid not in (found := _children(up.process.pid, part)) and bool(found)

        await eventually(is_another, within_s=30)
    await eventually(lambda: _stats(up, workers=1), within_s=40)
    assert up.stop() == 0


def _children(parent: int, command: str) -> list[int]:
    """The processes of `up` that run this command of ours."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            words = (status.parent / "cmdline").read_bytes().split(b"\0")
            if int(fields[1]) == parent and command.encode() in words:
                found.append(int(status.parent.name))
    return found


async def test_the_demo_shows_life_through_the_real_tasks(tmp_path: Path, started: list[Up]) -> None:
    up = Up(tmp_path, "--demo")
    started.append(up)
    families = {"send_email", "deliver_webhook", "send_event", "deliver_event", "fold_telemetry",
                "generate_licence_keys", "export_table", "sync_sales"}  # fmt: skip

    async def tasks_done() -> Any:
        jobs = await _get(up.address, "/api/v1/jobs?state=succeeded&limit=500")
        return jobs and families <= {job["task"] for job in jobs["items"]}

    await eventually(tasks_done, within_s=60)
    assert up.stop() == 0


async def test_when_up_is_killed_its_parts_go_with_it(tmp_path: Path, started: list[Up]) -> None:
    up = Up(tmp_path)
    started.append(up)
    await eventually(lambda: _stats(up, workers=1), within_s=30)
    up.process.kill()
    up.process.wait()

    async def gone() -> bool:
        return await _get(up.address, "/healthz") is None and not (tmp_path / "redis-url").exists()

    await eventually(gone, within_s=30)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["up", "--host", "0.0.0.0"], "would let anyone on the network"),
        (["server", "--host", "192.0.2.1"], "would let anyone on the network"),
        (["up", "--port", "x"], "ARQLIGHT_PORT='x'"),
        (["server", "--smtp-tls", "maybe"], "ARQLIGHT_SMTP_TLS='maybe'"),
        (["worker", "--redis-url", "http://x"], "must begin with redis://"),
        (["worker", "no.such.Settings"], "cannot be imported"),
        (["worker", "--max-jobs", "0"], "ARQLIGHT_MAX_JOBS='0'"),
        (["enqueue"], "Missing argument 'TASK'"),
    ],
)
def test_bad_input_is_refused_in_one_line_with_exit_code_2(tmp_path: Path, command: list[str], words: str) -> None:
    done = _command(tmp_path, *command)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["worker"], ["enqueue", "send_email", "to=a@b.org", "template=alert"]])
def test_a_server_that_is_away_is_said_in_one_line_without_the_password(tmp_path: Path, command: list[str]) -> None:
    done = _command(tmp_path, *command, "--redis-url", "redis://user:hunter2@127.0.0.1:1/0")
    assert done.returncode == 1
    assert "no Redis or Valkey answers at" in done.stderr.splitlines()[-1]
    assert "hunter2" not in done.stderr


def test_help_names_flags_and_variables(tmp_path: Path) -> None:
    for command in ("server", "worker", "enqueue", "alive"):
        done = _command(tmp_path, command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
    done = _command(tmp_path, "up", "--help")
    for name in ("--redis-url", "ARQLIGHT_REDIS_URL", "--smtp-host", "ARQLIGHT_SMTP_HOST", "--data-dir"):
        assert name in done.stdout


def test_what_is_loopback_is_known() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org", "")))
