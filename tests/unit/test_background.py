"""Background work is begun again whatever ends it, but for whoever ends it on purpose."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from arqlight import background
from arqlight.background import end, keep, keep_running
from tests.support.waiting import eventually


class FoundNowhere(BaseException):
    """What no `except Exception` catches."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PAUSE_S", 0)
    monkeypatch.setattr(background, "CANCEL_AGAIN_S", 0.01)


@pytest.mark.parametrize("error", [ValueError, FoundNowhere, asyncio.CancelledError, None])
async def test_work_that_ends_by_itself_is_begun_again_and_said(
    error: Callable[[], BaseException] | None, caplog: pytest.LogCaptureFixture
) -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0)
        if error is not None:
            raise error()

    task = keep("work of a test", work)
    await eventually(lambda: begun > 2)
    await end(task)
    assert task.cancelled()
    assert "work of a test" in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.ERROR}


async def test_a_clean_up_that_raises_in_place_of_the_cancellation_does_not_begin_the_work_again() -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        try:
            await asyncio.sleep(60)
        finally:
            raise ConnectionError("could not be closed")

    task = keep("work of a test", work)
    await asyncio.sleep(0)
    await end(task)
    assert begun == 1
    assert isinstance(task.exception(), ConnectionError)


async def test_a_task_that_meets_its_cancellation_and_goes_on_is_cancelled_again() -> None:
    met = 0

    async def stubborn() -> None:
        nonlocal met
        while met < 3:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                met += 1

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await end(task, None)
    assert met == 3


async def test_work_that_may_return_is_over_when_it_does() -> None:
    async def work() -> None:
        return

    await asyncio.wait_for(keep_running("work of a test", work, may_return=True), 5)
