"""The telemetry page in a real browser: what it shows, filters, exports, merges and erases."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from playwright.async_api import Browser, Page, expect

from arqlight.families.telemetry.intake import Hasher
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import Client
from tests.support.access import add_user, guarded, sign_in
from tests.support.accessibility import no_violation
from tests.support.telemetry import event, fold


@pytest.fixture
async def site(family_settings: Settings, pool: ArqRedis) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(family_settings))) as client:
        yield client


@pytest.fixture
async def page(browser: Browser, site: Client) -> AsyncIterator[Page]:
    page = await (await browser.new_context()).new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    assert problems == []


async def test_devices_versions_and_usage_are_shown_filtered_exported_merged_and_erased(
    page: Page, site: Client, family: Any, tmp_path: Path
) -> None:
    ctx = await family(telemetry_fields='{"quill": {"os": "text"}}')
    hashed = Hasher(ctx["keys"])
    await page.goto(str(site.make_url("/")))
    await page.get_by_role("link", name="Telemetry").click()
    await expect(page.locator(".empty").last).to_contain_text("No device yet: SDKs send events")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    await fold(
        ctx,
        event(1, at=yesterday, counters={"exports": 1200}, os="<b>Linux</b>"),
        event(1, device="machine-2", version="2.1", person="ada", counters={"exports": 2}),
        event(1, device="machine-3", product="lumen", counters={"runs": 3}),
    )
    await page.reload()
    await expect(page.locator("[data-device]")).to_have_count(3)
    await expect(page.locator("[data-day]")).to_have_count(2)
    await expect(page.locator("[data-day]").last).to_contain_text("exports 1,200")
    await expect(page.locator("[data-day] progress").first).to_have_attribute("value", "2")
    await expect(page.locator('[data-product="quill"]')).to_contain_text("2.1 1")
    await expect(page.locator(f'[data-device="{hashed("machine-1")}"]')).to_contain_text("os: <b>Linux</b>")
    await no_violation(page)

    await page.locator('[data-product="quill"]').get_by_role("link", name="quill").click()
    await expect(page.locator("[data-device]")).to_have_count(2)
    await page.get_by_label("Version", exact=True).fill("2.1")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("[data-device]")).to_have_count(1)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Devices as JSON Lines").click()
    path = tmp_path / "devices.jsonl"
    await (await download.value).save_as(path)
    [line] = path.read_text().splitlines()
    assert json.loads(line)["fingerprint"] == hashed("machine-2")

    await page.get_by_role("link", name="Clear").click()
    await page.get_by_label("Fingerprint of the device that goes").fill(hashed("machine-1"))
    await page.get_by_label("Fingerprint of the one that stays").fill("nothing")
    await page.get_by_role("button", name="Merge").click()
    await expect(page.locator(".form-error")).to_contain_text("into")
    await page.get_by_label("Fingerprint of the one that stays").fill(hashed("machine-2"))
    await page.get_by_role("button", name="Merge").click()
    await expect(page.locator("[data-device]")).to_have_count(2)

    async with page.expect_download() as download:
        await page.get_by_label("As SDKs send it").first.fill("ada")
        await page.get_by_role("button", name="Export what is kept").click()
    path = tmp_path / "person.jsonl"
    await (await download.value).save_as(path)
    assert "device" in {json.loads(line)["kind"] for line in path.read_text().splitlines()}
    lumen = page.locator(f'[data-device="{hashed("machine-3")}"]')
    await lumen.get_by_role("button", name="Erase").click()
    await lumen.get_by_role("button", name="Cancel").click()
    await expect(page.locator("[data-device]")).to_have_count(2)
    await lumen.get_by_role("button", name="Erase").click()
    await lumen.get_by_role("button", name="Erase permanently").click()
    await expect(page.locator("[data-device]")).to_have_count(1)
    await page.get_by_role("button", name="Erase what is kept").click()
    await page.get_by_label("As SDKs send it").last.fill("ada")
    await page.get_by_role("button", name="Erase permanently").last.click()
    await expect(page.locator("[data-device]")).to_have_count(0)
    await page.set_viewport_size({"width": 360, "height": 740})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_a_viewer_reads_the_page_and_is_offered_nothing_that_changes_or_exports(
    browser: Browser, family_settings: Settings, pool: ArqRedis, family: Any
) -> None:
    await fold(await family(), event(1, counters={"runs": 1}))
    async with guarded(family_settings) as client:
        await add_user(client, "vera", "viewer")
        await sign_in(client, "vera")
        cookies = [
            {"name": each.key, "value": each.value, "url": str(client.make_url("/"))}
            for each in client.session.cookie_jar
        ]
        context = await browser.new_context()
        await context.add_cookies(cookies)  # type: ignore[arg-type]
        page = await context.new_page()
        await page.goto(str(client.make_url("/telemetry")))
        await expect(page.locator("[data-device]")).to_have_count(1)
        for name in ("Devices as CSV", "Merge", "Erase", "Export what is kept", "Erase what is kept"):
            for role in ("button", "link"):
                await expect(page.get_by_role(role, name=name, exact=True)).to_have_count(0)
