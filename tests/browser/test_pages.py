"""The pages around the families, in a real browser."""

import asyncio
import hashlib
import json
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from arq import func
from arq.connections import ArqRedis
from playwright.async_api import Browser, Page, expect

from arqlight.bundled import bundled_tasks
from arqlight.families.bulk.licences import generate_licence_keys
from arqlight.families.webhooks.answers import DeliveryFailed
from arqlight.families.webhooks.delivery import TRIES, deliver_event
from arqlight.families.webhooks.records import endpoints
from arqlight.families.webhooks.replaying import replay_deliveries
from arqlight.jobs.secret_texts import MASK
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.keys import KEYS
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import Client, StartWorker
from tests.support.accessibility import no_violation
from tests.support.families import hooks
from tests.support.smtp import MailServer
from tests.support.waiting import eventually
from tests.support.webhooks import deliver, raise_event, receiving, register

Open = Callable[..., Awaitable[Page]]
PATHS = ("/", "/jobs", "/failed", "/queues", "/workers", "/schedules", "/charts", "/logs", "/settings", "/templates",
         "/templates/licence_key?compare=0", "/suppressions", "/webhooks", "/bulk", "/sync", "/telemetry")  # fmt: skip


async def boom(ctx: dict[str, Any], **kwargs: Any) -> None:
    raise ValueError("it went boom")


async def long(ctx: dict[str, Any]) -> None:
    ctx["log"]("on its way")
    for step in range(100_000):
        ctx["progress"](min(step, 60), 100, "<b>sheets</b>")
        await asyncio.sleep(0.01)


@pytest.fixture
async def site(family_settings: Settings, pool: ArqRedis) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(family_settings))) as client:
        yield client


@pytest.fixture
async def open_page(browser: Browser, site: Client) -> Open:
    async def open_page(path: str = "/", **options: Any) -> Page:
        context = await browser.new_context(**options)
        page = await context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if "Content Security" in line.text else None)
        await page.goto(str(site.make_url(path)))
        page.problems = problems  # type: ignore[attr-defined]
        return page

    return open_page


@pytest.fixture
async def shop(
    family_settings: Settings, family: Any, journal: Journal, start_worker: StartWorker, pool: ArqRedis
) -> dict[str, Any]:
    """Something on every page: jobs of each state, an endpoint with a delivery, a batch, an export, a run, a version."""
    ctx: dict[str, Any] = await family()
    own = [func(boom, name="boom"), func(long, name="long")]
    await start_worker(
        [*own, *bundled_tasks().values()], queues=["arq:queue", "arq:queue:bulk"], **hooks(family_settings)
    )
    await journal.enqueue(
        [NewJob("boom", "arq:queue", (), {"code": "s3cr3t-value", "n": 1}, id=f"b{n}") for n in range(3)]
    )
    await journal.enqueue([NewJob("long", "arq:queue", id="long"), NewJob("long", "arq:queue:lonely", id="waits")])
    await eventually(lambda: _count(pool, "failed", 3))
    return ctx


async def _count(pool: ArqRedis, index: str, number: int) -> bool:
    return bool(await pool.zcard(KEYS[index]) == number)


async def test_no_page_has_an_axe_violation_or_breaks_its_own_rules(
    open_page: Open, shop: dict[str, Any], site: Client
) -> None:
    endpoint, _ = await endpoints.register(
        shop["database"], shop["keys"], shop["settings"], url="http://127.0.0.1:9/hook", event_types=[]
    )
    parts = {"subject": "Key", "text": "{{ licence_key }}", "html": "<p>{{ licence_key }}</p>"}
    assert (await site.put("/api/v1/templates/licence_key", json=parts)).status == 201
    await site.put("/api/v1/settings/task/boom", json={"tries": 3})
    for path in (*PATHS, f"/webhooks/{endpoint.id}", "/jobs/long", "/jobs/b0"):
        page = await open_page(path)
        await page.wait_for_load_state("networkidle") if path.startswith(("/charts", "/templates/")) else None
        await no_violation(page)
        assert page.problems == [], path  # type: ignore[attr-defined]
        for width in (320, 768, 900, 1024, 1240, 1280):
            await page.set_viewport_size({"width": width, "height": 740})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
        await page.set_viewport_size({"width": 360, "height": 740})
        await page.context.close()


