"""The feed: snapshot, changes, cursors; a consumer that resumes ends with the truth."""

import asyncio
import json
from typing import Any

import pytest

from arqlight_service.feed import subscriber as subscribers
from arqlight_service.feed.feed import Event, Tick
from tests.support.waiting import eventually


def _place(cursor: str) -> tuple[int, ...]:
    return tuple(map(int, cursor.split("-")))


async def test_a_consumer_that_lags_holds_few_ticks_and_is_served_from_the_stream() -> None:
    sent: list[str] = []
    gate = asyncio.Event()

    async def send(text: str) -> None:
        await gate.wait()
        sent.append(text)

    class OneStream:
        """A feed whose stream holds events 1 to 300."""

        events = [Event(f"{n}-0", f"j{n}", json.dumps({"n": n}), False) for n in range(1, 301)]

        async def can_resume(self, cursor: str) -> bool:
            return True

        async def events_after(self, cursor: str) -> list[Event]:
            return [event for event in self.events if _place(event.cursor) > _place(cursor)][:100]

        async def snapshot(self, topics: list[str]) -> tuple[str, list[Any]]:
            return "300-0", []

    slow = subscribers.Subscriber(OneStream(), send)  # type: ignore[arg-type]
    slow.subscribe(["events"], "0-0")
    running = asyncio.create_task(slow.run())
    for event in OneStream.events:
        slow.offer(Tick(event.cursor, [event], {}))
        assert len(slow._ticks) <= subscribers.MOST_WAITING_TICKS
        await asyncio.sleep(0)
    gate.set()
    await eventually(lambda: len(sent) == 300)
    assert [json.loads(text)["n"] for text in sent] == list(range(1, 301))
    running.cancel()


async def test_a_consumer_that_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribers, "SEND_TIMEOUT_S", 0.05)

    async def never(text: str) -> None:
        await asyncio.Event().wait()

    stuck = subscribers.Subscriber(None, never)  # type: ignore[arg-type]
    with pytest.raises(subscribers.TooSlow):
        await stuck.complain("x")


async def test_a_subscription_with_an_id_is_answered_once_however_often_its_consumer_falls_behind() -> None:
    sent: list[dict[str, Any]] = []

    async def send(text: str) -> None:
        sent.append(json.loads(text))

    class Counts:
        """A feed with one topic."""

        async def snapshot(self, topics: list[str]) -> tuple[str, list[Any]]:
            return "1-0", [(topic, {}) for topic in topics]

        async def can_resume(self, cursor: str) -> bool:
            return True

    consumer = subscribers.Subscriber(Counts(), send)  # type: ignore[arg-type]
    consumer.subscribe(["counts"], None, "mine")
    running = asyncio.create_task(consumer.run())
    await eventually(lambda: len(sent) == 2)
    consumer.fall_behind()
    await eventually(lambda: len(sent) == 3)
    assert [frame["type"] for frame in sent] == ["subscribed", "snapshot", "change"]
    running.cancel()
