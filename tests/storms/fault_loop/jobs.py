"""The jobs of the fault loops, of every kind, and the worker that runs them."""

import asyncio
import signal
from collections import Counter
from typing import Any

from arq import Retry, func

from arqlight.worker.worker import Worker

QUEUE, HIGH = "arq:queue", "arq:queue:high"
JOBS = {
    "ok-1": "ok", "ok-2": "ok", "ok-3": "ok", "told": "tells", "again": "asks_again", "bad": "fails", "off": "waits",
    "long": "waits", "left": "ok",
}  # fmt: skip
BOUND_S = 25.0


class Jobs:
    """Their tasks. `ran` counts how often each job's task was called; what waits does so until `may_end`."""

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()
        self.may_end = asyncio.Event()

    def functions(self) -> list[Any]:
        """The tasks, as a worker takes them."""
        tasks = (self.ok, self.tells, self.asks_again, self.fails, self.waits)
        return [func(each, name=each.__name__) for each in tasks]

    async def ok(self, ctx: dict[str, Any]) -> str:
        self.ran[ctx["job_id"]] += 1
        return "done"

    async def tells(self, ctx: dict[str, Any]) -> None:
        self.ran[ctx["job_id"]] += 1
        for step in range(3):
            ctx["progress"](step, 3)
            ctx["log"]("step %d", step)
            await asyncio.sleep(0.05)

    async def asks_again(self, ctx: dict[str, Any]) -> None:
        self.ran[ctx["job_id"]] += 1
        if self.ran[ctx["job_id"]] == 1:
            raise Retry(defer=0.05)

    async def fails(self, ctx: dict[str, Any]) -> None:
        self.ran[ctx["job_id"]] += 1
        raise ValueError("as it should")

    async def waits(self, ctx: dict[str, Any]) -> None:
        self.ran[ctx["job_id"]] += 1
        await self.may_end.wait()


async def stop(worker: Worker, running: asyncio.Task[None]) -> bool:
    """Stop a worker as a signal would; whether it stopped within the bound, else it is abandoned."""
    worker.handle_sig(signal.SIGUSR1)
    closing = asyncio.create_task(worker.close())
    done, _ = await asyncio.wait({closing}, timeout=BOUND_S)
    if not done and worker._heartbeat:  # a process would be killed now
        worker._heartbeat._stopping.set()
    closing.cancel()
    running.cancel()
    await asyncio.gather(running, closing, return_exceptions=True)
    return bool(done)
