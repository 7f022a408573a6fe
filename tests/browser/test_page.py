"""The page in a real Chromium: live, readable, and of help."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from arq import func
from arq.connections import ArqRedis
from playwright.async_api import Browser, Page, expect

from arqlight.families.email.sending import send_email
from arqlight.journal.journal import Journal, NewJob
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import Client, StartWorker
from tests.support.accessibility import no_violation
from tests.support.families import hooks
from tests.support.smtp import MailServer
from tests.support.waiting import eventually

Open = Callable[..., Awaitable[Page]]


@pytest.fixture
async def open_page(client: Client, browser: Browser) -> Open:
    async def open_page(path: str = "/", **options: Any) -> Page:
        context = await browser.new_context(**options)
        page = await context.new_page()
        page.on("pageerror", lambda error: pytest.fail(f"a script failed: {error}"))
        await page.goto(str(client.make_url(path)))
        if path != "/failed" and options.get("java_script_enabled", True):
            await expect(page.locator(".live")).to_have_attribute("data-feed", "on")
        return page

    return open_page


def figure(page: Page, name: str) -> Any:
    return page.locator(f'.figures [data-slot="{name}"]')


async def boom(ctx: dict[str, Any], text: str = "") -> None:
    raise ValueError(text or "it went boom " * 40)


async def sleep(ctx: dict[str, Any]) -> None:
    await asyncio.sleep(60)


async def ok(ctx: dict[str, Any]) -> None:
    pass


async def start_mailer(start_worker: StartWorker, settings: Settings, port: int) -> Any:
    """A worker that sends mail to the test's SMTP server."""
    at = settings.changed(smtp_host="127.0.0.1", smtp_port=port)

    return await start_worker([send_email], queues=["arq:queue:emails"], **hooks(at))


async def test_30_mails_of_which_3_are_refused_are_watched_retried_and_deleted(
    open_page: Open,
    client: Client,
    journal: Journal,
    pool: ArqRedis,
    mail_server: MailServer,
    start_worker: StartWorker,
    settings: Settings,
) -> None:
    mail_server.refused = {f"gone{n}@example.org": f"550 5.1.1 gone{n} moved away" for n in range(3)}
    mail_server.pause_s = 0.02
    page = await open_page()
    await expect(page.locator(".standing")).to_contain_text("All quiet")
    people = [f"gone{n}@example.org" for n in range(3)] + [f"there{n}@example.org" for n in range(27)]
    await journal.enqueue(
        [
            NewJob("send_email", send_email.queue, (), {"to": to, "template": "two_factor", "code": "123456"}, id=to)
            for to in people
        ]
    )
    await expect(figure(page, "active")).to_have_text("30")
    await expect(page.locator(".active tbody tr")).to_have_count(10)
    await expect(page.locator(".standing")).to_contain_text("30 jobs waiting and no worker is running")
    await start_mailer(start_worker, settings, mail_server.port)
    await expect(figure(page, "failed")).to_have_text("3")
    await expect(figure(page, "active")).to_have_text("0")
    assert len(mail_server.messages) == 27
    rows = page.locator(".failed tbody tr")
    await expect(rows).to_have_count(3)
    row = page.locator('.failed tr[data-id="gone1@example.org"]')
    await expect(row).to_contain_text("RecipientRefused: 550 5.1.1 gone1 moved away")
    await expect(row.locator(".driver")).to_have_text("redis")
    sheet = row.locator(".sheet")
    await expect(sheet).to_be_hidden()
    await row.locator(".error").hover()
    await expect(sheet).to_be_visible()
    await expect(sheet.locator("pre")).to_contain_text("Traceback (most recent call last)")
    await expect(sheet.locator("pre")).to_contain_text("aiosmtplib.errors.SMTPRecipientsRefused")
    mail_server.refused.clear()
    await page.mouse.move(0, 0)
    await row.get_by_role("button", name="Retry").click()
    await expect(row).to_have_count(0)
    await eventually(lambda: len(mail_server.messages) == 28)
    await expect(figure(page, "failed")).to_have_text("2")
    answer = await client.get("/api/v1/jobs/gone1@example.org")
    fixed = await answer.json()
    assert (fixed["state"], fixed["attempts"]) == ("succeeded", 1)
    row = page.locator('.failed tr[data-id="gone2@example.org"]')
    await row.get_by_text("Delete", exact=True).click()
    await row.get_by_role("button", name="Delete permanently").click()
    await expect(row).to_have_count(0)
    await expect(figure(page, "failed")).to_have_text("1")
    assert not await pool.keys("*gone2@example.org")
    await page.reload()
    await expect(rows).to_have_count(1)


