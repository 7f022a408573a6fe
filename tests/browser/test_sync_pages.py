"""A full sync, started on the page and read there, in a real browser and with a real worker."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from playwright.async_api import Browser, expect

from arqlight.bundled import bundled_tasks
from arqlight.checked_fields import Secret
from arqlight.families.database import Database
from arqlight.jobs.queues import queue_key
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import StartWorker
from tests.support.accessibility import no_violation
from tests.support.families import hooks
from tests.support.marketplaces import Marketplaces, gumroad_sale, open_market
from tests.support.syncing import read_fast, rows


@pytest.fixture
async def market(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Marketplaces]:
    read_fast(monkeypatch)
    async with open_market() as market:
        yield market


@pytest.fixture
async def settings(
    family_settings: Settings, pool: ArqRedis, market: Marketplaces, start_worker: StartWorker
) -> Settings:
    """Those of a service beside which a worker syncs Gumroad."""
    settings = family_settings.changed(gumroad_url=market.url, gumroad_token=Secret(market.token))
    await start_worker(list(bundled_tasks().values()), queues=[queue_key("sync")], **hooks(settings))
    return settings


async def test_a_full_sync_is_started_on_the_page_and_its_report_shows_what_differs(
    browser: Browser, settings: Settings, database: Database, market: Marketplaces
) -> None:
    market.sales["gumroad"] = [gumroad_sale(number) for number in range(25, 0, -1)]
    async with TestClient(TestServer(create_app(settings))) as site:
        page = await (await browser.new_context()).new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(str(site.make_url("/sync")))
        await expect(page.locator(".many", has_text="Envato")).to_contain_text(
            "no token is set (ARQLIGHT_ENVATO_TOKEN)"
        )
        await page.get_by_role("button", name="Sync Gumroad now").click()
        first = page.locator("[data-run]").first
        await expect(first).to_contain_text("incremental")
        await expect(first.locator(".state")).to_have_text("Done")
        assert len(await rows(database)) == 25

        market.sales["gumroad"][20] = gumroad_sale(5, partially_refunded=True, amount_refundable_in_currency="14.99")
        del market.sales["gumroad"][10]
        await page.get_by_role("button", name="Full sync of Gumroad").click()
        await expect(page.locator("[data-run]")).to_have_count(2)
        await expect(first.locator(".state")).to_have_text("Done")
        await expect(first.locator('[data-label="Vanished"]')).to_have_text("1")
        await first.locator("a").click()
        await expect(page.locator("h1")).to_have_text("Full sync of gumroad")
        refunded = page.locator('[data-sale="g5"]')
        await expect(refunded).to_contain_text("state: paid")
        await expect(refunded).to_contain_text("refunded: 5.00 EUR")
        await expect(refunded).to_contain_text("state: partially_refunded")
        await expect(page.locator('[data-sale="g15"]')).to_contain_text("Vanished")
        await no_violation(page)
        await page.set_viewport_size({"width": 360, "height": 740})
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        assert problems == []


async def test_a_run_that_waits_for_a_limit_says_so_and_both_read_without_javascript(
    browser: Browser, settings: Settings, database: Database, market: Marketplaces
) -> None:
    market.sales["gumroad"] = [gumroad_sale(2), gumroad_sale(1, price=10**30)]
    market.refusals = [web.Response(status=429, headers={"Retry-After": "1"})]
    async with TestClient(TestServer(create_app(settings))) as site:
        live = await (await browser.new_context()).new_page()
        await live.goto(str(site.make_url("/sync")))
        page = await (await browser.new_context(java_script_enabled=False)).new_page()
        await page.goto(str(site.make_url("/sync")))
        await page.get_by_role("button", name="Full sync of Gumroad").click()
        await expect(live.locator("[data-run]").first.locator(".state")).to_have_text("Done")
        await page.goto(str(site.make_url("/sync/runs/1")))
        await expect(page.locator("#refused + table")).to_contain_text("beyond 64 bit")
        await expect(page.locator('[data-sale="g2"]')).to_contain_text("New")
