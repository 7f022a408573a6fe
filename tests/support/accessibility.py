"""What axe finds on a page."""

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page


async def no_violation(page: Page) -> None:
    """Assert that there is none, with light colours, and none of contrast with dark ones."""
    for scheme, options in (("dark", {"runOnly": ["color-contrast"]}), ("light", {})):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = await Axe().run(page, options=options)
        assert found.violations_count == 0, f"{page.url}, {scheme}: {found.generate_report()}"
