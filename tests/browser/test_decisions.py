"""The decisions page in a browser: what was decided, request by request and day by day."""

import re
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from browser.conftest import PHONE, Opener, Playground, expect, routed_to, serious_faults, tab_to
from e2e.conftest import ServerProcess

pytestmark = pytest.mark.browser

CODE = "Write a Python function that merges two sorted lists."
HELLO = "hey, how are you?"
HEADS = ["Time", "Category", "Model", "Rule", "Outcome", "Cost", "First byte", "Attempts"]
REPORT_ROUTE = "**/v1/report*"


def day(ago: int, requests: int, p50: float | None = None, **more: Any) -> dict[str, Any]:
    name = (datetime.now(UTC) - timedelta(days=ago)).strftime("%Y-%m-%d")
    ttfb = p50 and {"p50": p50, "p95": 3 * p50}
    return {"name": name, "requests": requests, "ttfb_ms": ttfb, **more}


def report() -> dict[str, Any]:
    """Return a report of a week, such as no test can live through: on five of its days nothing happened."""
    return {
        "totals": {
            "requests": 1234,
            "cost_usd": 0.57,
            "saved_usd": 1.2,
            "fallbacks": 3,
            "failed": 2,
            "ttfb_ms": {"p50": 312.0, "p95": 1210.0},
        },
        "by_day": [
            day(5, 1000, 300, cost_usd=0.5, fallbacks=3, failed=2),
            day(0, 234, 350, cost_usd=0.07, fallbacks=0, failed=0),
        ],
        "quality": [],
    }


@pytest.fixture
def open_decisions(open_playground: Opener) -> Opener:
    """Open the decisions page of a server, at what follows its path."""

    async def open_at(server: ServerProcess, address: str = "", **options: Any) -> Playground:
        return await open_playground(server, f"/decisions{address}", **options)

    return open_at


