"""The keyboard keeps its place while lists live: a row that leaves hands the focus on."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis
from playwright.async_api import Browser, Page, expect

from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.keys import KEYS
from tests.conftest import Client, StartWorker
from tests.support.waiting import eventually


async def boom(ctx: dict[str, Any]) -> None:
    raise ValueError("it went boom")


@pytest.fixture
async def page(
    browser: Browser, client: Client, journal: Journal, start_worker: StartWorker, pool: ArqRedis
) -> AsyncIterator[Page]:
    """A browser beside three jobs that failed."""
    worker = await start_worker([func(boom, name="boom")], max_tries=1)
    for number in range(3):
        await journal.enqueue([NewJob("boom", "arq:queue", id=f"b{number}")])
        await eventually(partial(_failed, pool, number + 1))
    await worker.close()
    page = await browser.new_page(base_url=str(client.make_url("/")))
    yield page
    await page.close()


async def _failed(pool: ArqRedis, number: int) -> bool:
    return bool(await pool.zcard(KEYS["failed"]) == number)


async def focused(page: Page) -> str:
    """The row that has the focus, else the name of the element that has."""
    return str(
        await page.evaluate("document.activeElement.closest('tr')?.dataset.id ?? document.activeElement.localName")
    )


async def test_what_another_hand_takes_away_stays_while_the_focus_is_in_the_list(page: Page, client: Client) -> None:
    await page.goto("/")
    rows = page.locator("table.failed tbody tr")
    await expect(rows).to_have_count(3)
    await expect(page.locator(".live")).to_have_attribute("data-feed", "on")
    await page.locator('table.failed tr[data-id="b1"] .actions button').first.focus()
    for gone in ("b1", "b0"):
        assert (await client.delete(f"/api/v1/failed/{gone}")).status == 204
        await expect(page.get_by_role("button", name="Changed: show")).to_be_visible()
        await expect(rows).to_have_count(3)
        assert await focused(page) == "b1"
    await page.keyboard.press("Enter")
    await expect(page.locator(".toast")).to_contain_text("It is no longer in the failed list.")
    await page.get_by_role("button", name="Changed: show").focus()
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(1)
    assert await focused(page) == "h2"
    await expect(page.locator(".held")).to_have_count(0)


@pytest.mark.parametrize("path", ["/", "/failed"])
async def test_no_row_moves_under_a_pointer_and_what_is_new_is_counted(
    page: Page, journal: Journal, start_worker: StartWorker, path: str
) -> None:
    await page.goto(path)
    rows = page.locator("table.failed tbody tr")
    await expect(rows).to_have_count(3)
    await expect(page.locator(".live")).to_have_attribute("data-feed", "on")
    await rows.nth(1).locator(".task").hover()
    under = await rows.nth(1).get_attribute("data-id")
    await start_worker([func(boom, name="boom")], max_tries=1)
    await journal.enqueue([NewJob("boom", "arq:queue", id="new")])
    bar = page.locator(".held button")
    await expect(bar).to_have_text("1 new: show" if path == "/" else "Changed: show")
    await expect(rows).to_have_count(3)
    assert await rows.nth(1).get_attribute("data-id") == under
    await page.mouse.move(1, 1)
    await expect(rows).to_have_count(4)
    await expect(bar).to_have_count(0)


async def test_what_is_selected_and_an_open_menu_stay_until_they_are_let_go(page: Page, client: Client) -> None:
    await page.goto("/")
    rows = page.locator("table.failed tbody tr")
    await expect(rows).to_have_count(3)
    await expect(page.locator(".live")).to_have_attribute("data-feed", "on")
    bar = page.locator(".held button")

    await page.evaluate("getSelection().selectAllChildren(document.querySelector('table.failed .error'))")
    assert (await client.delete("/api/v1/failed/b0")).status == 204
    await expect(bar).to_be_visible()
    await expect(rows).to_have_count(3)
    await page.evaluate("getSelection().removeAllRanges()")
    await expect(rows).to_have_count(2)

    await page.evaluate("document.querySelector('table.failed details.confirm').open = true")
    assert (await client.delete("/api/v1/failed/b1")).status == 204
    await expect(bar).to_be_visible()
    await expect(rows).to_have_count(2)
    await page.evaluate("document.querySelector('table.failed details.confirm').open = false")
    await expect(rows).to_have_count(1)
    await expect(bar).to_have_count(0)


@pytest.mark.parametrize("path", ["/", "/failed"])
async def test_a_retry_by_keyboard_hands_the_focus_to_the_next_row(page: Page, path: str) -> None:
    await page.goto(path)
    await expect(page.locator(".live")).to_have_attribute("data-feed", "on")
    await page.locator('table.failed tr[data-id="b1"] .actions button').first.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator('table.failed tr[data-id="b1"]')).to_have_count(0)
    assert await focused(page) == "b0"
