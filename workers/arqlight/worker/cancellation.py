"""What an attempt does with cancellations, and with what else may come out of code that is not ours."""

import asyncio


def let_pass(error: BaseException) -> None:
    """Raise again what closes a coroutine whose event loop is gone; whatever else a task or hook raises ends its job.

    A KeyboardInterrupt too: arq's worker handles SIGINT itself, so that it is the task's own.
    """
    if asyncio.current_task() is None:
        raise error


def take_back_cancels() -> int:
    """Uncancel the task that runs now; how often it had been cancelled."""
    task, taken_back = asyncio.current_task(), 0
    while task and task.cancelling():
        task.uncancel()
        taken_back += 1
    return taken_back
