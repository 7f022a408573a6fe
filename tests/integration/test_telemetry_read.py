"""Telemetry as people use it: lists, files, what is kept of one device or person, merged devices, retention."""

import csv
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientPayloadError, ClientTimeout, web
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from sqlalchemy import func, insert, select

from arqlight.errors import SettingsError
from arqlight.families.database import Database
from arqlight.families.telemetry.folding import fold_telemetry
from arqlight.families.telemetry.intake import Hasher, take_in
from arqlight.families.telemetry.retention import tidy
from arqlight.families.telemetry.settings import TelemetrySettings
from arqlight.families.telemetry.tables import (
    devices,
    telemetry_erasures,
    telemetry_events,
    telemetry_merges,
    telemetry_persons,
    usage_daily,
)
from arqlight.settings import Settings
from arqlight_service.app import create_app
from arqlight_service.families.telemetry.files import send_file
from tests.conftest import Client
from tests.support.access import add_token, guarded
from tests.support.telemetry import event, fold

Family = Callable[..., Awaitable[dict[str, Any]]]
NOW = datetime.now(UTC).replace(hour=12)
FIELDS = json.dumps({"quill": {"os": "text", "cores": "number"}, "*": {"beta": "boolean"}})


@pytest.fixture
async def ctx(family: Family) -> dict[str, Any]:
    return await family(telemetry_fields=FIELDS)


@pytest.fixture
async def api(family_settings: Settings, pool: ArqRedis) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(family_settings.changed(telemetry_fields=FIELDS)))) as client:
        yield client


async def get(api: Client, path: str, **params: Any) -> Any:
    answer = await api.get(f"/api/v1/telemetry/{path}", params=params)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def rows(database: Database, table: Any) -> list[Any]:
    async with database.begin() as connection:
        return list((await connection.execute(select(table).order_by(*table.primary_key))).all())


async def some(ctx: dict[str, Any]) -> None:
    """Three devices of two products, over three days."""
    at = [(NOW - timedelta(days=days)).isoformat() for days in range(3)]
    await fold(
        ctx,
        event(1, at=at[2], counters={"exports": 1}, os="Linux"),
        event(2, at=at[1], counters={"exports": 2, "runs": 0.5}, version="2.1", cores=8),
        event(1, at=at[1], device="machine-2", counters={"exports": 4}),
        event(1, at=at[0], device="machine-3", product="lumen", version="=1+1", beta=True, counters={"exports": 8}),
        received_at=NOW,
    )


async def test_devices_products_and_usage_are_listed_by_filter(api: Client, ctx: dict[str, Any]) -> None:
    assert (await get(api, "devices"))["items"] == (await get(api, "usage"))["items"] == []
    await some(ctx)
    hashed = Hasher(ctx["keys"])
    found = (await get(api, "devices"))["items"]
    assert [each["fingerprint"] for each in found] == [
        hashed("machine-3"),
        *sorted((hashed("machine-1"), hashed("machine-2")), reverse=True),
    ]
    [first] = (await get(api, "devices", version="2.1"))["items"]
    assert (first["version"], first["events"], first["fields"]) == ("2.1", 2, {"os": "Linux", "cores": 8})
    assert len((await get(api, "devices", product="quill"))["items"]) == 2
    assert len((await get(api, "devices", since=(NOW - timedelta(hours=1)).isoformat()))["items"]) == 1
    assert len((await get(api, "devices", until=(NOW - timedelta(hours=1)).isoformat()))["items"]) == 2
    lumen, quill = (await get(api, "products"))["items"]
    assert (lumen["product"], lumen["devices"], quill["devices"], quill["events"]) == ("lumen", 1, 2, 3)
    assert quill["versions"] == [{"version": "2.0", "devices": 1}, {"version": "2.1", "devices": 1}]
    usage = (await get(api, "usage", product="quill"))["items"]
    assert [(each["day"], each["version"], each["counter"], each["total"], each["devices"]) for each in usage] == [
        (str((NOW - timedelta(days=1)).date()), "2.1", "runs", 0.5, 1),
        (str((NOW - timedelta(days=1)).date()), "2.1", "exports", 2, 1),
        (str((NOW - timedelta(days=1)).date()), "2.0", "exports", 4, 1),
        (str((NOW - timedelta(days=2)).date()), "2.0", "exports", 1, 1),
    ]
    assert len((await get(api, "usage", counter="runs"))["items"]) == 1


