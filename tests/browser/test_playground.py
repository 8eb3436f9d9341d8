"""The playground in a browser, as the people see it to whom a router is shown."""

import json
import re
import signal
from itertools import pairwise
from typing import Any

import pytest
from browser.conftest import PHONE, expect, routed_to, serious_faults, tab_to

pytestmark = pytest.mark.browser

CODE = "Write a Python function that merges two sorted lists."
MATH = "Evaluate the integral of x^2 * e^x from 0 to 1, showing each step."
REPLY = "Hello from the mock upstream."

WATCH = """() => {
  window.seen = [];
  new MutationObserver(() => {
    const text = document.querySelector('.prose')?.textContent ?? '';
    const bars = document.querySelectorAll('.bars li').length;
    const last = window.seen.at(-1);
    if (!last || last[0] !== bars || last[1] !== text) window.seen.push([bars, text]);
  }).observe(document.getElementById('conversation'), {subtree: true, childList: true, characterData: true});
}"""
"""Notes every change of the conversation as [bars shown, text shown]."""


async def test_the_decision_is_shown_before_the_first_words_which_then_come_in_order(
    serve, open_playground, mock, tmp_path
) -> None:
    playground = await open_playground(serve(**routed_to(mock, tmp_path, "slow")))
    page = playground.page
    await page.evaluate(WATCH)
    await playground.ask(CODE)
    await playground.answered()
    seen = await page.evaluate("window.seen")
    texts = [text for _, text in seen if text]
    assert next(bars for bars, _ in seen if bars) == 6
    assert all(bars == 6 for bars, text in seen if text)
    assert [6, ""] in seen
    assert len(set(texts)) >= 3
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert texts[-1] == REPLY
    assert playground.complaints == []


async def test_a_decision_tells_what_was_read_the_rule_the_candidates_and_the_outcome(
    demo, open_playground
) -> None:
    playground = await open_playground(demo)
    await playground.ask(CODE)
    await playground.answered()
    decision = playground.page.locator(".decision")
    await expect(decision.locator("summary")).to_contain_text("coding")
    await expect(decision.locator(".bars li").first).to_contain_text(re.compile(r"coding\d+%"))
    await expect(decision.get_by_role("meter", name="Difficulty")).to_have_attribute(
        "aria-valuenow", re.compile(r"^0\.\d\d$")
    )
    for fact in ("Confidence", "Language", "English", "Input tokens", "Needs"):
        await expect(decision).to_contain_text(fact)
    await expect(decision).to_contain_text("Rule code applies: category coding meets coding.")
    candidates = decision.get_by_role("table", name="Candidates")
    await expect(candidates.get_by_role("row", name="coder")).to_contain_text("In, chosen")
    out = candidates.get_by_role("row", name="writer")
    await expect(out).to_contain_text("not named by rule code")
    await expect(out).to_contain_text("$0.0")
    outcome = decision.locator(".outcome")
    for part in ("answered in", "status 200", "Actual cost", "Tokens out", "First byte"):
        await expect(outcome).to_contain_text(part)
    assert playground.complaints == []


async def test_with_smart_routing_off_the_model_that_was_picked_answers(
    demo, open_playground
) -> None:
    playground = await open_playground(demo)
    page = playground.page
    await page.get_by_role("switch", name="Smart Routing").uncheck()
    await page.get_by_role("combobox", name="Model").select_option("openai/gpt-6.1-sol")
    async with page.expect_request("**/v1/chat/completions") as sent:
        await playground.ask(CODE)
    assert (await sent.value).post_data_json["model"] == "openai/gpt-6.1-sol"
    await playground.answered()
    await expect(page.locator(".reply-head")).to_have_text("openai/gpt-6.1-sol")
    await expect(page.locator(".decision")).to_contain_text("the caller asked for it")


async def test_a_policy_can_be_chosen(demo, open_playground) -> None:
    playground = await open_playground(demo)
    await playground.page.get_by_role("combobox", name="Policy").select_option("policy/frugal")
    await playground.ask("hey, how are you?")
    await playground.answered()
    await expect(playground.page.locator(".decision")).to_contain_text("Policy frugal")