async def test_every_page_is_reached_from_one_navigation_and_reads_without_javascript(
    open_page: Open, shop: dict[str, Any]
) -> None:
    page = await open_page("/", java_script_enabled=False)
    links = [await link.get_attribute("href") for link in await page.locator(".bar nav a").all()]
    assert set(links) == {path for path in PATHS if "?" not in path}
    for path in links:
        await page.click(f'.bar nav a[href="{path}"]')
        await expect(page.locator(".bar nav a[aria-current]")).to_have_attribute("href", str(path))


async def test_long_work_shows_a_progress_bar_on_the_active_row_and_on_its_page(
    open_page: Open, shop: dict[str, Any]
) -> None:
    page = await open_page("/")
    bar = page.locator('.active tr[data-id="long"] .progress')
    await expect(bar).to_contain_text("60 of 100 <b>sheets</b>")
    await expect(bar.locator("progress")).to_have_attribute("value", "60")
    own = await open_page("/jobs/long")
    await expect(own.locator(".job-head .progress")).to_contain_text("60 of 100")
    await expect(own.locator(".log")).to_contain_text("on its way")
    await own.get_by_text("Cancel", exact=True).click()
    await own.get_by_role("button", name="Cancel this job").click()
    await expect(own.locator(".job-head .state")).to_have_text("Cancelled")


async def test_jobs_are_found_by_state_queue_task_time_and_text(open_page: Open, shop: dict[str, Any]) -> None:
    page = await open_page("/jobs?state=failed&queue=default&task=boom&q=BOOM")
    await expect(page.locator("tbody tr")).to_have_count(3)
    await page.get_by_role("link", name="Queued").click()
    await expect(page.locator("tbody tr")).to_have_count(0)
    assert "state=queued&queue=default&task=boom&q=BOOM" in page.url
    await page.goto(page.url.split("?")[0] + "?state=failed&until=2020-01-01T00:00")
    await expect(page.locator(".empty")).to_contain_text("No job matches")
    await page.goto(page.url.split("?")[0] + "?state=queued")
    await expect(page.locator("tbody tr")).to_have_attribute("data-id", "waits")


async def test_arguments_are_edited_and_enqueued_again_with_the_masked_secret_as_it_was(
    open_page: Open, shop: dict[str, Any], pool: ArqRedis, site: Client
) -> None:
    page = await open_page("/jobs/b0")
    await page.get_by_text("Edit the arguments and enqueue again").click()
    field = page.locator('textarea[name="kwargs"]')
    assert json.loads(await field.input_value()) == {"code": MASK, "n": 1}
    await field.fill("{nonsense")
    await page.get_by_role("button", name="Enqueue a new job").click()
    await expect(page.locator(".form-error")).to_contain_text("kwargs: it is not JSON")
    await field.fill(json.dumps({"code": MASK, "n": 2}))
    await page.get_by_role("button", name="Enqueue a new job").click()
    await page.wait_for_url(lambda url: not url.endswith("/b0"))
    await eventually(lambda: _count(pool, "failed", 4))
    from arq.jobs import deserialize_job_raw

    [job_id] = {member.decode() for member in await pool.zrange(KEYS["failed"], 0, -1)} - {"b0", "b1", "b2"}
    task, _, kwargs, *_ = deserialize_job_raw(await pool.get(KEYS["kept"] + job_id))
    assert (task, kwargs) == ("boom", {"code": "s3cr3t-value", "n": 2})
    assert "s3cr3t" not in await page.content()
    for body, words in (
        ({"args": [MASK], "kwargs": {}}, "stands where no secret was"),
        ({"args": {}, "kwargs": {}}, "args"),
    ):
        answer = await site.post("/api/v1/jobs/b0/again", json=body)
        assert (answer.status, words in (await answer.json())["detail"]) == (422, True)


async def test_a_group_is_retried_and_the_page_follows(open_page: Open, shop: dict[str, Any], pool: ArqRedis) -> None:
    page = await open_page("/failed")
    group = page.locator("tr[data-fingerprint]")
    await expect(group.locator('[data-label="Jobs"]')).to_have_text("3")
    await group.get_by_role("button", name="Retry group").click()
    await expect(page.locator(".operation")).to_contain_text("3 of 3 done")
    await eventually(lambda: _count(pool, "failed", 3))
    await page.locator('input[value="b1"]').check()
    await page.get_by_role("button", name="Delete 1 job").click()
    assert await _count(pool, "failed", 3), "nothing is deleted before it is confirmed"
    await page.locator(".many details[open]").get_by_role("button", name="Delete permanently").click()
    await expect(page.locator(".toast")).to_contain_text("Deleting 1 job.")
    await expect(page.locator(".toast").get_by_role("link", name="View")).to_be_visible()
    await eventually(lambda: _count(pool, "failed", 2))
    await expect(page.locator("[data-selected-only]")).to_be_hidden()