async def ask(
    server: ServerProcess,
    prompt: str,
    model: str = "auto",
    key: str = "",
    session: str = "",
    tags: str = "",
) -> str:
    """Send a request as any client does, and return its decision's id."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    told = {"x-api-key": key, "x-session-id": session, "x-turnout-tags": tags}
    headers = {name: value for name, value in told.items() if value}
    url = f"{server.url}/v1/chat/completions"
    async with (
        aiohttp.ClientSession() as client,
        client.post(url, json=body, headers=headers) as response,
    ):
        await response.read()
        return response.headers["x-turnout-decision-id"]


async def rate(server: ServerProcess, decision_id: str, score: int) -> None:
    body = {"decision_id": decision_id, "score": score}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{server.url}/v1/feedback", json=body) as response,
    ):
        assert response.status == 204


def rows(page: Any) -> Any:
    return page.get_by_role("table", name="Decisions").locator("tbody").get_by_role("row")


async def test_each_decision_has_a_row_the_newest_first(serve, open_decisions) -> None:
    server = serve()
    await ask(server, CODE)
    await ask(server, HELLO, "policy/frugal")
    opened = await open_decisions(server)
    page = opened.page
    await expect(page.get_by_role("columnheader")).to_have_text(HEADS)
    await expect(rows(page)).to_have_count(2)
    newest, oldest = await rows(page).all()
    await expect(newest).to_contain_text("conversation")
    for told in ("coding", "anthropic/claude-sonnet-5-5", "code", "ok", "$0.0"):
        await expect(oldest).to_contain_text(told)
    await expect(oldest.locator("[data-head='first byte']")).to_have_text(re.compile(r"\d\sm?s$"))
    await expect(oldest.locator("[data-head=attempts]")).to_have_text("1")
    await expect(page.locator("[aria-live=polite]")).to_contain_text("2 decisions.")
    assert opened.complaints == []


async def test_a_filter_narrows_the_list_and_stays_in_the_address(serve, open_decisions) -> None:
    server = serve()
    for _ in range(2):
        await ask(server, CODE)
    await ask(server, HELLO, "policy/frugal")
    opened = await open_decisions(server)
    page = opened.page
    await expect(rows(page)).to_have_count(3)
    for name, value, count in (
        ("Category", "coding", 2),
        ("Model", "anthropic/claude-sonnet-5-5", 2),
        ("Policy", "default", 2),
        ("Outcome", "ok", 2),
    ):
        await page.get_by_role("combobox", name=name).select_option(value)
        await expect(rows(page)).to_have_count(count)
    assert "category=coding" in page.url
    await page.reload()
    await expect(rows(page)).to_have_count(2)
    await expect(page.get_by_role("combobox", name="Category")).to_have_value("coding")
    await page.get_by_role("combobox", name="Policy").select_option("frugal")
    await expect(page.locator(".nothing")).to_have_text(
        "No decision of this time fits these filters."
    )
    await page.get_by_role("button", name="Clear filters").click()
    await expect(rows(page)).to_have_count(3)
    await expect(page.get_by_role("button", name="Clear filters")).to_be_hidden()
    assert opened.complaints == []


async def test_failures_and_fallbacks_are_told_apart(serve, open_decisions, mock, tmp_path) -> None:
    server = serve(**routed_to(mock, tmp_path, "status-503", "ok"))
    await ask(server, HELLO)
    await ask(server, HELLO, "mock/status-503")
    page = (await open_decisions(server)).page
    await expect(rows(page)).to_have_count(2)
    failed, fell_back = await rows(page).all()
    await expect(failed.locator(".ended-badly")).to_have_text("failed")
    await expect(fell_back).to_contain_text("mock/ok")
    await expect(fell_back.locator(".fell-back")).to_have_text("2")
    await page.get_by_role("combobox", name="Outcome").select_option("failed")
    await expect(rows(page)).to_have_count(1)


async def test_a_row_opens_its_record_with_the_explanation_and_a_link_to_share(
    serve, open_decisions
) -> None:
    server = serve()
    decision_id = await ask(server, CODE)
    opened = await open_decisions(server, "?category=coding")
    page = opened.page
    await rows(page).get_by_text("anthropic/").click()
    await expect(page.get_by_role("heading", level=1, name="Decision")).to_be_focused()
    await expect(page.locator(".decision-id")).to_contain_text(decision_id)
    await expect(page.locator(".bars li").first).to_contain_text(re.compile(r"coding\d+%"))
    candidates = page.get_by_role("table", name="Candidates")
    await expect(candidates.get_by_role("row", name="writer")).to_contain_text("not named by rule")
    await expect(page.locator(".attempt")).to_contain_text("status 200")
    await expect(page.locator(".rules")).to_contain_text("code applies")
    await expect(page.get_by_text("The prompt is not on record")).to_be_visible()
    await page.get_by_role("link", name="To the list").click()
    await expect(rows(page).get_by_role("link")).to_be_focused()
    assert "category=coding" in page.url
    other = await open_decisions(server, f"#/decisions/{decision_id}")
    await expect(other.page.locator(".rules")).to_be_visible()
    await expect(other.page.locator("#list")).to_be_hidden()
    assert opened.complaints + other.complaints == []


async def test_a_prompt_is_shown_where_the_policy_keeps_it_and_redacted_as_it_says(
    serve, open_decisions, mock, tmp_path
) -> None:
    record = {"prompts": True, "redact": ["email"]}
    server = serve(**routed_to(mock, tmp_path, "ok", record=record))
    decision_id = await ask(server, "Write to ann@example.com, please.")
    page = (await open_decisions(server, f"#/decisions/{decision_id}")).page
    await expect(page.locator(".recorded-prompt")).to_have_text("Write to [email], please.")


async def test_a_decision_shows_the_session_it_belongs_to(serve, open_decisions) -> None:
    server = serve()
    tags = "team=search, nightly"
    first, second = [await ask(server, each, session="s", tags=tags) for each in (HELLO, CODE)]
    alone = await ask(server, CODE)
    opened = await open_decisions(server, f"#/decisions/{second}")
    page = opened.page
    session = page.get_by_role("region", name="The session")
    await expect(session).to_contain_text("2 requests, $0.0")
    on_record = page.get_by_role("region", name="On record")
    await expect(on_record).to_contain_text("Sessions")
    await expect(on_record).to_contain_text("Tagsteam=search, nightly")
    items = session.get_by_role("listitem")
    await expect(items.first).to_contain_text("conversation")
    await expect(items.last.locator("[aria-current]")).to_be_visible()
    await session.get_by_role("link").click()
    await expect(page.locator(".decision-id")).to_contain_text(first)
    await expect(items.first.locator("[aria-current]")).to_be_visible()
    await page.evaluate("(id) => { location.hash = `#/decisions/${id}`; }", alone)
    await expect(page.locator(".decision-id")).to_contain_text(alone)
    await expect(page.locator(".rules")).to_be_visible()
    await expect(session).to_have_count(0)
    assert opened.complaints == []


async def test_the_link_that_is_copied_names_the_decision_and_no_filter(
    serve, open_decisions
) -> None:
    server = serve()
    decision_id = await ask(server, CODE)
    path = f"?category=coding#/decisions/{decision_id}"
    permissions = ["clipboard-read", "clipboard-write"]
    page = (await open_decisions(server, path, permissions=permissions)).page
    await page.get_by_role("button", name="Copy link").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{server.url}/decisions#/decisions/{decision_id}"


async def test_the_days_are_drawn_and_told_in_figures(demo, open_decisions) -> None:
    opened = await open_decisions(demo, answers={REPORT_ROUTE: report()})
    page = opened.page
    panels = page.locator(".panel")
    await expect(panels.locator("figcaption")).to_have_text(
        [
            "Requests1,234 · 2 failed",
            "Spend$0.57 · $1.20 saved",
            "Fallbacks3",
            "First byte312 ms · p95 1.2 s",
        ]
    )
    assert [await panel.locator("rect").count() for panel in await panels.all()] == [2, 2, 1, 0]
    heights = [
        float(await bar.get_attribute("height")) for bar in await panels.first.locator("rect").all()
    ]
    assert heights[1] / heights[0] == pytest.approx(0.234)
    assert await panels.last.locator("circle").count() == 4
    assert await panels.first.locator(".day-name").count() == 7
    await page.get_by_text("The same in figures").click()
    figures = page.get_by_role("table", name="Day by day").locator("tbody").get_by_role("row")
    await expect(figures).to_have_count(7)
    told = ["1,000", "2", "$0.5", "3", "300 ms", "900 ms"]
    await expect(figures.nth(1).get_by_role("cell")).to_have_text(told)
    await expect(figures.nth(2).get_by_role("cell")).to_have_text(["0", "0", "$0", "0", "—", "—"])
    assert opened.complaints == []


async def test_what_was_asked_today_is_in_the_picture(
    serve, open_decisions, mock, tmp_path
) -> None:
    server = serve(**routed_to(mock, tmp_path, "status-503", "ok"))
    await ask(server, HELLO)
    await ask(server, HELLO, "mock/status-503")
    opened = await open_decisions(server)
    panels = opened.page.locator(".panel")
    await expect(panels.nth(0).locator("figcaption")).to_have_text("Requests2 · 1 failed")
    await expect(panels.nth(2).locator("figcaption")).to_have_text("Fallbacks2")
    await expect(panels.nth(3).locator("circle")).to_have_count(2)
    await opened.page.get_by_text("The same in figures").click()
    days = opened.page.get_by_role("table", name="Day by day").locator("tbody").get_by_role("row")
    await expect(days.last.get_by_role("cell").nth(0)).to_have_text("2")
    await expect(days.last.get_by_role("cell").last).to_have_text(re.compile(r"\d\sm?s$"))
    assert opened.complaints == []


async def test_what_callers_thought_is_told_by_category_and_model(serve, open_decisions) -> None:
    server = serve()
    opened = await open_decisions(server)
    await expect(opened.page.locator("#quality")).to_contain_text("was rated")
    for score in (1, 1, -1):
        await rate(server, await ask(server, CODE), score)
    await opened.page.get_by_role("button", name="Refresh").click()
    rated = opened.page.get_by_role("table", name="Quality by category and model")
    row = rated.locator("tbody").get_by_role("row")
    await expect(row).to_have_count(1)
    await expect(row.get_by_role("rowheader")).to_have_text("coding")
    await expect(row.get_by_role("cell").nth(1)).to_have_text("2 of 3")
    # Wilson's interval of two in three.
    await expect(row.get_by_role("cell").nth(2)).to_have_text("67% (21% to 94%)")
    assert opened.complaints == []


async def test_the_most_rated_come_first_and_the_rest_when_asked_for(demo, open_decisions) -> None:
    rated = [
        {"category": f"c{n}", "model": "m/x", "up": 0, "n": n, "share": 0, "low": 0, "high": 0.5}
        for n in range(1, 11)
    ]
    answers = {REPORT_ROUTE: {**report(), "quality": rated}}
    page = (await open_decisions(demo, answers=answers)).page
    table = page.get_by_role("table", name="Quality by category and model")
    heads = table.locator("tbody").get_by_role("rowheader")
    await expect(heads).to_have_text([f"c{n}" for n in range(10, 5, -1)])
    await page.get_by_role("button", name="Show all 10").click()
    await expect(heads).to_have_text([f"c{n}" for n in range(10, 0, -1)])
    await expect(page.get_by_role("region", name="Quality by category and model")).to_be_focused()


@pytest.mark.parametrize(
    ("status", "told"), [(404, "this server makes no reports"), (503, "Not this time.")]
)
async def test_where_there_is_no_report_the_picture_is_left_out_in_words(
    serve, open_decisions, status, told
) -> None:
    server = serve()
    await ask(server, HELLO)
    page = (await open_decisions(server, answers={REPORT_ROUTE: status})).page
    await expect(page.locator("#daily-picture")).to_contain_text(told)
    await expect(page.locator(".panel")).to_have_count(0)
    await expect(page.locator("#quality")).to_be_empty()
    await expect(rows(page)).to_have_count(1)


async def test_older_decisions_follow_page_by_page(serve, open_decisions) -> None:
    server = serve()
    made = [await ask(server, HELLO) for _ in range(52)]
    opened = await open_decisions(server)
    page = opened.page
    await expect(rows(page)).to_have_count(50)
    await page.get_by_role("button", name="Show older").click()
    await expect(rows(page)).to_have_count(52)
    links = rows(page).get_by_role("link")
    hrefs = [await link.get_attribute("href") for link in await links.all()]
    assert hrefs == [f"#/decisions/{id_}" for id_ in reversed(made)]
    await expect(links.nth(50)).to_be_focused()
    await expect(page.get_by_role("button", name="Show older")).to_have_count(0)
    assert opened.complaints == []


async def test_what_came_since_is_there_after_a_refresh(serve, open_decisions) -> None:
    server = serve()
    await ask(server, HELLO)
    page = (await open_decisions(server)).page
    await expect(rows(page)).to_have_count(1)
    await ask(server, CODE)
    await page.get_by_role("button", name="Refresh").click()
    await expect(rows(page)).to_have_count(2)


async def test_an_empty_store_says_what_to_do(serve, open_decisions) -> None:
    server = serve()
    opened = await open_decisions(server)
    nothing = opened.page.locator(".nothing")
    await expect(nothing).to_contain_text("Every request leaves one")
    await expect(nothing.locator("code")).to_contain_text(f"curl {server.url}/v1/chat/completions")
    await nothing.get_by_role("link", name="the playground").click()
    await expect(opened.page.get_by_role("textbox", name="Prompt", exact=True)).to_be_visible()
    await opened.page.get_by_role("link", name="Decisions").click()
    await expect(nothing).to_be_visible()
    assert opened.complaints == []


async def test_a_lost_server_is_told_in_words(serve, open_decisions) -> None:
    server = serve()
    await ask(server, HELLO)
    page = (await open_decisions(server)).page
    await expect(rows(page)).to_have_count(1)
    server.stop(signal.SIGKILL)
    await page.get_by_role("combobox", name="Outcome").select_option("ok")
    await expect(page.locator("#records").get_by_role("alert")).to_contain_text(
        "Turnout cannot be reached"
    )
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()


async def test_a_key_is_asked_for_and_shows_its_tenants_decisions_alone(
    serve, turnout, open_decisions
) -> None:
    server = serve("--host", "0.0.0.0")
    ours, theirs = (turnout("keys", "create", who).stdout.strip() for who in ("acme", "other"))
    our_id = await ask(server, CODE, key=ours)
    their_id = await ask(server, HELLO, key=theirs)
    page = (await open_decisions(server)).page
    field = page.get_by_role("textbox", name="API key")
    await expect(page.locator("#key-told")).to_contain_text("No API key")
    await expect(page.locator("#daily-picture")).to_contain_text("once there is a key")
    await expect(field).to_be_focused()
    await field.fill(ours)
    await page.keyboard.press("Enter")
    await expect(rows(page)).to_have_count(1)
    await expect(rows(page).get_by_role("link")).to_have_attribute("href", f"#/decisions/{our_id}")
    await page.evaluate("(id) => { location.hash = `#/decisions/${id}`; }", their_id)
    alert = page.locator("#decision-page").get_by_role("alert")
    await expect(alert).to_contain_text(f"No decision '{their_id}' on record")


async def test_everything_can_be_done_by_keyboard(serve, open_decisions) -> None:
    server = serve()
    await ask(server, CODE)
    await ask(server, HELLO)
    opened = await open_decisions(server)
    page, keys = opened.page, opened.page.keyboard
    await expect(rows(page)).to_have_count(2)
    await keys.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await keys.press("Enter")
    await tab_to(page, "Category")
    await keys.type("coding")
    await expect(rows(page)).to_have_count(1)
    await tab_to(page, "Key")
    await keys.type("local")
    await keys.press("Tab")
    await expect(rows(page)).to_have_count(1)
    assert "key=local" in page.url
    time = await rows(page).get_by_role("link").inner_text()
    await tab_to(page, time)
    await keys.press("Enter")
    await expect(page.locator(".rules")).to_be_visible()
    await tab_to(page, "← To the list", back=True)
    await keys.press("Enter")
    await expect(rows(page).get_by_role("link")).to_be_focused()
    assert opened.complaints == []


async def test_on_a_narrow_screen_nothing_is_cut_off(serve, open_decisions) -> None:
    server = serve()
    await ask(server, CODE)
    page = (await open_decisions(server, **PHONE)).page
    await expect(rows(page)).to_have_count(1)
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    await page.get_by_text("The same in figures").click()
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    cells = rows(page).get_by_role("cell")
    for cell in await cells.all():
        box = await cell.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320
    await expect(cells.last).to_have_text("1")
    await rows(page).click()
    await expect(page.locator(".rules")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(
    serve, open_decisions, axe, mock, tmp_path, scheme
) -> None:
    server = serve(**routed_to(mock, tmp_path, "status-503", "ok"))
    options = {"color_scheme": scheme, "reduced_motion": "reduce"}
    page = (await open_decisions(server, **options)).page
    await expect(page.locator(".nothing")).to_be_visible()
    assert await serious_faults(page, axe) == []
    await ask(server, HELLO)
    await ask(server, HELLO, "mock/status-503")
    await page.get_by_role("button", name="Refresh").click()
    await expect(rows(page)).to_have_count(2)
    await page.get_by_text("The same in figures").click()
    assert await serious_faults(page, axe) == []
    await rows(page).first.click()
    await expect(page.locator(".rules")).to_be_visible()
    assert await serious_faults(page, axe) == []