async def test_a_conversation_is_sent_whole_until_a_new_chat(demo, open_playground) -> None:
    playground = await open_playground(demo)
    page = playground.page
    await page.get_by_role("button", name="System prompt").click()
    await page.get_by_role("textbox", name="System prompt").fill("Be brief.")
    await playground.ask("hello")
    await playground.answered()
    async with page.expect_request("**/v1/chat/completions") as sent:
        await playground.ask("and again")
    request = await sent.value
    body = request.post_data_json
    assert [message["role"] for message in body["messages"]] == [
        "system", "user", "assistant", "user",
    ]  # fmt: skip
    assert body["messages"][0]["content"] == "Be brief."
    assert "demo upstream" in body["messages"][2]["content"]
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert request.headers["x-turnout-decision"] == "inline"
    await playground.answered()
    # The older decision is folded away, the newer one open.
    assert await page.locator(".decision[open]").count() == 1
    await page.get_by_role("button", name="New chat").click()
    assert await page.locator(".turn").count() == 0
    async with page.expect_request("**/v1/chat/completions") as sent:
        await playground.ask("hello")
    assert len((await sent.value).post_data_json["messages"]) == 2


async def test_an_example_is_sent_when_it_is_pressed(demo, open_playground) -> None:
    playground = await open_playground(demo)
    page = playground.page
    chips = page.locator(".welcome .chip")
    assert await chips.count() == 12
    await page.get_by_role("button", name="Español").click()
    await playground.answered()
    await expect(page.locator(".decision")).to_contain_text("Spanish")
    await page.get_by_role("button", name="Examples").click()
    await page.locator("#more-examples").get_by_role("button", name="Hard math").click()
    await playground.answered()
    assert await page.locator(".turn").count() == 1
    await expect(page.locator(".decision summary")).to_contain_text("math")
    assert playground.complaints == []


async def test_stop_ends_a_reply_at_once(serve, open_playground, mock, tmp_path) -> None:
    playground = await open_playground(serve(**routed_to(mock, tmp_path, "hang")))
    page = playground.page
    await playground.ask(CODE)
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_text("You stopped this reply.")).to_be_visible()
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await expect(page.get_by_role("textbox", name="Prompt", exact=True)).to_be_focused()


