"""Signing in, roles and another site's page, in a real browser."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from arq.connections import ArqRedis
from playwright.async_api import Browser, Page, expect

from arqlight.settings import Settings
from arqlight_service.auth.access import ACCESS
from tests.conftest import StartWorker
from tests.support.access import PASSWORD, Client, add_user, guarded
from tests.support.waiting import eventually


async def boom(ctx: dict[str, Any]) -> None:
    raise ValueError("no")


@pytest.fixture
async def site(pool: ArqRedis, settings: Settings, start_worker: StartWorker) -> AsyncIterator[Client]:
    """A service with three users and a failed job."""
    await start_worker([boom], max_tries=1)
    await pool.enqueue_job("boom", _job_id="broken")
    await eventually(lambda: pool.zcard("arqlight:failed"))
    async with guarded(settings) as client:
        for name in ("viewer", "operator", "admin"):
            await add_user(client, name, name)
        yield client


async def enter(browser: Browser, site: Client, name: str, path: str = "/") -> Page:
    page = await browser.new_page(base_url=str(site.make_url("/")))
    await page.goto(path)
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_load_state()
    return page


async def test_a_person_signs_in_sees_the_live_page_and_signs_out(browser: Browser, site: Client) -> None:
    page = await browser.new_page(base_url=str(site.make_url("/")))
    await page.goto("/failed")
    assert page.url.endswith("/sign-in?next=/failed")
    await page.get_by_label("Name").fill("operator")
    await page.get_by_label("Password").fill("not the password")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("Incorrect name or password.")
    await page.get_by_label("Name").fill("operator")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("tr[data-id=broken]")).to_be_visible()
    assert page.url.endswith("/failed")
    await page.goto("/")
    await expect(page.locator(".live")).to_have_attribute("data-feed", "on")
    assert await page.evaluate("document.cookie") == "", "no script sees the session"
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.goto("/")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_an_operator_retries_and_deletes_with_and_without_scripts(
    browser: Browser, site: Client, pool: ArqRedis
) -> None:
    page = await enter(browser, site, "operator")
    await page.locator("tr[data-id=broken]").get_by_role("button", name="Retry").click()
    await expect(page.locator(".toast")).to_have_text("Back in its queue.")
    await eventually(lambda: pool.zcard("arqlight:failed"))
    context = await browser.new_context(java_script_enabled=False, base_url=str(site.make_url("/")))
    context.set_default_timeout(10_000)
    plain = await context.new_page()
    await plain.goto("/")
    await plain.get_by_label("Name").fill("operator")
    await plain.get_by_label("Password").fill(PASSWORD)
    await plain.get_by_role("button", name="Sign in").click()
    row = plain.locator("tr[data-id=broken]")
    await row.locator("summary", has_text="Delete").click()
    await row.get_by_role("button", name="Delete permanently").click()
    await plain.wait_for_load_state()
    assert await pool.zcard("arqlight:failed") == 0


async def test_nobody_is_offered_what_the_role_does_not_allow(browser: Browser, site: Client, pool: ArqRedis) -> None:
    offered = {}
    for name in ("viewer", "operator", "admin"):
        page = await enter(browser, site, name)
        retry = page.locator("tr[data-id=broken]").get_by_role("button", name="Retry")
        await page.goto("/")
        can_retry = await retry.is_visible()
        await page.goto("/queues")
        pauses = await page.get_by_role("button", name="Pause").count()
        can_pause = bool(pauses) and await page.get_by_role("button", name="Pause").first.is_visible()
        can_empty = await page.locator("summary", has_text="Purge").first.is_visible()
        offered[name] = (can_retry, can_pause, can_empty)
        status = await page.evaluate(
            """async () => (await fetch("/api/v1/failed/broken/retry",
                {method: "POST", headers: {"X-CSRF-Token": document.querySelector("meta[name=csrf]").content}})).status"""
        )
        assert status == (403 if name == "viewer" else 200), name
        await eventually(lambda: pool.zcard("arqlight:failed"))
        await page.context.close()
    assert offered == {"viewer": (False, False, False), "operator": (True, True, False), "admin": (True, True, True)}


async def test_another_sites_page_in_the_same_browser_gets_nowhere(
    browser: Browser, site: Client, pool: ArqRedis
) -> None:
    """A page of another origin posts forms, fetches, opens the feed and frames us, with the person's cookies at hand."""
    page = await enter(browser, site, "operator")
    ours = str(site.make_url("/")).rstrip("/")
    html = f"""<!doctype html><iframe name="sink"></iframe><iframe id="frame" src="{ours}/"></iframe>
      <form id="f" method="post" action="{ours}/failed/broken/delete" target="sink"></form>"""

    async def evil(_: web.Request) -> web.Response:
        return web.Response(text=html, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", evil)
    async with TestServer(app, host="127.0.0.1") as other:
        # The same host by another name, so that nothing but our own checks stands between: cookies are not by port.
        await page.goto(str(other.make_url("/")))
        answers: list[int] = []
        page.on("response", lambda answer: answers.append(answer.status) if "/delete" in answer.url else None)
        await page.evaluate("document.getElementById('f').submit()")
        await eventually(lambda: asyncio.sleep(0, result=bool(answers)))
        assert answers == [403]
        fetched = await page.evaluate(
            f"""async () => {{ try {{ await fetch("{ours}/api/v1/failed/broken/retry", {{method: "POST",
                credentials: "include", mode: "cors"}}); return "read"; }} catch {{ return "refused"; }} }}"""
        )
        socket = await page.evaluate(
            f"""() => new Promise((tell) => {{ const socket = new WebSocket("{ours.replace("http", "ws")}/api/v1/feed");
                socket.onopen = () => tell("open"); socket.onerror = () => tell("refused"); }})"""
        )
        framed = await page.locator("#frame").content_frame.locator(".brand").count()
    assert (fetched, socket, framed) == ("refused", "refused", 0)
    assert await pool.zcard("arqlight:failed") == 1, "nothing was retried or deleted"


async def test_a_page_whose_session_ended_elsewhere_leads_to_the_sign_in(browser: Browser, site: Client) -> None:
    page = await enter(browser, site, "operator")
    await expect(page.locator(".live")).to_have_attribute("data-feed", "on")
    assert site.app is not None
    users = site.app[ACCESS].users
    assert users is not None
    await users.remove("operator")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=10_000)