async def test_the_trace_shows_on_hover_focus_and_tap_and_goes_with_escape(
    open_page: Open, journal: Journal, start_worker: StartWorker, pool: ArqRedis
) -> None:
    await start_worker([func(boom, name="boom")])
    await journal.enqueue([NewJob("boom", "arq:queue", ("<b>markup</b> & more",))])
    await eventually(lambda: pool.zcard("arqlight:failed"))
    page = await open_page()
    error, sheet = page.locator(".failed .error"), page.locator(".failed .sheet")
    await expect(sheet).to_be_hidden()
    await error.focus()
    await expect(sheet).to_be_visible()
    await expect(sheet.locator("pre")).to_contain_text("ValueError: <b>markup</b> & more")
    assert await page.locator(".failed b", has_text="markup").count() == 0
    await page.keyboard.press("Escape")
    await expect(sheet).to_be_hidden()
    await page.evaluate("document.activeElement.blur()")
    await error.hover()
    await expect(sheet).to_be_visible()
    await sheet.locator("pre").hover()
    await expect(sheet).to_be_visible()
    await sheet.locator("pre").click(click_count=3)
    assert await page.evaluate("getSelection().toString().length") > 5
    touch = await open_page(has_touch=True, viewport={"width": 360, "height": 740})
    await touch.locator(".failed .error").tap()
    await expect(touch.locator(".failed .sheet")).to_be_visible()
    assert await touch.evaluate("document.documentElement.scrollWidth") <= 360


async def test_a_failure_that_repeats_after_retry_is_said_on_its_row(
    open_page: Open, journal: Journal, start_worker: StartWorker
) -> None:
    await start_worker([func(boom, name="boom")])
    page = await open_page()
    await journal.enqueue([NewJob("boom", "arq:queue", id="again")])
    row = page.locator('.failed tr[data-id="again"]')
    await expect(row.locator(".repeats")).to_be_hidden()
    for times in (2, 3):
        await row.get_by_role("button", name="Retry").click()
        await expect(row.locator(".repeats")).to_contain_text(f"Same failure {times} times in a row")


async def test_the_page_says_what_to_do_when_jobs_wait_where_no_worker_looks(
    open_page: Open, journal: Journal, start_worker: StartWorker
) -> None:
    page = await open_page()
    standing = page.locator(".standing")
    await expect(standing.locator("code")).to_have_text("arqlight worker")
    worker = await start_worker([ok])
    await expect(standing).to_have_text("All quiet: nothing runs, nothing waits, nothing failed.")
    await journal.enqueue([NewJob("ok", "arq:queue:lonely") for _ in range(12)])
    await expect(standing).to_contain_text("12 jobs waiting in lonely, and no worker takes from there")
    await expect(standing.locator("code")).to_have_text("arqlight worker myapp.WorkerSettings")
    said = page.locator("[data-announce]")
    await expect(said).to_contain_text("12 jobs waiting in lonely")
    await worker.close()
    await expect(standing).to_contain_text("12 jobs waiting and no worker is running")
    await expect(said).to_contain_text("12 jobs waiting in lonely")  # another level is announced, not each new figure