@pytest.mark.parametrize("path", ["devices", "products", "usage"])
async def test_a_list_read_page_by_page_is_the_list(api: Client, ctx: dict[str, Any], path: str) -> None:
    await some(ctx)
    whole, by_page, cursor = (await get(api, path))["items"], [], ""
    while cursor is not None:
        page = await get(api, path, limit=1, cursor=cursor)
        by_page += page["items"]
        cursor = page["next"]
    assert by_page == whole
    assert len(whole) > 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("product=%00", "product"), ("version=a%00", "version"), ("since=soon", "since"), ("limit=0", "limit"),
        ("cursor=nonsense", None), ("cursor=WyJhIl0", None), ("cursor=WyJcdTAwMDAiLCAiYSIsICJiIl0", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["devices", "usage"])
async def test_a_query_that_the_database_cannot_take_is_refused(
    api: Client, database: Database, path: str, query: str, field: str | None
) -> None:
    answer = await api.get(f"/api/v1/telemetry/{path}?{query}")
    told = await answer.json()
    assert (answer.status, told.get("field")) == (400, field), told


async def test_times_at_the_ends_of_the_calendar_are_filters_as_any_other(api: Client, ctx: dict[str, Any]) -> None:
    await some(ctx)
    ends = {"since": "0001-01-01T00:00:00+14:00", "until": "9999-12-31T23:59:59-14:00"}
    for path in ("devices", "usage", "products"):
        assert (await get(api, path, **ends))["items"] == (await get(api, path))["items"]


async def test_what_matches_is_exported_as_csv_that_runs_no_formula_and_as_lines(
    api: Client, ctx: dict[str, Any]
) -> None:
    await some(ctx)
    answer = await api.get("/api/v1/telemetry/devices/export")
    assert answer.content_type == "text/csv"
    table = list(csv.DictReader((await answer.text()).splitlines()))
    assert len(table) == 3
    assert [row["version"] for row in table if row["product"] == "lumen"] == ["'=1+1"]
    assert {row["fields"] for row in table} >= {'{"beta": true}'}
    lines = await (await api.get("/api/v1/telemetry/usage/export?format=jsonl&product=quill")).text()
    assert sorted(json.loads(line)["total"] for line in lines.splitlines()) == [0.5, 1, 2, 4]


async def test_a_file_that_breaks_off_is_seen_to_be_cut_by_who_reads_it() -> None:
    async def groups() -> AsyncGenerator[list[dict[str, Any]], None]:
        yield [{"a": 1}]
        raise OSError("the database is gone")

    async def download(request: web.Request) -> web.StreamResponse:
        return await send_file(request, "rows", "jsonl", (), groups())

    app = web.Application()
    app.router.add_get("/", download)
    async with TestClient(TestServer(app), timeout=ClientTimeout(10)) as client:
        with pytest.raises(ClientPayloadError):
            await (await client.get("/")).read()


async def test_extra_fields_that_are_declared_are_kept_and_all_others_dropped_and_said(
    ctx: dict[str, Any], database: Database
) -> None:
    declared = {"quill": {"os": "text", "cores": "number"}, "*": {"beta": "boolean"}}
    bad = {"os": "a\0b", "cores": 10**400, "beta": "yes", "colour": {"deep": [1]}}
    events = [event(1, os="Linux", cores=8, beta=False), event(2, **bad), event(3, product="lumen", os="Mac")]
    intake = take_in(events, None, NOW, Hasher(ctx["keys"]), declared)
    assert [each["fields"] for each in intake.events] == [{"os": "Linux", "cores": 8, "beta": False}, {}, {}]
    told = sorted((each["field"], each["events"], each["reason"]) for each in intake.to_json()["dropped"])
    assert told == [
        ("beta", 1, "it is a str, not true or false"),
        ("colour", 1, "it is not declared (ARQLIGHT_TELEMETRY_FIELDS)"),
        ("cores", 1, "it is not between -1e15 and 1e15"),
        ("os", 1, "it holds control characters or text that is not valid Unicode"),
        ("os", 1, "it is not declared (ARQLIGHT_TELEMETRY_FIELDS)"),
    ]
    await fold_telemetry(ctx, intake.events)
    assert [each.fields for each in await rows(database, devices)] == [{}, {"os": "Linux", "cores": 8, "beta": False}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"telemetry_fields": "{"}, {"telemetry_fields": '{"quill": {"os": "date"}}'}, {"telemetry_fields": "[]"},
        {"telemetry_keep_d": "quill"}, {"telemetry_keep_d": "quill=-1"}, {"telemetry_keep_d": "a=1,a=2"},
        {"telemetry_keep_d": "a=99999"},
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_with_a_sentence(settings: Settings, wrong: dict[str, str]) -> None:
    [name] = wrong
    with pytest.raises(SettingsError, match=f"ARQLIGHT_{name.upper()}"):
        settings.changed(**wrong).of(TelemetrySettings)


