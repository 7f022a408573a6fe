"""Runs one peer, or us, on one workload, and counts the marks its tasks leave."""

import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.benchmarks.servers import Servers

SCRIPTS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parent.parent.parent
# A peer that stops making progress is not waited for: its figure is that of the jobs it did.
LONGEST_S = 60.0


class PeerFailed(Exception):
    """A peer's script did not do what was asked of it."""


@dataclass(frozen=True)
class Peer:
    """`name` is also that of its script; `jobs` are how many a round gives it, so that a round takes seconds."""

    name: str
    variant: str
    jobs: int
    settings: str
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """As the tables show it."""
        return f"{self.name}, {self.settings}"

    @property
    def is_ours(self) -> bool:
        """Whether it is arqlight."""
        return self.name.startswith("arqlight")

    def version(self) -> str:
        """What its script pins."""
        if self.is_ours:
            return "this checkout"
        pins: list[str] = re.findall(r'"([\w\[\],.-]+==[\w.]+)"', (SCRIPTS / f"with_{self.name}.py").read_text())
        return ", ".join(pins)

    def command(self, verb: str, argument: str) -> list[str]:
        """How its script is started: ours in this environment, a peer's in one of its own, made on first use."""
        script = str(SCRIPTS / f"with_{self.name}.py")
        if self.is_ours:
            return [sys.executable, script, verb, argument]
        uv = Path(sys.executable).parent / "uv"
        return [str(uv), "run", "--quiet", "--no-project", "--script", script, verb, argument]


class Run:
    """A peer between fresh servers' data and its end."""

    def __init__(self, peer: Peer, servers: Servers, *, flush: bool = True) -> None:
        self.peer = peer
        handle, self.marks = tempfile.mkstemp(prefix="arqlight-marks-")
        os.close(handle)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ARQLIGHT_")}
        self.environment.pop("VIRTUAL_ENV", None)
        self.environment |= {
            "BENCH_REDIS_URL": servers.redis_url, "BENCH_POSTGRES_URL": servers.postgres_url,
            "BENCH_MARKS": self.marks, "PYTHONPATH": str(ROOT) if peer.is_ours else "", **dict(peer.environment),
        }  # fmt: skip
        if flush:
            redis.Redis(port=servers.redis_port).flushall()

    def fill(self) -> None:
        """Enqueue the peer's jobs."""
        self._do("fill", str(self.peer.jobs))

    def drain(self) -> float:
        """Enqueue the peer's jobs and run them: jobs a second, from the first mark to the last."""
        self.fill()
        return self.run_jobs()

    def run_jobs(self) -> float:
        """Run as many jobs as the peer's, of those that wait: jobs a second."""
        worker = self._start_worker()
        try:
            deadline = time.perf_counter() + LONGEST_S
            while not self._size() and time.perf_counter() < deadline:
                time.sleep(0.001)
            began, first = time.perf_counter(), self._size()
            while self._size() < self.peer.jobs and time.perf_counter() < began + LONGEST_S and worker.poll() is None:
                time.sleep(0.02)
            done = self._size() - first
            if done <= 0:
                raise PeerFailed(f"{self.peer.label}: no job was done")
            return done / (time.perf_counter() - began)
        finally:
            self._end(worker)

    def pick_up(self, pings: int) -> tuple[list[float], float]:
        """From the call of enqueue to the task's first line, of an idle worker, and how long the calls took, in ms."""
        self._do("fill", "0")
        worker = self._start_worker()
        try:
            time.sleep(4)  # idle: started, connected, and its start-up over
            call_ms = float(self._do("ping", str(pings), timeout_s=LONGEST_S))
            raw = Path(self.marks).read_bytes()
            return [ns / 1e6 for (ns,) in struct.iter_unpack("q", raw[: len(raw) // 8 * 8])], call_ms
        finally:
            self._end(worker)

    def _start_worker(self) -> subprocess.Popen[bytes]:
        command = self.peer.command("work", self.peer.variant)
        return subprocess.Popen(command, env=self.environment, start_new_session=True, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)  # fmt: skip

    def _do(self, verb: str, argument: str, timeout_s: float = 300) -> str:
        try:
            done = subprocess.run(self.peer.command(verb, argument), env=self.environment, timeout=timeout_s,
                                  capture_output=True, text=True, check=False)  # fmt: skip
        except subprocess.TimeoutExpired:
            raise PeerFailed(f"{self.peer.label}: `{verb}` took more than {timeout_s:g} s") from None
        if done.returncode:
            raise PeerFailed(f"{self.peer.label}: `{verb}` failed: {done.stderr.strip().splitlines()[-1:]}")
        return done.stdout

    def _size(self) -> int:
        return os.stat(self.marks).st_size

    def _end(self, worker: subprocess.Popen[bytes]) -> None:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        os.unlink(self.marks)
