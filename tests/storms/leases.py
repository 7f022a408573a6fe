"""The arq application of the leases' storms."""

import asyncio
import os
import signal
import time
from typing import Any, ClassVar


async def wait(ctx: dict[str, Any], seconds: float) -> None:
    await asyncio.sleep(seconds)


async def block(ctx: dict[str, Any], seconds: float) -> None:
    time.sleep(seconds)  # noqa: ASYNC251 - this is the fault under test


async def die(ctx: dict[str, Any]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class WorkerSettings:
    """Few slots, so that a worker holds what it runs."""

    functions: ClassVar[list[Any]] = [wait, block, die]
    max_jobs = 5
