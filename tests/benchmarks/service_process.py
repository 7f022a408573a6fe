"""The service, or workers, of this checkout as processes of their own."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

from tests.benchmarks.peer import ROOT
from tests.benchmarks.servers import Servers


@contextlib.contextmanager
def arqlight(servers: Servers, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """`arqlight …` while the body runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "arqlight_service", *command],
        env=os.environ | {"ARQLIGHT_REDIS_URL": servers.redis_url, "PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def service(servers: Servers) -> Iterator[tuple[int, int]]:
    """The service while the body runs: its port and its process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    with arqlight(servers, "server", "--port", str(port), ARQLIGHT_SOCKETS_PER_ADDRESS="100000") as process:
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/stats", timeout=5).close()
                break
            time.sleep(0.05)
        yield port, process.pid


def resident_mb(pid: int) -> float:
    """A process's resident memory, in MB."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
