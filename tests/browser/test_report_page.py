"""The report's page in a browser, opened from its file: what is sent around by mail."""

from typing import Any

import pytest
from browser.conftest import PHONE, expect, serious_faults
from browser.test_decisions import CODE, HELLO, ask, rate
from e2e.conftest import CommandLine, Starter

pytestmark = pytest.mark.browser

LONG_TAG = "team=" + 40 * "long"


@pytest.fixture
async def report_page(serve: Starter, turnout: CommandLine) -> str:
    """The address of a report on two requests, one of them rated."""
    server = serve()
    await rate(server, await ask(server, CODE, tags=LONG_TAG), 1)
    await ask(server, HELLO)
    made = turnout("report", "--html", "report.html")
    assert made.returncode == 0, made.stderr
    return (turnout.folder / "report.html").as_uri()


async def test_the_report_s_page_shows_its_figures_and_draws_its_days(
    report_page, open_address
) -> None:
    opened = await open_address(report_page)
    page = opened.page
    await expect(page.locator("dl > div").first).to_have_text("Requests20 failed")
    charts = page.locator("figure")
    await expect(charts.locator("figcaption")).to_have_text(
        ["Requests", "Cost", "Fallbacks", "First byte, within which 95 % came"]
    )
    assert [await chart.locator("rect").count() for chart in await charts.all()] == [1, 1, 0, 1]
    categories = page.get_by_role("region", name="By category").locator("tbody")
    await expect(categories.get_by_role("rowheader")).to_have_text(["coding", "conversation"])
    quality = page.get_by_role("region", name="Good replies").locator("tbody").get_by_role("row")
    await expect(quality).to_contain_text("21% to 100%")
    assert opened.complaints == []


@pytest.mark.parametrize(
    "options",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE],
    ids=["light", "dark", "phone"],
)
async def test_the_report_s_page_fits_its_screen_and_axe_finds_nothing_serious(
    report_page, open_address, axe, options: dict[str, Any]
) -> None:
    page = (await open_address(report_page, **options)).page
    width = await page.evaluate("document.documentElement.clientWidth")
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    assert await serious_faults(page, axe) == []


async def test_the_report_s_page_fits_paper(report_page, open_address) -> None:
    a4 = {"viewport": {"width": 680, "height": 960}}
    page = (await open_address(report_page, color_scheme="dark", **a4)).page
    await page.emulate_media(media="print")
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(255, 255, 255)"
    for table in await page.locator("table").all():
        box = await table.bounding_box()
        assert box["x"] + box["width"] <= a4["viewport"]["width"]