async def test_processing_jobs_come_first_and_times_are_relative_and_exact(
    open_page: Open, journal: Journal, start_worker: StartWorker, pool: ArqRedis
) -> None:
    await start_worker([func(sleep, name="sleep")], max_jobs=2)
    await journal.enqueue([NewJob("sleep", "arq:queue", id=f"s{n}") for n in range(2)])
    await eventually(lambda: pool.exists("arq:in-progress:s1"))
    await journal.enqueue([NewJob("sleep", "arq:queue", id=f"later{n}") for n in range(12)])
    page = await open_page()
    await expect(page.locator(".active .state")).to_have_text(["Processing"] * 2 + ["Queued"] * 8)
    moment = page.locator(".active time").first
    await expect(moment).to_have_text("just now")
    assert "Z)" in str(await moment.get_attribute("title"))
    await page.clock.install()
    shown = await page.evaluate(
        """async () => { const { setTime } = await import("/static/times.js");
           const time = document.createElement("time");
           return [-200, -3600 * 5, 120].map((seconds) => {
             setTime(time, new Date(Date.now() + seconds * 1000 + (seconds > 0 ? 500 : 0)).toISOString());
             return time.textContent; }); }"""
    )
    assert shown == ["3 minutes ago", "5 hours ago", "in 2 minutes"]


async def test_a_lost_feed_is_said_and_resumed(
    pool: ArqRedis, settings: Settings, browser: Browser, journal: Journal
) -> None:
    server = TestServer(create_app(settings))
    await server.start_server()
    port = server.port
    page = await (await browser.new_context()).new_page()
    await page.goto(f"http://127.0.0.1:{port}/")
    live = page.locator(".live")
    await expect(live).to_have_attribute("data-feed", "on")
    await server.close()
    await expect(live).to_contain_text("Live updates lost, reconnecting in")
    await journal.enqueue([NewJob("missed", "arq:queue", id="missed")])
    again = TestServer(create_app(settings), port=port)
    await again.start_server()
    await expect(live).to_have_attribute("data-feed", "on", timeout=20_000)
    await expect(page.locator('.active tr[data-id="missed"]')).to_have_count(1)
    await again.close()


async def test_a_jobs_own_page_shows_arguments_attempts_and_timeline_and_stays_true(
    open_page: Open, journal: Journal, start_worker: StartWorker
) -> None:
    await journal.enqueue([NewJob("boom", "arq:queue", ("why",), {}, id="a/b c")])
    page = await open_page("/jobs/a%2Fb%20c")
    await expect(page.locator(".job-head .state")).to_have_text("Queued")
    await expect(page.locator("pre").first).to_contain_text('"why"')
    await start_worker([func(boom, name="boom")])
    await expect(page.locator(".job-head .state")).to_have_text("Failed")
    await expect(page.locator(".attempt pre")).to_contain_text("ValueError: why")
    await expect(page.locator(".timeline li")).to_contain_text(["Created", "Attempt 1 started", "Attempt 1 failed"])


async def test_the_page_reads_and_acts_without_javascript(
    open_page: Open, journal: Journal, start_worker: StartWorker, pool: ArqRedis
) -> None:
    worker = await start_worker([func(boom, name="boom")])
    await journal.enqueue([NewJob("boom", "arq:queue", id="x")])
    await eventually(lambda: pool.zcard("arqlight:failed"))
    await worker.close()
    page = await open_page("/", java_script_enabled=False)
    await expect(figure(page, "failed")).to_have_text("1")
    await page.get_by_role("button", name="Retry").click()
    await expect(figure(page, "failed")).to_have_text("0")
    await expect(figure(page, "queued")).to_have_text("1")


async def test_the_pages_have_no_axe_violation(
    open_page: Open, journal: Journal, start_worker: StartWorker, pool: ArqRedis
) -> None:
    await start_worker([func(boom, name="boom"), func(sleep, name="sleep")], max_jobs=3)
    await journal.enqueue([NewJob("boom", "arq:queue", id=f"b{n}") for n in range(3)])
    await eventually(lambda: _has(pool, 3))
    await journal.retry("b0")
    await eventually(lambda: _has(pool, 3))
    await journal.enqueue([NewJob("sleep", "arq:queue", id=f"s{n}") for n in range(5)])
    for path in ("/", "/failed", "/jobs/b0", "/jobs/s0"):
        page = await open_page(path)
        if path == "/":
            await page.locator(".failed .error").first.hover()
            await expect(page.locator(".failed .sheet").first).to_have_css("opacity", "1")
        await no_violation(page)


async def _has(pool: ArqRedis, number: int) -> bool:
    return bool(await pool.zcard("arqlight:failed") == number)