async def test_more_usage_than_one_statement_can_hold_is_counted(ctx: dict[str, Any], database: Database) -> None:
    counters = {f"c{number}": 1 for number in range(50)}
    events = [event(number, device=f"d{number}", counters=counters) for number in range(300)]
    assert (await fold(ctx, *events))["counted"] == 300
    async with database.begin() as connection:
        assert (await connection.execute(select(func.sum(usage_daily.c.total)))).scalar_one() == 15_000


async def test_what_is_kept_of_a_person_is_given_out_and_no_more(api: Client, ctx: dict[str, Any]) -> None:
    await fold(
        ctx, event(1, person="Ada@example.org", counters={"runs": 1}), event(2, device="d2", person="ben@example.org")
    )
    asked = {"by": "person", "value": "ada@EXAMPLE.org"}
    answer = await api.post("/api/v1/telemetry/subject-exports", json=asked)
    told = [json.loads(line) for line in (await answer.text()).splitlines()]
    hashed = Hasher(ctx["keys"])
    assert [each["kind"] for each in told] == ["device", "usage", "person", "event_id"]
    assert {each["fingerprint"] for each in told} == {hashed("machine-1")}
    assert (told[1]["total"], told[3]["event_id"]) == (1, "e1")
    nobody = await api.post("/api/v1/telemetry/subject-exports", json={"by": "device", "value": "nowhere"})
    assert (nobody.status, "nothing is kept" in (await nobody.json())["detail"]) == (404, True)


@pytest.mark.parametrize("by", ["person", "device", "fingerprint"])
async def test_a_device_or_person_is_erased_and_what_is_on_its_way_does_not_come_back(
    api: Client, ctx: dict[str, Any], database: Database, by: str
) -> None:
    hashed = Hasher(ctx["keys"])
    await fold(ctx, event(1, person="ada", counters={"runs": 1}), event(2, device="d2", person="ben"))
    on_its_way = take_in([event(3), event(4, at=None)], None, datetime.now(UTC), hashed).events
    value = {"person": "ada", "device": "machine-1", "fingerprint": hashed("machine-1")}[by]
    answer = await api.post("/api/v1/telemetry/erasures", json={"by": by, "value": value})
    told = await answer.json()
    assert told == {"fingerprints": [hashed("machine-1")], "device": 1, "usage": 1, "person": 1, "event_id": 1}
    assert await fold_telemetry(ctx, on_its_way) == {"counted": 0, "repeated": 0, "erased": 2}
    for table in (devices, telemetry_persons, telemetry_events):
        assert [each.fingerprint for each in await rows(database, table)] == [hashed("d2")], table
    assert (await fold(ctx, event(5)))["counted"] == 1, "it is a new device from then on"
    again = await api.post("/api/v1/telemetry/erasures", json={"by": "person", "value": "nobody"})
    assert (await again.json())["device"] == 0


async def test_two_devices_are_merged_and_what_the_first_sends_counts_for_the_second(
    api: Client, ctx: dict[str, Any], database: Database
) -> None:
    hashed = Hasher(ctx["keys"])
    one, two, three = (hashed(f"machine-{number}") for number in (1, 2, 3))
    both = [
        event(1, counters={"runs": 1}, person="ada", os="Linux", device=device) for device in ("machine-1", "machine-2")
    ]
    await fold(ctx, *both, event(1, device="machine-1", product="lumen"), event(1, device="machine-3"))
    merged = await api.post("/api/v1/telemetry/merges", json={"fingerprint": one, "into": two})
    assert await merged.json() == {"fingerprint": one, "into": two, "products": 2, "usage": 1}
    assert (await fold(ctx, event(1, counters={"runs": 1})))["repeated"] == 1, "it was counted before it was merged"
    assert (await fold(ctx, event(2, counters={"runs": 5})))["counted"] == 1
    assert [(each.product, each.events) for each in await rows(database, devices) if each.fingerprint == two] == [
        ("lumen", 1), ("quill", 3),
    ]  # fmt: skip
    assert [(each.fingerprint, int(each.total)) for each in await rows(database, usage_daily)] == [(two, 7)]
    assert [each.fingerprint for each in await rows(database, telemetry_persons)] == [two]
    for fingerprint, into, status in ((one, two, 409), (two, two, 409), ("0" * 64, two, 404), ("x", two, 422)):
        refused = await api.post("/api/v1/telemetry/merges", json={"fingerprint": fingerprint, "into": into})
        assert refused.status == status, await refused.text()
    await api.post("/api/v1/telemetry/merges", json={"fingerprint": two, "into": three})
    assert {(each.fingerprint, each.into_fingerprint) for each in await rows(database, telemetry_merges)} == {
        (one, three), (two, three),
    }  # fmt: skip
    erased = await (await api.post("/api/v1/telemetry/erasures", json={"by": "device", "value": "machine-1"})).json()
    assert erased["fingerprints"] == sorted((one, two, three))
    assert [await rows(database, table) for table in (devices, usage_daily, telemetry_events, telemetry_merges)] == [
        [], [], [], [],
    ]  # fmt: skip


