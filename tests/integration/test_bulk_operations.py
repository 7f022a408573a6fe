"""Bulk operations through the service: states, retries, lists, keys, parts of downloads; a database that was copied."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from arq.worker import Retry
from sqlalchemy import insert, select, text

from arqlight.errors import InvalidInput
from arqlight.families.bulk.exports import ExportMissing, export_table, find_export, new_export
from arqlight.families.bulk.licence_key import FIRST_RANDOM
from arqlight.families.bulk.licences import (
    BatchMissing,
    find_batch,
    generate_licence_keys,
    new_batch,
    request_batch,
)
from arqlight.families.bulk.origin import DatabaseCopied, origin_of
from arqlight.families.bulk.tables import exports, licence_batches, licences
from arqlight.families.database import Database
from arqlight.journal.journal import Journal
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import Client, with_database

Family = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def site(family_settings: Settings, pool: ArqRedis, database: Database) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(family_settings))) as client:
        yield client


async def keys_of(database: Database, batch: int) -> list[str]:
    query = select(licences.c.key).where(licences.c.batch_id == batch).order_by(licences.c.number)
    async with database.begin() as connection:
        return list((await connection.execute(query)).scalars())


async def get(site: Client, path: str) -> Any:
    answer = await site.get(path)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def post(site: Client, path: str, status: int = 202, **body: Any) -> Any:
    answer = await site.post(path, json=body)
    assert answer.status == status, await answer.text()
    return await answer.json()


async def test_after_a_restore_the_next_batch_repeats_no_key(family: Family, database: Database) -> None:
    ctx = await family()
    sold = await new_batch(database, "Quill", 50)
    await generate_licence_keys(ctx, sold)
    keys = set(await keys_of(database, sold))
    async with database.begin() as connection:  # as it was before the batch, its counters too
        await connection.execute(text("TRUNCATE arqlight.licence_batches RESTART IDENTITY CASCADE"))
    following = await new_batch(database, "Quill", 50)
    await generate_licence_keys(ctx, following)
    assert following != sold
    assert not keys & set(await keys_of(database, following))


@pytest.mark.parametrize("noticed", ["by its origin", "by what is known outside of it"])
async def test_a_batch_that_is_half_made_in_a_copy_stops_until_somebody_says_to_go_on(
    family: Family, database: Database, site: Client, noticed: str
) -> None:
    ctx = await family()
    batch = await new_batch(database, "Quill", 1500)
    await generate_licence_keys(ctx, batch)
    sold = await keys_of(database, batch)
    async with database.begin() as connection:  # the backup was made in the middle of it
        await connection.execute(licences.delete().where(licences.c.number > 1000))
        await connection.execute(licence_batches.update().values(made=1000, state="cancelled"))
        if noticed == "by its origin":
            await ctx["redis"].flushall()
            await connection.execute(licence_batches.update().values(made_in="7/00000001/5/6"))
    await post(site, f"/api/v1/licences/{batch}/retry")
    with pytest.raises(DatabaseCopied, match="from number 1,001 on may exist elsewhere"):
        await generate_licence_keys(ctx, batch)
    shown = await get(site, f"/api/v1/licences/{batch}")
    assert (shown["state"], shown["made"]) == ("failed", 1000)
    assert "restored or copied" in shown["reason"]
    await post(site, f"/api/v1/licences/{batch}/retry")
    await generate_licence_keys(ctx, batch)
    assert (await find_batch(database, batch))["state"] == "done"
    assert await keys_of(database, batch) == sold, "exactly the same keys"


async def test_a_copy_of_a_database_is_another_and_a_database_stays_itself(
    settings: Settings, postgres: str, database: Database
) -> None:
    async with database.begin() as connection:
        here = await origin_of(connection)
        assert here is not None
        assert here == await origin_of(connection)
    async with database.autocommit() as connection:
        await connection.execute(text("DROP DATABASE IF EXISTS a_copy"))
        await connection.execute(text("CREATE DATABASE a_copy"))
    base, _, parameters = postgres.partition("?")
    copy = Database(with_database(settings, f"{base.rsplit('/', 1)[0]}/a_copy" + (parameters and f"?{parameters}")))
    try:
        async with copy.begin() as connection:
            assert await origin_of(connection) not in (here, None)
    finally:
        await copy.close()


async def test_a_batch_from_when_ids_were_counted_goes_on_and_is_of_this_database_from_then(
    family: Family, database: Database
) -> None:
    async with database.begin() as connection:
        await connection.execute(insert(licence_batches).values(id=7, product="Quill", count=3))
    await generate_licence_keys(await family(), 7)
    async with database.begin() as connection:
        assert (await connection.execute(select(licence_batches.c.made_in))).scalar_one() == await origin_of(connection)
    assert len(await keys_of(database, 7)) == 3
    assert FIRST_RANDOM > 7


async def test_an_export_that_fails_says_why_and_is_retried(family: Family, database: Database, site: Client) -> None:
    broken = await family(storage_url="ftp://x/y")
    export_id = await new_export(database, "devices", "csv")
    with pytest.raises(Retry):
        await export_table({**broken, "job_try": 1}, export_id)
    found = await find_export(database, export_id)
    assert (found["state"], found["reason"].startswith("to be tried again after SettingsError")) == ("waiting", True)
    with pytest.raises(Exception, match="ARQLIGHT_STORAGE_URL"):
        await export_table({**broken, "job_try": 5}, export_id)
    found = await find_export(database, export_id)
    assert (found["state"], found["reason"].startswith("SettingsError")) == ("failed", True)
    retried = await post(site, f"/api/v1/exports/{export_id}/retry")
    assert (retried["export"], (await find_export(database, export_id))["job_id"]) == (export_id, retried["id"])
    refused = await post(site, f"/api/v1/exports/{export_id}/retry", status=409)
    assert "is waiting; only what failed or was cancelled can be retried" in refused["detail"]
    await export_table({**await family(), "job_id": retried["id"]}, export_id)
    found = await get(site, f"/api/v1/exports/{export_id}")
    assert (found["state"], found["reason"]) == ("done", None)


@pytest.mark.parametrize("path", ["exports", "licences"])
async def test_an_operation_whose_job_was_cancelled_as_it_waited_or_is_gone_says_so(
    site: Client, journal: Journal, pool: ArqRedis, database: Database, path: str
) -> None:
    body = {"table": "devices", "format": "csv"} if path == "exports" else {"product": "Quill", "count": 5}
    task = export_table if path == "exports" else generate_licence_keys
    asked = await post(site, f"/api/v1/{path}", **body)
    mine = f"/api/v1/{path}/{asked['export' if path == 'exports' else 'batch']}"
    assert (await get(site, mine))["state"] == "waiting"
    await journal.cancel(asked["id"], task.queue, task.name)
    shown = await get(site, mine)
    assert (shown["state"], shown["reason"]) == ("cancelled", "its job was cancelled")
    again = await post(site, f"{mine}/retry")
    assert (await get(site, mine))["state"] == "waiting"
    await pool.flushall()
    [listed] = (await get(site, f"/api/v1/{path}"))["items"]
    assert (listed["state"], listed["reason"]) == ("failed", "its job is gone: it was deleted, or the server lost it")
    assert listed["job_id"] == again["id"]
    page = await (await site.get("/bulk")).text()
    assert "its job is gone" in page
    assert f'action="{mine}/retry"' in page


async def test_an_attempt_that_is_cut_off_and_has_another_waits(
    site: Client, database: Database, journal: Journal
) -> None:
    asked = await post(site, "/api/v1/exports", table="devices", format="csv")
    async with database.begin() as connection:
        await connection.execute(exports.update().values(state="cancelled", reason="cut off"))
    assert (await get(site, f"/api/v1/exports/{asked['export']}"))["state"] == "waiting"


@pytest.mark.parametrize("path", ["exports", "licences"])
async def test_a_list_is_read_page_by_page_to_its_end(site: Client, database: Database, path: str) -> None:
    async with database.begin() as connection:
        for number in range(120):
            if path == "exports":
                row = insert(exports).values(id=f"ex_{number}", table_name="devices", format="csv", state="failed")
            else:
                row = insert(licence_batches).values(id=2**33 + number * 977 % 120, product="Quill", count=1)
            await connection.execute(row)
    seen: list[Any] = []
    cursor, pages = "", 0
    while True:
        page = await get(site, f"/api/v1/{path}?limit=50&cursor={cursor}")
        seen += [each["id"] for each in page["items"]]
        pages += 1
        if (cursor := page["next"]) is None:
            break
    assert (len(seen), len(set(seen)), pages) == (120, 120, 3)
    assert len((await get(site, f"/api/v1/{path}?limit=7"))["items"]) == 7
    for wrong in ("limit=0", "limit=501", "limit=99999999999999999999", "cursor=nonsense", "cursor=" + "9" * 30):
        assert (await site.get(f"/api/v1/{path}?{wrong}")).status == 400, wrong
    name = "batches" if path == "licences" else "exports"
    first = await (await site.get("/bulk")).text()
    assert f"/bulk?{name}=" in first


async def test_the_same_key_is_the_same_batch_and_with_other_values_it_is_refused(
    site: Client, database: Database, pool: ArqRedis
) -> None:
    first = await post(site, "/api/v1/licences", product="Quill", count=5, idempotency_key="order 7")
    assert await post(site, "/api/v1/licences", product="Quill", count=5, idempotency_key="order 7") == first
    assert len((await get(site, "/api/v1/licences"))["items"]) == 1
    assert len((await get(site, "/api/v1/jobs"))["items"]) == 1
    refused = await post(site, "/api/v1/licences", status=422, product="Quill", count=6, idempotency_key="order 7")
    assert "'order 7' was used with count 5" in refused["detail"]
    # One that was noted and whose job never came says so, and can be retried.
    batch, _ = await request_batch(database, "Quill", 3, key="cut off", job_id="never enqueued")
    shown = await get(site, f"/api/v1/licences/{batch}")
    assert (shown["state"], shown["reason"][:15]) == ("failed", "its job is gone")
    again = await post(site, f"/api/v1/licences/{batch}/retry")
    asked = await post(site, "/api/v1/licences", product="Quill", count=3, idempotency_key="cut off")
    assert asked == again
    one = await post(site, "/api/v1/exports", table="devices", format="csv", idempotency_key="e")
    assert await post(site, "/api/v1/exports", table="devices", format="csv", idempotency_key="e") == one


async def test_one_batch_is_exported_in_order(family: Family, database: Database) -> None:
    ctx = await family()
    batches = [await new_batch(database, product, 5) for product in ("Quill", "Tessera")]
    for batch in batches:
        await generate_licence_keys(ctx, batch)
    told = await export_table(ctx, await new_export(database, "licences", "csv", batch=batches[1]))
    data = (ctx["settings"].data_dir / "exports" / told["path"]).read_text()
    rows = list(csv.DictReader(io.StringIO(data)))
    assert [(row["product"], row["number"]) for row in rows] == [("Tessera", str(n)) for n in range(1, 6)]
    assert [row["key"] for row in rows] == await keys_of(database, batches[1])
    for table, batch in (("devices", batches[0]), ("licences", 5), ("licences", 10**30)):
        with pytest.raises(InvalidInput, match="batch"):
            await new_export(database, table, "csv", batch=batch)


async def test_a_download_that_broke_off_goes_on_where_it_was(family: Family, database: Database, site: Client) -> None:
    ctx = await family()
    batch = await new_batch(database, "Quill", 3000)
    await generate_licence_keys(ctx, batch)
    export_id = await new_export(database, "licences", "csv", batch=batch)
    await export_table(ctx, export_id)
    link = "/" + (await get(site, f"/api/v1/exports/{export_id}"))["download"].split("/", 3)[3]
    whole = await site.get(link)
    data = await whole.read()
    etag, size = whole.headers["ETag"], len(data)
    assert (whole.headers["Accept-Ranges"], size > 256 * 1024) == ("bytes", True)
    half = await site.get(link, headers={"Range": "bytes=300000-", "If-Range": etag})
    assert (half.status, half.headers["Content-Range"]) == (206, f"bytes 300000-{size - 1}/{size}")
    assert data[:300000] + await half.read() == data
    assert half.headers["Repr-Digest"] == whole.headers["Repr-Digest"]
    few = await site.get(link, headers={"Range": "bytes=10-19"})
    assert (await few.read(), few.headers["Content-Length"]) == (data[10:20], "10")
    assert await (await site.get(link, headers={"Range": "bytes=-7"})).read() == data[-7:]
    other = await site.get(link, headers={"Range": "bytes=5-", "If-Range": '"another"'})
    assert (other.status, len(await other.read())) == (200, size)
    beyond = await site.get(link, headers={"Range": f"bytes={size}-"})
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")


@pytest.mark.parametrize("number", [2**63, 10**30, -1, True, "7", None, 1.5])
async def test_a_batch_that_no_database_can_hold_fails_at_once(family: Family, number: Any) -> None:
    with pytest.raises(BatchMissing, match="no batch"):
        await generate_licence_keys(await family(), number)


@pytest.mark.parametrize("export_id", ["none", "x" * 1000, "a\0b", 7])
async def test_an_export_that_is_none_fails_at_once(family: Family, export_id: Any) -> None:
    with pytest.raises(ExportMissing, match="no export"):
        await export_table(await family(), export_id)


@pytest.mark.parametrize("count", [2**63, 10**30, -(10**30), 0])
async def test_numbers_beyond_64_bit_are_refused_by_name(site: Client, count: int) -> None:
    refused = await post(site, "/api/v1/licences", status=422, product="Quill", count=count)
    assert refused["field"] == "count"
    refused = await post(site, "/api/v1/exports", status=422, table="licences", format="csv", batch=count)
    assert refused["field"] == "batch"