@pytest.mark.parametrize("job_id", ["..", "{x}", r"\xff"])
async def test_a_job_of_any_id_is_opened_retried_and_deleted_in_a_browser(
    open_page: Open, pool: ArqRedis, start_worker: StartWorker, job_id: str
) -> None:
    raw = b"\xff" if job_id == r"\xff" else job_id.encode()
    await start_worker([func(boom, name="boom")], max_tries=1)
    await pool.set(b"arq:job:" + raw, pickle.dumps({"t": None, "f": "boom", "a": (), "k": {}, "et": 1}))
    await pool.zadd("arq:queue", {raw: 1})

    await eventually(lambda: _count(pool, "failed", 1))
    page = await open_page("/")
    row = page.locator(f'.failed tr[data-id="{job_id.replace(chr(92), chr(92) * 2)}"]')
    await row.get_by_role("link").click()
    await expect(page.locator(".job-head .id code")).to_have_text(job_id)
    await page.get_by_role("button", name="Retry").click()
    await expect(page.locator(".toast")).to_have_text("Back in its queue.")
    await eventually(lambda: _count(pool, "failed", 1))
    await page.goto("/".join(page.url.split("/")[:3]) + "/failed")
    await row.get_by_text("Delete", exact=True).click()
    await row.get_by_role("button", name="Delete permanently").click()
    await eventually(lambda: _count(pool, "failed", 0))


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_nothing_ticked_means_no_job_and_all_is_asked_for_by_a_button_of_its_own(
    open_page: Open, shop: dict[str, Any], pool: ArqRedis, scripts: bool
) -> None:
    for kind in ("retry", "delete"):
        page = await open_page("/failed", java_script_enabled=scripts)
        button = page.locator(f'button[name="kind"][value="{kind}"]:is(#selected *, [form="selected"])')
        if scripts:
            await expect(button).to_be_hidden()
            continue
        if kind == "delete":
            await page.get_by_role("button", name="Delete selected").click()
        await button.click()
        await expect(page.get_by_text("no job is selected; select some")).to_be_visible()
        assert await _count(pool, "failed", 3)
    page = await open_page("/failed", java_script_enabled=scripts)
    await page.get_by_text("Delete all", exact=True).click()
    await page.locator(".many details[open]").get_by_role("button", name="Delete permanently").click()
    await eventually(lambda: _count(pool, "failed", 0))


async def test_a_queue_is_emptied_only_when_its_name_is_typed(
    open_page: Open, shop: dict[str, Any], pool: ArqRedis
) -> None:
    page = await open_page("/queues")
    row = page.locator('tr[data-queue="lonely"]')
    await row.get_by_role("button", name="Pause").click()
    await expect(row.locator(".state")).to_have_text("Paused")
    await row.get_by_text("Purge", exact=True).click()
    await row.locator('input[name="confirm"]').fill("lonly")
    await row.get_by_role("button", name="Purge the queue").click()
    await expect(row.locator(".form-error")).to_contain_text("type lonely to purge it")
    await row.locator('input[name="confirm"]').fill("lonely")
    await row.get_by_role("button", name="Purge the queue").click()
    await eventually(lambda: _is_empty(pool, "arq:queue:lonely"))


async def _is_empty(pool: ArqRedis, queue: str) -> bool:
    return not await pool.zcard(queue)


async def test_a_dead_worker_says_so(
    open_page: Open, shop: dict[str, Any], spawn: Any, pool: ArqRedis, site: Client
) -> None:
    process = spawn("worker", ARQLIGHT_QUEUES="sync", ARQLIGHT_DATA_DIR="/nonexistent")

    async def workers(number: int) -> bool:
        return len((await (await site.get("/api/v1/workers")).json())["items"]) == number

    await eventually(lambda: workers(2), within_s=30)
    page = await open_page("/workers")
    await expect(page.locator(".worker")).to_have_count(2)
    await expect(page.locator(".worker", has_text="long")).to_contain_text("since")
    process.kill()
    await expect(page.locator(".worker.dead")).to_contain_text("it stopped unexpectedly", timeout=25_000)
    await expect(page.locator(".worker.dead .lane")).to_have_text("sync")