async def test_an_upstream_that_is_down_is_told_in_words(serve, open_playground) -> None:
    dead = {"OPENAI_API_KEY": "sk-never-shown", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    playground = await open_playground(serve(**dead))
    page = playground.page
    await playground.ask("What is the capital of Australia?")
    alert = page.locator(".run").get_by_role("alert")
    await expect(alert).to_contain_text(re.compile("no model answered", re.IGNORECASE))
    await playground.answered()
    candidates = page.get_by_role("table", name="Candidates")
    row = candidates.get_by_role("row", name=re.compile("^small"))
    await expect(row).to_contain_text("In, tried, failed")
    assert "sk-never-shown" not in await page.content()
    async with page.expect_request("**/v1/chat/completions"):
        await page.get_by_role("button", name="Try again").click()


async def test_a_request_that_no_model_may_answer_shows_why(serve, open_playground) -> None:
    only_groq = {"GROQ_API_KEY": "sk-none", "GROQ_BASE_URL": "http://127.0.0.1:9/v1"}
    playground = await open_playground(serve(**only_groq))
    page = playground.page
    await playground.ask(CODE)
    await expect(page.locator(".run").get_by_role("alert")).to_contain_text("leaves no model")
    await playground.answered()
    await expect(page.locator(".decision summary")).to_contain_text("no model")
    candidates = page.get_by_role("table", name="Candidates")
    await expect(candidates).to_contain_text("upstream anthropic is not configured")
    await expect(page.locator(".outcome")).to_contain_text("No model was eligible")


async def test_the_model_that_stepped_in_is_shown_after_the_one_that_failed(
    serve, open_playground, mock, tmp_path
) -> None:
    playground = await open_playground(serve(**routed_to(mock, tmp_path, "status-503", "ok")))
    await playground.ask(CODE)
    await playground.answered()
    candidates = playground.page.get_by_role("table", name="Candidates")
    await expect(candidates.get_by_role("row", name="m0")).to_contain_text("In, tried, failed")
    await expect(candidates.get_by_role("row", name="m1")).to_contain_text("In, answered")
    await expect(playground.page.locator(".attempt")).to_have_count(2)
    await expect(playground.page.locator(".answering")).to_have_text("mock/ok")


async def test_a_long_prompt_is_folded_and_its_reply_in_sight(demo, open_playground) -> None:
    playground = await open_playground(demo)
    page = playground.page
    await playground.ask("\n".join(f"line {i}" for i in range(200)))
    await playground.answered()
    prompt = page.locator(".prompt-text")
    assert (await page.locator(".reply").bounding_box())["y"] < page.viewport_size["height"]
    await page.get_by_role("button", name="Show the whole prompt").click()
    fold = page.get_by_role("button", name="Fold the prompt")
    await expect(fold).to_have_attribute("aria-expanded", "true")
    whole = (await prompt.bounding_box())["height"]
    assert whole > 200 * 16
    await fold.click()
    assert (await prompt.bounding_box())["height"] < whole / 10


async def test_a_prompt_that_is_too_long_to_send_is_told_in_words(demo, open_playground) -> None:
    playground = await open_playground(demo)
    await playground.ask("x" * 6_000_001)
    alert = playground.page.locator(".run").get_by_role("alert")
    await expect(alert).to_contain_text(
        "This is too long to send. The body is over 6,000,000 bytes."
    )


async def test_a_reply_that_breaks_off_is_told_to_be_incomplete(
    serve, open_playground, mock, tmp_path
) -> None:
    playground = await open_playground(serve(**routed_to(mock, tmp_path, "break-3")))
    await playground.ask(CODE)
    alert = playground.page.locator(".run").get_by_role("alert")
    await expect(alert).to_contain_text("The reply is incomplete. mock/break-3 broke off")
    await expect(playground.page.locator(".prose")).to_have_text("Hello from the")
    await playground.answered()
    await expect(playground.page.locator(".outcome")).to_contain_text("broke off in the middle")


async def test_a_lost_server_is_told_in_words(serve, open_playground) -> None:
    server = serve()
    playground = await open_playground(server)
    await expect(playground.page.locator("#about")).to_contain_text("Turnout")
    server.stop(signal.SIGKILL)
    await playground.ask(CODE)
    alert = playground.page.locator(".run").get_by_role("alert")
    await expect(alert).to_contain_text("Turnout cannot be reached")
    await expect(playground.page.get_by_role("button", name="Send")).to_be_visible()


async def test_a_reply_is_text_whatever_it_says(demo, open_playground) -> None:
    playground = await open_playground(demo)
    page = playground.page
    reply = (
        "<img src=x onerror=alert(1)> **bold** `a < b`\n\n```html\n<script>alert(2)</script>\n```\n"
    )
    chunk = {"choices": [{"index": 0, "delta": {"content": reply}, "finish_reason": "stop"}]}
    stream = f": a comment\r\n\r\ndata: {json.dumps(chunk)}\r\n\r\ndata: [DONE]\r\n\r\n"
    await page.route(
        "**/v1/chat/completions",
        lambda route: route.fulfill(content_type="text/event-stream", body=stream),
    )
    await playground.ask("anything")
    prose = page.locator(".prose")
    await expect(prose.locator("p")).to_have_text("<img src=x onerror=alert(1)> bold a < b")
    await expect(prose.locator("strong")).to_have_text("bold")
    await expect(prose.locator("pre code")).to_have_text("<script>alert(2)</script>")
    assert await prose.locator("img, script").count() == 0
    assert playground.complaints == []


async def test_a_reply_can_be_rated_up_and_down(demo, open_playground) -> None:
    playground = await open_playground(demo)
    page = playground.page
    await playground.ask(CODE)
    await playground.answered()
    good, poor = (page.get_by_role("button", name=f"{name} reply") for name in ("Good", "Poor"))
    for button, score in ((good, 1), (poor, -1)):
        async with page.expect_response("**/v1/feedback") as answer:
            await button.click()
        response = await answer.value
        assert response.ok
        sent = response.request.post_data_json
        assert re.fullmatch(r"dec_[0-9a-f]{28}", sent["decision_id"])
        assert sent["score"] == score
        await expect(button).to_have_attribute("aria-pressed", "true")
        await expect(page.locator(".rated")).to_have_text("Thank you, noted.")
    await expect(good).to_have_attribute("aria-pressed", "false")
    assert playground.complaints == []


async def test_who_rates_a_reply_can_say_why_and_the_decision_shows_it(
    demo, open_playground
) -> None:
    playground = await open_playground(demo)
    page = playground.page
    await playground.ask(CODE)
    await playground.answered()
    why = page.get_by_role("button", name="Say why")
    await expect(why).to_be_hidden()
    await page.get_by_role("button", name="Poor reply").click()
    await why.click()
    form = page.get_by_role("form", name="Say why")
    await expect(form.get_by_role("textbox", name="Comment")).to_be_focused()
    await page.keyboard.type("It is a proof that I wanted.")
    await form.get_by_role("combobox", name="Kind of work").select_option("math")
    async with page.expect_request("**/v1/feedback") as sent:
        await form.get_by_role("button", name="Send").click()
    assert (await sent.value).post_data_json.items() >= {
        "score": -1,
        "comment": "It is a proof that I wanted.",
        "labels": {"category": "math"},
    }.items()
    await expect(form).to_be_hidden()
    await expect(why).to_be_focused()
    await page.get_by_role("link", name="Open this decision").click()
    said = page.get_by_role("region", name="What the caller thought")
    for told in ("poor", "Kind of work", "math", "It is a proof that I wanted."):
        await expect(said).to_contain_text(told)
    assert playground.complaints == []


async def test_on_a_narrow_screen_the_room_to_say_why_is_in_sight(demo, open_playground) -> None:
    playground = await open_playground(demo, **PHONE, reduced_motion="reduce")
    page = playground.page
    await playground.ask(CODE)
    await playground.answered()
    await page.get_by_role("button", name="Good reply").click()
    await page.get_by_role("button", name="Say why").click()
    form = await page.get_by_role("form", name="Say why").bounding_box()
    composer = await page.locator("#composer").bounding_box()
    assert form["y"] >= 0
    assert form["y"] + form["height"] <= composer["y"]
    assert await page.evaluate("document.documentElement.scrollWidth") == 320


async def test_a_rating_that_is_not_saved_is_told_and_taken_back(demo, open_playground) -> None:
    playground = await open_playground(demo)
    page = playground.page
    error = {"error": {"message": "the store is not there", "type": "api_error"}}
    await page.route("**/v1/feedback", lambda route: route.fulfill(status=503, json=error))
    await playground.ask(CODE)
    await playground.answered()
    good = page.get_by_role("button", name="Good reply")
    await good.click()
    alert = page.locator(".rated").get_by_role("alert")
    await expect(alert).to_have_text("Not saved. The store is not there.")
    await expect(good).to_have_attribute("aria-pressed", "false")


async def test_side_by_side_asks_two_targets_and_shows_two_decisions(demo, open_playground) -> None:
    playground = await open_playground(demo)
    page = playground.page
    await page.get_by_role("button", name="Side by side").click()
    await page.get_by_role("combobox", name="Left").select_option("policy/frugal")
    await page.get_by_role("combobox", name="Right").select_option("anthropic/claude-sonnet-5-5")
    await playground.ask(CODE)
    await playground.answered()
    left, right = await page.locator(".run").all()
    await expect(left.locator(".reply-head")).to_contain_text("policy/frugal")
    await expect(left.locator(".decision")).to_contain_text("Policy frugal")
    await expect(right.locator(".reply-head")).to_contain_text("anthropic/claude-sonnet-5-5")
    await expect(right.locator(".decision")).to_contain_text("the caller asked for it")
    boxes = [await run.bounding_box() for run in (left, right)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    # Each side goes on with its own replies.
    bodies: list[dict[str, Any]] = []
    page.on("request", lambda r: bodies.append(r.post_data_json) if r.method == "POST" else None)
    await playground.ask("and again")
    await playground.answered()
    replies = {body["model"]: body["messages"][1]["content"] for body in bodies}
    assert "claude-sonnet-5-5 would have answered" in replies["anthropic/claude-sonnet-5-5"]
    assert "gpt-6-luna would have answered" in replies["policy/frugal"]
    assert playground.complaints == []


async def test_a_decisions_link_shows_its_record_and_every_rule_tried(
    demo, open_playground
) -> None:
    playground = await open_playground(demo)
    await playground.ask(MATH)
    await playground.answered()
    link = await playground.page.get_by_role("link", name="Open this decision").get_attribute(
        "href"
    )
    other = await open_playground(demo, f"/{link}")
    page = other.page
    await expect(page.get_by_role("heading", level=1)).to_have_text("Decision")
    rules = page.locator(".rules > li")
    await expect(rules.first).to_contain_text("unsure does not apply")
    taken = page.get_by_role("table", name="Conditions of rule hard-thinking")
    await expect(taken.get_by_role("row", name="category")).to_contain_text("math or reasoning")
    await expect(taken.get_by_role("row", name="difficulty")).to_contain_text("✓ yes")
    await expect(rules.last).to_contain_text("not reached")
    await expect(page.locator(".agrees")).to_be_visible()
    await expect(page.locator(".outcome")).to_contain_text("answered in")
    await page.get_by_role("link", name="To the chat").click()
    await expect(page.get_by_role("textbox", name="Prompt", exact=True)).to_be_visible()
    await expect(page.locator("#decision-page")).to_be_hidden()
    assert other.complaints == []


async def test_a_link_to_no_decision_says_so(demo, open_playground) -> None:
    playground = await open_playground(demo, "/#/decisions/dec_0000")
    alert = playground.page.locator("#decision-page").get_by_role("alert")
    await expect(alert).to_contain_text("No decision 'dec_0000' on record")


async def test_a_key_is_asked_for_where_one_is_needed_and_kept_in_the_tab_alone(
    serve, turnout, open_playground
) -> None:
    server = serve("--host", "0.0.0.0")
    key = turnout("keys", "create", "acme").stdout.strip()
    playground = await open_playground(server)
    page = playground.page
    field = page.get_by_role("textbox", name="API key")
    await expect(page.locator("#key-told")).to_contain_text("No API key")
    await field.fill("no-such-key")
    await page.keyboard.press("Enter")
    await expect(page.locator("#key-told")).to_contain_text("This API key is not known")
    await expect(field).to_be_focused()
    await field.fill(key)
    await page.keyboard.press("Enter")
    await expect(field).to_be_hidden()
    await playground.ask(CODE)
    await playground.answered()
    kept = await page.evaluate(
        "[Object.values(sessionStorage), localStorage.length, document.cookie]"
    )
    assert kept == [[key], 0, ""]


async def test_a_model_that_only_embeds_is_not_offered_for_a_chat(demo, open_playground) -> None:
    page = (await open_playground(demo)).page
    await expect(page.locator('#model option[value="openai/gpt-6.1-sol"]')).to_have_count(1)
    await expect(page.locator('option[value*="embedding"]')).to_have_count(0)


async def test_everything_can_be_done_by_keyboard(demo, open_playground) -> None:
    playground = await open_playground(demo)
    page, keys = playground.page, playground.page.keyboard
    await expect(page.get_by_role("combobox", name="Policy").locator("option")).to_have_count(3)

    await keys.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await keys.press("Enter")
    await tab_to(page, "Code")
    await tab_to(page, "Prompt")
    await keys.type("one")
    await keys.press("Shift+Enter")
    await keys.type("two")
    await tab_to(page, "Smart Routing")
    await keys.press("Space")
    await tab_to(page, "Model")
    await tab_to(page, "Side by side")
    await tab_to(page, "System prompt")
    await tab_to(page, "Prompt", back=True)
    await keys.press("Enter")
    await playground.answered()
    await expect(page.locator(".prompt-text")).to_have_text("one\ntwo")
    await expect(page.locator(".reply-head")).to_have_text("openai/gpt-6-luna")
    await tab_to(page, "Open this decision", back=True)
    await tab_to(page, "Decision", back=True)
    await keys.press("Enter")
    await expect(page.locator(".bars")).to_be_hidden()
    await tab_to(page, "Good reply", back=True)
    await keys.press("Enter")
    await expect(page.locator(".rated")).to_have_text("Thank you, noted.")
    assert playground.complaints == []


async def test_a_screen_reader_is_told_of_the_decision_and_of_the_replys_end(
    demo, open_playground
) -> None:
    playground = await open_playground(demo)
    await playground.ask(CODE)
    await playground.answered()
    told = playground.page.locator("[aria-live=polite]")
    await expect(told).to_contain_text("Rule code chose anthropic/claude-sonnet-5-5.")
    await expect(told).to_contain_text(re.compile(r"Reply complete, \d+ words\."))


async def test_on_a_narrow_screen_there_is_room_for_every_button(demo, open_playground) -> None:
    page = (await open_playground(demo, **PHONE)).page
    await page.evaluate("sessionStorage.setItem('turnout.key', 'any')")
    await page.reload()
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    await page.get_by_role("button", name="API key").click()
    await expect(page.get_by_role("textbox", name="API key")).to_be_focused()
    await page.get_by_role("link", name="Decisions").click()
    await expect(page.get_by_role("heading", name="Decisions")).to_be_visible()


@pytest.mark.parametrize("side_by_side", [False, True])
async def test_on_a_narrow_screen_the_decision_is_below_the_reply_and_folds(
    demo, open_playground, side_by_side
) -> None:
    playground = await open_playground(demo, **PHONE)
    page = playground.page
    if side_by_side:
        await page.get_by_role("button", name="Side by side").click()
    await playground.ask(CODE)
    await playground.answered()
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    reply = await page.locator(".reply").first.bounding_box()
    decision = page.locator(".decision").first
    assert (await decision.bounding_box())["y"] >= reply["y"] + reply["height"]
    await decision.locator("summary").click()
    await expect(decision.locator(".bars")).to_be_hidden()
    await decision.locator("summary").click()
    await decision.get_by_role("link", name="Open this decision").click()
    await expect(page.locator(".rules")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
async def test_the_page_follows_the_systems_colours(demo, open_playground, scheme, is_dark) -> None:
    playground = await open_playground(demo, color_scheme=scheme)
    colour = await playground.page.evaluate("getComputedStyle(document.body).backgroundColor")
    red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    assert (red + green + blue < 3 * 64) is is_dark


async def test_nothing_moves_for_those_who_want_it_so(demo, open_playground) -> None:
    playground = await open_playground(demo, reduced_motion="reduce")
    await playground.ask(CODE)
    await playground.answered()
    assert await playground.page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(demo, open_playground, axe, scheme) -> None:
    playground = await open_playground(demo, color_scheme=scheme, reduced_motion="reduce")
    page = playground.page

    assert await serious_faults(page, axe) == []
    await playground.ask(CODE)
    await playground.answered()
    assert await serious_faults(page, axe) == []
    await page.get_by_role("button", name="Good reply").click()
    await page.get_by_role("button", name="Say why").click()
    assert await serious_faults(page, axe) == []
    await page.get_by_role("button", name="Side by side").click()
    await playground.ask(MATH)
    await playground.answered()
    assert await serious_faults(page, axe) == []
    await page.get_by_role("link", name="Open this decision").last.click()
    await expect(page.locator(".rules")).to_be_visible()
    assert await serious_faults(page, axe) == []
