"""Telemetry: what is taken in, what is refused and why, and what is counted."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from sqlalchemy import func, select

from arqlight.families.database import Database
from arqlight.families.telemetry.folding import fold_telemetry
from arqlight.families.telemetry.intake import Hasher, take_in
from arqlight.families.telemetry.tables import devices, usage_daily
from arqlight.key_ring import KeyRing
from arqlight.settings import Settings
from arqlight_service.app import create_app
from arqlight_service.families.telemetry.batch import split_events
from tests.conftest import StartWorker
from tests.support.families import hooks
from tests.support.waiting import eventually

Family = Callable[..., Awaitable[dict[str, Any]]]
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def event(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "device": "machine-1",
        "product": "quill",
        "version": "2.0",
        "at": NOW.isoformat(),
        **more,
    }


@pytest.fixture
def hasher(settings: Settings) -> Hasher:
    return Hasher(KeyRing(settings))


@pytest.mark.parametrize(
    ("wrong", "field", "reason"),
    [
        ({"device": None}, "device", "it is missing"),
        ({"device": 7}, "device", "it is a int, not a text"),
        ({"id": ""}, "id", "it has 0 characters"),
        ({"device": "x" * 501}, "device", "it has 501 characters"),
        ({"product": "a\nb"}, "product", "control characters"),
        ({"product": "\ud800"}, "product", "not valid Unicode"),
        ({"at": "yesterday"}, "at", "not an ISO 8601 time"),
        ({"at": 12}, "at", "not an ISO 8601 time"),
        ({"at": (NOW - timedelta(days=8)).isoformat()}, "at", "it is 8 days old; 7 are taken at most"),
        ({"counters": [1]}, "counters", "it is a list"),
        ({"counters": {"a": "1"}}, "counters.a", "it is a str, not a number"),
        ({"counters": {"a": True}}, "counters.a", "it is a bool"),
        ({"counters": {"a": -1}}, "counters.a", "not between 0"),
        ({"counters": {"a": float("nan")}}, "counters.a", "not between 0"),
        ({"counters": {str(n): 1 for n in range(51)}}, "counters", "51 are too many"),
        ({"person": "a\nb"}, "person", "control characters"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "at", "out of range"),
        ({"at": [10**5000]}, "at", "a list is not an ISO 8601 time"),
        ({"at": "2026-05-04\0"}, "at", "not an ISO 8601 time"),
        ({"counters": {"a": 10**400}}, "counters.a", "a whole number of 1,329 bits is not between 0"),
        ({"counters": {"a": -(10**5000)}}, "counters.a", "bits is not between 0"),
        ({"counters": {"a": 2**63}}, "counters.a", "9223372036854775808 is not between 0"),
        ({"counters": {"a\0": 1}}, "counters", "not printable"),
        ({"version": "2\0"}, "version", "control characters"),
        ({"id": {"a": 1}}, "id", "it is a dict, not a text"),
    ],
)
def test_what_is_wrong_with_one_event_is_said_and_the_others_are_taken(
    hasher: Hasher, wrong: dict[str, Any], field: str, reason: str
) -> None:
    intake = take_in([event(1), event(2, **wrong), "text"], None, NOW, hasher)
    assert len(intake.events) == 1
    refused, text = intake.refused
    assert (refused["index"], refused["field"]) == (1, field)
    assert reason in refused["reason"]
    assert text == {"index": 2, "id": None, "field": "event", "reason": "it is a str, not an object"}


def test_a_clock_that_is_off_is_taken_off_each_time_and_said(hasher: Hasher) -> None:
    slow = NOW - timedelta(hours=3)
    intake = take_in([event(at=(slow - timedelta(minutes=5)).isoformat())], slow, NOW, hasher)
    assert intake.to_json()["clock"] == {"skew_s": 10_800.0, "adjusted": 1}
    assert intake.events[0]["at"] == (NOW - timedelta(minutes=5)).isoformat()
    right = take_in([event()], NOW - timedelta(seconds=3), NOW, hasher)
    assert right.to_json()["clock"] == {"skew_s": 0.0, "adjusted": 0}, "that is the way through the network"
    future = take_in([event(at="2031-01-01T00:00:00Z"), event(2, at=None)], None, NOW, hasher)
    assert [each["at"] for each in future.events] == [NOW.isoformat()] * 2
    assert future.adjusted == 2


def test_a_fingerprint_goes_no_further_than_its_hash(hasher: Hasher, settings: Settings) -> None:
    [taken] = take_in([event()], None, NOW, hasher).events
    assert "machine-1" not in str(taken)
    assert len(taken["fingerprint"]) == 64
    other = Hasher(KeyRing(settings.changed(secret_key=None, data_dir=settings.data_dir / "other")))
    assert other("machine-1") != hasher("machine-1"), "the key is of this installation"


async def test_the_same_event_counts_once_in_a_batch_and_over_batches(
    family: Family, database: Database, hasher: Hasher
) -> None:
    ctx = await family()
    later = (NOW + timedelta(minutes=1)).isoformat()
    first = take_in(
        [event(1, counters={"exports": 2}), event(1, counters={"exports": 2}), event(2, counters={"exports": 0.5})],
        None, NOW, hasher,
    )  # fmt: skip
    assert await fold_telemetry(ctx, first.events) == {"counted": 2, "repeated": 1, "erased": 0}
    again = take_in([event(2, counters={"exports": 0.5}), event(3, version="2.1", at=later)], None, NOW, hasher)
    assert await fold_telemetry(ctx, again.events) == {"counted": 1, "repeated": 1, "erased": 0}
    async with database.begin() as connection:
        [device] = (await connection.execute(select(devices))).all()
        [usage] = (await connection.execute(select(usage_daily))).all()
    assert (device.events, device.version, device.product) == (3, "2.1", "quill")
    assert device.fingerprint == hasher("machine-1")
    assert (usage.day, usage.counter, float(usage.total)) == (date(2026, 5, 4), "exports", 2.5)


async def test_events_of_two_products_with_the_same_id_both_count(
    family: Family, database: Database, hasher: Hasher
) -> None:
    ctx = await family()
    both = [event(id="seq1", product=product) for product in ("quill", "lumen")]
    assert await fold_telemetry(ctx, take_in(both, None, NOW, hasher).events) == {
        "counted": 2,
        "repeated": 0,
        "erased": 0,
    }
    third = [event(id="seq1", product="inkwell"), event(id="seq1", product="quill")]
    assert await fold_telemetry(ctx, take_in(third, None, NOW, hasher).events) == {
        "counted": 1,
        "repeated": 1,
        "erased": 0,
    }
    async with database.begin() as connection:
        counted = {row.product: row.events for row in await connection.execute(select(devices))}
    assert counted == {"quill": 1, "lumen": 1, "inkwell": 1}


async def test_an_older_event_that_comes_late_does_not_turn_the_version_back(
    family: Family, database: Database, hasher: Hasher
) -> None:
    ctx = await family()
    for number, (at, version) in enumerate(((NOW, "3.0"), (NOW - timedelta(days=2), "2.0"))):
        await fold_telemetry(
            ctx, take_in([event(number, at=at.isoformat(), version=version)], None, NOW, hasher).events
        )
    async with database.begin() as connection:
        device = (await connection.execute(select(devices))).one()
    assert (device.version, device.first_seen, device.last_seen) == ("3.0", NOW - timedelta(days=2), NOW)


def written(**more: Any) -> str:
    return json.dumps(event(**{"at": None, **more}))


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        (written(counters={"a": 10**400}), "counters.a", "1,329 bits"),
        (written(counters={"a": "number"}).replace('"number"', "9" * 5000), "event", "thousands of digits"),
        (written(counters={"a": "number"}).replace('"number"', "1e999"), "event", "too large a number"),
        (written(counters={"a": "number"}).replace('"number"', "NaN"), "event", "NaN is no number"),
        (written(counters={"a": "deep"}).replace('"deep"', "[" * 200_000 + "]" * 200_000), "event", "too deep"),
        (written(counters={"a": "deep"}).replace('"deep"', '{"a":' * 101 + "1" + "}" * 101), "event", "nested deeper"),
        (written()[:-1] + ', "id": "again"}', "event", "'id' stands twice"),
        (written(version="2\0"), "version", "control characters"),
        (written(device="\ud800"), "device", "not valid Unicode"),
        (written(at="0001-01-01T00:00:00+14:00"), "at", "out of range"),
        ('{"id": tru}', "event", "Expecting value"),
    ],
    ids=["401 digits", "5000 digits", "1e999", "NaN", "too deep to read", "too deep to write", "a name twice", "NUL",
         "half a character", "before all times", "no JSON"],
)  # fmt: skip
async def test_whatever_one_event_holds_the_others_of_its_batch_are_taken(
    family_settings: Settings, database: Database, pool: ArqRedis, bad: str, field: str, reason: str
) -> None:
    good = [written(number=number, version='] "} \\\\,') for number in (1, 2)]
    body = f'{{"sent_at": null, "events": [{good[0]}, {bad} ,{good[1]}]}}'
    async with TestClient(TestServer(create_app(family_settings))) as client:
        answer = await client.post("/api/v1/telemetry", data=body, headers={"Content-Type": "application/json"})
        told = await answer.json()
    assert (answer.status, told["accepted"]) == (202, 2), told
    [refused] = told["refused"]
    assert (refused["index"], refused["field"], reason in refused["reason"]) == (1, field, True), refused


@pytest.mark.parametrize("sent_at", ["2026-05-04 12:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_senders_time_that_is_written_otherwise_or_absurd_is_no_trouble_of_ours(
    family_settings: Settings, database: Database, pool: ArqRedis, sent_at: str
) -> None:
    async with TestClient(TestServer(create_app(family_settings))) as client:
        batch = {"sent_at": sent_at, "events": [event(at=None), event(2)]}
        answer = await client.post("/api/v1/telemetry", json=batch)
        told = await answer.json()
    assert (answer.status, told["accepted"] >= 1) == (202, True), told


@pytest.mark.parametrize(
    ("body", "events"),
    [
        ('{"events": [1, {"a": [2, 3]}, "],"]}', ["1", ' {"a": [2, 3]}', ' "],"']),
        ('{"a": "events", "b": {"events": [9]}, "events":[1]}', ["1"]),
        ('{"events": [ ]}', []),
        ('{"events": [1', None),
        ('{"events": {"a": [1]}}', None),
        ('[{"events": [1]}]', None),
        ('{"a": "' + r"\\\"" * 100_000, None),
        ("]" * 100_000, None),
    ],
)
def test_a_batch_is_split_at_its_events_and_nowhere_else(body: str, events: list[str] | None) -> None:
    split = split_events(body)
    assert (split and split[1]) == events
    if split:
        assert len(json.loads(split[0])["events"]) == len(split[1])


async def test_batches_from_an_sdk_are_folded_by_a_worker(
    family_settings: Settings, database: Database, start_worker: StartWorker
) -> None:
    await start_worker([fold_telemetry], queues=["arq:queue:telemetry"], **hooks(family_settings))
    async with TestClient(TestServer(create_app(family_settings))) as client:
        now = datetime.now(UTC).isoformat()
        batch = {
            "sent_at": now,
            "events": [event(n, device=f"d{n % 10}", at=now, counters={"runs": 1}) for n in range(900)] + [{"id": "x"}],
        }
        for _ in range(2):
            answer = await client.post("/api/v1/telemetry", json=batch)
            told = await answer.json()
            assert answer.status == 202, told
            assert (told["accepted"], told["refused"][0]["field"]) == (900, "device")

        async def counted() -> bool:
            async with database.begin() as connection:
                seen = (await connection.execute(select(func.sum(devices.c.events)))).scalar_one()
            stats = await (await client.get("/api/v1/stats")).json()
            return bool(seen == 900 and stats["queued"] == stats["processing"] == 0)

        await eventually(counted)
        async with database.begin() as connection:
            assert (await connection.execute(select(func.sum(usage_daily.c.total)))).scalar_one() == 900
        for body, status, field in (
            ("[]", 422, "body"), ('{"events": []}', 422, "events"), ("nope", 400, None),
            ('{"events": [1], "sent_at": "soon"}', 422, "sent_at"),
        ):  # fmt: skip
            answer = await client.post("/api/v1/telemetry", data=body, headers={"Content-Type": "application/json"})
            problem = await answer.json()
            assert (answer.status, problem.get("field")) == (status, field), problem