async def test_erasing_is_for_admins_and_each_of_these_is_in_the_audit_list_without_the_persons_name(
    family_settings: Settings, pool: ArqRedis, ctx: dict[str, Any]
) -> None:
    await fold(ctx, event(1, person="ada@example.org"))
    asked = {"by": "person", "value": "ada@example.org"}
    async with guarded(family_settings) as client:
        statuses = {}
        for scope in ("viewer", "operator", "telemetry", "admin"):
            _, headers = await add_token(client, scope)
            listed = await client.get("/api/v1/telemetry/devices", headers=headers)
            downloaded = await client.get("/api/v1/telemetry/devices/export", headers=headers)
            exported = await client.post("/api/v1/telemetry/subject-exports", json=asked, headers=headers)
            erased = await client.post("/api/v1/telemetry/erasures", json=asked, headers=headers)
            statuses[scope] = (listed.status, downloaded.status, exported.status, erased.status)
        assert statuses == {
            "viewer": (200, 403, 403, 403),
            "operator": (200, 200, 200, 403),
            "telemetry": (403, 403, 403, 403),
            "admin": (200, 200, 200, 200),
        }
        text = await (await client.get("/api/v1/audit?format=jsonl", headers=headers)).text()
    entries = [json.loads(line) for line in text.splitlines()]
    done = [each for each in entries if each["result"] == "done"]
    whats = [each["what"] for each in done]
    assert whats.count("export what telemetry keeps of a device or person") == 2
    assert whats.count("download devices of telemetry") == 2
    [erasure] = [each for each in done if each["what"] == "erase what telemetry keeps of a device or person"]
    assert (erasure["to"]["device"], erasure["kind"]) == (1, "change")
    assert "ada@example.org" not in text


async def test_usage_and_devices_go_after_the_days_of_their_product(family: Family, database: Database) -> None:
    ctx = await family(telemetry_keep_d="*=100,quill=10,archive=0")
    old, now = datetime.now(UTC) - timedelta(days=50), datetime.now(UTC)
    ages = [("quill", 9), ("quill", 11), ("lumen", 99), ("lumen", 101), ("archive", 5000)]
    async with database.begin() as connection:
        for number, (product, age_d) in enumerate(ages):
            at, name = now - timedelta(days=age_d, hours=1), {"fingerprint": f"{number:064}", "product": product}
            seen = {"version": "1", "events": 1, "first_seen": at, "last_seen": at}
            await connection.execute(insert(devices).values(**name, **seen))
            used = {"version": "1", "day": at.date(), "counter": "runs", "total": 1}
            await connection.execute(insert(usage_daily).values(**name, **used))
            person = {"person": "p", "fingerprint": name["fingerprint"]}
            await connection.execute(insert(telemetry_persons).values(**person))
        many = [{"fingerprint": "f", "product": "quill", "event_id": str(n), "received_at": old} for n in range(2_500)]
        await connection.execute(insert(telemetry_events), many)
        await connection.execute(insert(telemetry_erasures).values(fingerprint="f", erased_at=old))
        merge = {"fingerprint": "gone", "into_fingerprint": "away", "merged_at": old}
        await connection.execute(insert(telemetry_merges).values(**merge))
    assert await tidy(ctx) == {
        "event_ids": 2_500, "telemetry_erasures": 1, "usage": 2, "devices": 2, "telemetry_persons": 2,
        "telemetry_merges": 1,
    }  # fmt: skip
    left = [("quill", 0), ("lumen", 2), ("archive", 4)]
    assert [(each.product, int(each.fingerprint)) for each in await rows(database, devices)] == left
    assert [(each.product, int(each.fingerprint)) for each in await rows(database, usage_daily)] == left