async def test_a_template_is_edited_with_a_live_preview_tested_and_rolled_back(
    open_page: Open, family_settings: Settings, site: Client, mail_server: MailServer, start_worker: StartWorker
) -> None:
    at = family_settings.changed(smtp_host="127.0.0.1", smtp_port=mail_server.port)
    await start_worker(list(bundled_tasks().values()), queues=["arq:queue:emails"], **hooks(at))
    page = await open_page("/templates/licence_key")
    frame = page.frame_locator("iframe")
    await expect(frame.locator("body")).to_contain_text("Thank you for buying")
    html = page.locator('textarea[name="html"]')
    await html.fill("<h1 style='color: red'>{{ product }}</h1><script>parent.hacked = 1</script>")
    await expect(frame.locator("h1")).to_have_css("color", "rgb(255, 0, 0)")
    assert await page.evaluate("window.hacked") is None
    await html.fill("{{ product.__class__.__mro__ }}")
    await expect(page.locator("[data-problem]")).to_contain_text("uses what templates may not use")
    await page.get_by_role("button", name="Save as a new version").click()
    await expect(page.locator(".form-error")).to_contain_text("html: it uses")
    await html.fill("<p>{{ product }}!</p>")
    await page.get_by_role("button", name="Save as a new version").click()
    await expect(page.locator("h1 small")).to_have_text("version 1")
    await page.locator('input[name="to"]').fill("nobody")
    await page.locator('input[name="to"]').evaluate("input => input.type = 'text'")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator("[data-test] .form-error")).to_contain_text("is not an e-mail address")
    await page.locator('input[name="to"]').fill("ada@example.org")
    await page.get_by_role("button", name="Send", exact=True).click()
    await eventually(lambda: mail_server.messages)
    await page.get_by_role("link", name="Compare").click()
    await expect(page.locator(".diff .added")).to_contain_text(["+<p>{{ product }}!</p>"])
    await page.get_by_role("button", name="Restore").click()
    await expect(page.locator("h1 small")).to_have_text("version 2")


async def test_settings_are_checked_beside_the_field_and_listed_when_changed(
    open_page: Open, shop: dict[str, Any], pool: ArqRedis
) -> None:
    page = await open_page("/settings")
    card = page.locator('[data-task="boom"]')
    await card.locator("summary").click()
    await card.locator('input[name="timeout_s"]').fill("-1")
    await card.get_by_role("button", name="Save").click()
    await expect(card.locator(".form-error")).to_contain_text("timeout_s: it must be above 0")
    await expect(card.locator('input[name="timeout_s"]')).to_have_attribute("aria-invalid", "")
    await card.locator('input[name="timeout_s"]').fill("7")
    await card.get_by_role("button", name="Save").click()
    await eventually(lambda: pool.hexists(KEYS["overrides"], "task:boom"))
    await page.reload()
    await expect(page.locator("#audit + table tbody tr").first).to_contain_text('"timeout_s": 7.0')
    database = page.locator('[data-connection="database"]')
    await expect(database).not_to_contain_text("password")
    await database.get_by_role("button", name="Test").click()
    await expect(page.locator(".toast")).to_contain_text("PostgreSQL 18")


async def test_licence_keys_are_made_exported_and_downloaded_in_the_browser(
    open_page: Open, family_settings: Settings, start_worker: StartWorker, tmp_path: Path
) -> None:
    await start_worker(list(bundled_tasks().values()), queues=[generate_licence_keys.queue], **hooks(family_settings))
    page = await open_page("/bulk")
    await page.locator('input[name="product"]').fill("Quill")
    await page.locator('input[name="count"]').fill("1500")
    await page.get_by_role("button", name="Generate keys").click()
    await expect(page.locator("[data-batch]")).to_contain_text("1,500 of 1,500")
    await page.get_by_role("button", name="Export").click()
    link = page.locator("[data-export] a[download]")
    await expect(link).to_be_visible()
    async with page.expect_download() as download:
        await link.click()
    path = tmp_path / "keys.csv"
    await (await download.value).save_as(path)
    data = path.read_bytes()
    assert data.count(b"\r\n") == 1501
    told = hashlib.sha256(data).hexdigest()
    await expect(page.locator("[data-export] code")).to_have_attribute("title", told)


async def test_webhooks_are_registered_and_switched_off_on_the_page(open_page: Open, site: Client) -> None:
    app = web.Application()
    async with TestServer(app) as receiver:
        page = await open_page("/webhooks")
        await page.locator('input[name="url"]').fill("http://192.168.0.1/hook")
        await page.get_by_role("button", name="Register").click()
        await expect(page.locator(".form-error")).to_contain_text("is not a public address")
        await page.locator('input[name="url"]').fill(str(receiver.make_url("/hook")))
        await page.get_by_role("button", name="Register").click()
        await expect(page.locator(".toast")).to_contain_text("Its secret, shown this once: whsec_")
        row = page.locator("[data-endpoint]")
        await row.get_by_role("button", name="Disable").click()
        await expect(row.locator(".state")).to_have_text("Off")
        assert "whsec_" not in await (await site.get("/api/v1/webhooks")).text()


