"""Several worker processes under one supervisor."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable

from arq.connections import ArqRedis

from arqlight.journal.reader import Reader
from tests.support.waiting import eventually


async def test_a_dead_worker_process_is_replaced_and_all_stop_on_sigterm(
    spawn: Callable[..., subprocess.Popen[str]], pool: ArqRedis, reader: Reader
) -> None:
    supervisor = spawn("worker", "--processes", "2")

    async def pids() -> set[int]:
        return {worker["pid"] for worker in await reader.workers()}

    async def two_others(than: set[int]) -> set[int]:
        now = await pids()
        return now if len(now - than) == (2 if not than else 1) else set()

    first = await eventually(lambda: two_others(set()))
    victim = min(first)
    os.kill(victim, signal.SIGKILL)
    later = await eventually(lambda: two_others(first), within_s=25)
    assert later - first
    supervisor.send_signal(signal.SIGTERM)
    output, _ = await asyncio.to_thread(supervisor.communicate, timeout=20)
    assert supervisor.returncode == 0, output
    assert "was killed by signal 9" in output
    assert not await pids() & (later - {victim})


async def test_processes_with_wrong_settings_end_at_once_with_the_reason(
    spawn: Callable[..., subprocess.Popen[str]],
) -> None:
    supervisor = spawn("worker", "--processes", "2", "--queues", "high=2,default")
    output, _ = await asyncio.to_thread(supervisor.communicate, timeout=20)
    assert supervisor.returncode == 2, output
    assert "queue 'default' has no weight while others have one" in output


async def test_worker_processes_stop_when_their_supervisor_is_killed(
    spawn: Callable[..., subprocess.Popen[str]], pool: ArqRedis, reader: Reader
) -> None:
    supervisor = spawn("worker", "--processes", "2")
    await eventually(lambda: _workers(reader, 2))
    supervisor.kill()
    await eventually(lambda: _workers(reader, 0))


async def _workers(reader: Reader, number: int) -> bool:
    return len(await reader.workers()) == number
