"""The suppression list in a real browser: added, imported, searched, removed; and a reader who leaves."""

from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from playwright.async_api import Browser, expect

from arqlight.families.database import Database
from arqlight.families.email import suppressions
from arqlight.families.email.unsubscribing import unsubscribe_url
from arqlight.key_ring import KeyRing
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.support.accessibility import no_violation


async def test_addresses_are_added_imported_searched_and_removed_and_a_reader_leaves(
    browser: Browser, family_settings: Settings, pool: ArqRedis, database: Database
) -> None:
    settings = family_settings.changed(public_url="https://jobs.example.org")
    async with TestClient(TestServer(create_app(settings))) as site:
        page = await (await browser.new_context()).new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(str(site.make_url("/suppressions")))
        await expect(page.locator(".empty")).to_have_text("No address is on the list.")

        add = page.locator('form[action="/api/v1/suppressions"]')
        await add.get_by_label("Address").fill("Ada@example.org")
        await add.get_by_label("Detail").fill("asked by phone")
        await add.get_by_role("button", name="Add to the list").click()
        row = page.locator('[data-address="ada@example.org"]')
        await expect(row).to_contain_text("asked by phone")

        many = page.locator('form[action="/api/v1/suppressions/import"]')
        await many.get_by_label("Many, as CSV").fill("email\ngrace@example.org\nken@example.org\n")
        await many.get_by_label("Reason").select_option("bounced")
        await many.get_by_role("button", name="Import").click()
        await expect(page.locator("[data-address]")).to_have_count(3)
        await many.get_by_label("Many, as CSV").fill("=HYPERLINK(1)")
        await many.get_by_role("button", name="Import").click()
        await expect(many.get_by_role("alert")).to_contain_text("begins like a formula")

        await no_violation(page)
        await page.goto(str(site.make_url("/suppressions")))
        await page.get_by_label("Address contains").fill("ADA")
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator("[data-address]")).to_have_count(1)
        await row.get_by_text("Remove", exact=True).click()
        await row.get_by_role("button", name="Remove from the list").click()
        await expect(page.locator(".empty")).to_contain_text("No address on the list contains ADA")

        link = unsubscribe_url(settings, KeyRing(settings), "lin@example.org")
        await page.goto(str(site.make_url("/")).rstrip("/") + link.removeprefix("https://jobs.example.org"))
        await no_violation(page)
        await expect(page.locator("nav")).to_have_count(0)
        await page.get_by_role("button", name="Unsubscribe").click()
        await expect(page.get_by_role("status")).to_contain_text("lin@example.org is unsubscribed")
        listed = {each.address: each.reason for each in (await suppressions.page(database))[0]}
        assert listed == {
            "grace@example.org": "bounced",
            "ken@example.org": "bounced",
            "lin@example.org": "unsubscribed",
        }
        assert problems == []