async def test_what_a_receiver_missed_is_replayed_on_the_page(
    open_page: Open, family: Any, family_settings: Settings, start_worker: StartWorker
) -> None:
    ctx = await family()
    async with receiving() as receiver:
        endpoint, _ = await register(ctx, receiver.url)
        receiver.answer = {"status": 503}
        for message in ("msg_a", "msg_b"):
            with pytest.raises(DeliveryFailed):
                await deliver(ctx, endpoint, message, attempt=TRIES)
        await endpoints.change(ctx["database"], ctx["settings"], endpoint, {"enabled": False})
        await raise_event(ctx, "msg_c")
        page = await open_page(f"/webhooks/{endpoint}")
        await expect(page.locator("[data-undelivered]")).to_contain_text("3 not delivered")
        await no_violation(page)
        await page.get_by_role("button", name="Enable").click()
        await page.get_by_role("button", name="Replay 3").click()
        receiver.answer, before = {"text": "fine"}, len(receiver.got)
        await page.get_by_role("button", name="Replay all").click()
        await expect(page.locator("[data-replay]")).to_contain_text("of 3")
        tasks = [deliver_event, replay_deliveries]
        await start_worker(tasks, queues=["arq:queue:webhooks"], **hooks(family_settings))
        await expect(page.locator("[data-delivery] .state")).to_have_text(["Delivered"] * 3)
        await expect(page.locator("[data-replay] .state")).to_have_text("Done")
        await expect(page.locator("[data-undelivered]")).to_have_count(0)
        assert sorted(receiver.ids()[before:]) == ["msg_a", "msg_b", "msg_c"]
        await page.locator("[data-delivery]").last.get_by_role("button", name="Replay").click()
        await eventually(lambda: len(receiver.got) == before + 4)
        await page.get_by_role("button", name="Replay the range").click()
        await expect(page.locator("[data-replay]")).to_have_count(2)
        await no_violation(page)
        assert page.problems == []  # type: ignore[attr-defined]


async def test_the_log_follows_live_and_is_filtered(
    open_page: Open, journal: Journal, shop: dict[str, Any], site: Client
) -> None:
    page = await open_page("/logs?task=long")
    await expect(page.locator(".log p")).to_have_count(1)
    await journal.enqueue([NewJob("long", "arq:queue", id="another")])
    await expect(page.locator(".log p")).to_have_count(2)
    await expect(page.locator(".log p").first.locator("a")).to_have_attribute("href", "/jobs/another")


async def test_charts_draw_what_ended(open_page: Open, shop: dict[str, Any]) -> None:
    page = await open_page("/charts?span=hour")
    await expect(page.locator(".uplot canvas")).to_have_count(3)
    await expect(page.locator("[data-summary]")).to_contain_text("3 failed in this hour")
    await page.get_by_role("link", name="Week").click()
    await expect(page.locator(".uplot canvas")).to_have_count(3)
    await expect(page.locator("[data-summary]")).to_contain_text("3 failed in this week")


async def test_without_a_database_the_core_runs_and_the_others_say_what_is_missing(
    browser: Browser, client: Client, pool: ArqRedis
) -> None:
    page = await (await browser.new_context()).new_page()
    for path in ("/", "/jobs", "/failed", "/queues", "/workers", "/schedules", "/charts", "/logs", "/settings"):
        answer = await page.goto(str(client.make_url(path)))
        assert answer
        assert answer.status == 200, path
    for path in ("/webhooks", "/bulk", "/sync", "/telemetry"):
        answer = await page.goto(str(client.make_url(path)))
        assert answer
        assert answer.status == 503
        await expect(page.locator(".empty")).to_contain_text("needs PostgreSQL, and no database is set")
    await page.goto(str(client.make_url("/templates")))
    await expect(page.locator(".standing")).to_contain_text("No database is set")
    for path, body in (
        ("telemetry", {"events": [{}]}),
        ("licences", {"product": "a", "count": 1}),
        ("exports", {"table": "sales", "format": "csv"}),
    ):
        refused = await client.post(f"/api/v1/{path}", json=body)
        assert (refused.status, "ARQLIGHT_DATABASE_URL" in (await refused.json())["detail"]) == (503, True)
