"""Records summed into a report, and the report told."""

import json
import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.policies import document, model
from support.records import record
from turnout import report_page, report_view
from turnout.attempt import Attempt
from turnout.charts import Bar, columns
from turnout.errors import InvalidRequest
from turnout.feedback import Feedback
from turnout.policy import Policy, PolicyRef
from turnout.policy_check import parse_policy
from turnout.record import DecisionRecord, to_wire
from turnout.recorded import Unread, read_records
from turnout.report import Report, strongest, summed, wilson
from turnout.timespan import seconds

DAY = 86400.0
NOON = 1_800_014_400.0
DEAR = model(id="large", usd_per_mtok={"input": 10, "output": 20})
POLICY = parse_policy(document(models={"small": model(id="small"), "large": DEAR}))


def report(*records: DecisionRecord, **changes: Any) -> Report:
    known: dict[PolicyRef, Policy] = {PolicyRef("test", "1"): POLICY}
    given: dict[str, Any] = {"policies": known, "feedback": {}, **changes}
    return summed(records, NOON - DAY, NOON + DAY, **given)


def test_the_parts_of_every_division_add_up_to_the_totals() -> None:
    told = report(
        record(NOON, tail="1"),
        record(NOON - DAY / 2, tail="2", sensed={"category": "math", "key": "k2"}),
        record(NOON, tail="3", outcome="failed", usage=None, cost_usd=None, ttfb_ms=None),
    )
    assert (told.totals.requests, told.totals.input_tokens, told.totals.output_tokens) == (
        3,
        200,
        100,
    )
    assert told.totals.cost_usd == pytest.approx(0.0004)
    assert told.totals.failed == 1
    for parts in (told.by_day, told.by_category, told.by_model, told.by_key):
        assert sum(part.requests for part in parts) == 3
        assert math.fsum(part.cost_usd for part in parts) == pytest.approx(told.totals.cost_usd)
        assert math.fsum(part.saved_usd for part in parts) == pytest.approx(told.totals.saved_usd)
    assert [part.name for part in told.by_key] == ["k1", "k2"]
    assert [part.name for part in told.by_day] == sorted(part.name for part in told.by_day)


def test_calls_after_the_first_are_fallbacks_and_the_last_model_answered() -> None:
    attempts = (Attempt("mock/small", 503, "busy", 1.0), Attempt("mock/large", 200, None, 2.0))
    told = report(record(NOON, attempts=attempts))
    assert told.totals.fallbacks == 1
    assert [part.name for part in told.by_model] == ["mock/large"]


def test_a_record_counts_to_each_of_its_tags_of_which_session_and_trace_are_none() -> None:
    tags = {"team": "search", "nightly": "", "session_id": "s", "trace_id": "t"}
    told = report(record(NOON, sensed={"metadata": tags}))
    assert {part.name for part in told.by_tag} == {"team=search", "nightly"}


def test_decisions_alone_and_what_lies_outside_the_span_are_left_out() -> None:
    told = report(record(NOON, outcome="decided"), record(NOON - DAY - 1), record(NOON + DAY))
    assert told.totals.requests == 0
    assert told.totals.ttfb_ms.p50 is None
    assert "0 requests" in report_view.as_text(told)


def test_saved_is_the_same_tokens_at_the_strongest_model_s_price_less_the_cost() -> None:
    told = report(record(NOON))
    assert told.baseline.model == "mock/large"
    assert told.baseline.usd == pytest.approx((100 * 10 + 50 * 20) / 1e6)
    assert told.totals.saved_usd == pytest.approx(0.002 - 0.0002)


def test_a_record_of_an_unknown_policy_version_is_left_out_of_the_saving_and_counted() -> None:
    old = record(NOON, policy=PolicyRef("test", "0"))
    told = report(record(NOON, tail="1"), old)
    assert (told.baseline.compared, told.baseline.left_out) == (1, 1)
    assert told.totals.saved_usd == pytest.approx(0.0018)
    assert "1 requests left out" in report_view.as_text(told)


def test_the_strongest_is_the_best_by_the_policy_s_own_table_else_the_dearest() -> None:
    rated = document(
        models={"small": model(id="small"), "large": DEAR},
        quality={"small": {"*": 0.9}, "large": {"*": 0.8}},
    )
    assert strongest(POLICY).full_id == "mock/large"
    assert strongest(parse_policy(rated)).full_id == "mock/small"


def test_percentiles_are_by_nearest_rank() -> None:
    told = report(*(record(NOON, tail=str(i), ttfb_ms=float(i)) for i in range(1, 21)))
    assert (told.totals.ttfb_ms.p50, told.totals.ttfb_ms.p95) == (10.0, 19.0)


def test_every_part_has_percentiles_of_its_own() -> None:
    told = report(record(NOON - DAY, ttfb_ms=10.0), record(NOON, ttfb_ms=30.0))
    assert [day.ttfb_ms.p50 for day in told.by_day] == [10.0, 30.0]
    assert told.totals.ttfb_ms.p95 == 30.0


def said(one: DecisionRecord, score: float) -> tuple[str, Feedback]:
    return one.id, Feedback(one.id, score, NOON)


def test_quality_is_the_share_of_good_judgements_by_category_and_model() -> None:
    records = [record(NOON, tail=str(i)) for i in range(5)]
    scores = zip(records, (1.0, 0.5, -1.0, 0.0), strict=False)
    (quality,) = report(*records, feedback=dict(said(*each) for each in scores)).quality
    assert (quality.category, quality.model, quality.up, quality.n) == (
        "coding",
        "mock/small",
        2,
        3,
    )
    assert quality.low < quality.share < quality.high


def test_wilson_s_interval_is_the_one_in_the_literature() -> None:
    # Newcombe (1998), table I: 81 of 263, and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


@settings(deadline=None)
@given(st.integers(1, 500), st.data())
def test_an_interval_holds_its_share_and_narrows_with_more_of_the_same(
    n: int, data: st.DataObject
) -> None:
    up = data.draw(st.integers(0, n))
    low, high = wilson(up, n)
    more_low, more_high = wilson(10 * up, 10 * n)
    assert 0 <= low <= up / n + 1e-12
    assert up / n - 1e-12 <= high <= 1
    assert more_high - more_low < high - low


class Tags(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_whole_records_are_read_out_of_logs_and_what_is_broken_is_counted() -> None:
    one = record(NOON)
    line = json.dumps({"message": "decision", "decision": to_wire(one)}).encode()
    lines = [line, b"START RequestId", b"2026-11-24T03:37:45Z " + line, line[:-30], b'{"_aws": {}}']
    unread = Unread()
    assert list(read_records(lines, unread)) == [one, one]
    assert (unread.other, unread.broken) == (2, 1)


def test_the_page_needs_nothing_else_and_nobody_s_names_become_markup() -> None:
    evil = '"><script>alert(1)</script>'
    one = record(NOON, sensed={"category": evil, "key": evil, "metadata": {evil: evil}})
    parser = Tags()
    page = report_page.as_html(report(one, feedback=dict([said(one, 1.0)])))
    parser.feed(page)
    tags = {tag for tag, _ in parser.seen}
    assert {"svg", "table"} <= tags
    assert not tags & {"script", "link", "img", "iframe"}
    assert not any("href" in attrs or "src" in attrs for _, attrs in parser.seen)
    assert not re.search(r"https?:", page)


def test_the_json_has_the_documented_shape() -> None:
    told = report_view.as_json(report(record(NOON)))
    assert set(told) == {
        "since", "until", "complete", "totals", "by_day", "by_category", "by_model", "by_key",
        "by_tag", "baseline", "quality",
    }  # fmt: skip
    assert set(told["totals"]) == {
        "name", "requests", "input_tokens", "output_tokens", "cost_usd", "saved_usd", "fallbacks",
        "failed", "ttfb_ms",
    }  # fmt: skip


def test_a_month_of_days_is_drawn_in_full_with_no_more_dates_than_have_room() -> None:
    drawn = columns([Bar(f"Nov {day}", day, f"{day} asked") for day in range(1, 31)])
    assert drawn.count("<rect") == 30
    assert drawn.count('class="name"') <= 8
    assert ">Nov 30</text>" in drawn
    assert re.findall(r">(\d+ asked)</text>", drawn) == ["30 asked"]


def test_days_without_requests_have_their_place_on_the_page_so_that_time_is_to_scale() -> None:
    page = report_page.as_html(report(record(NOON - DAY, tail="1"), record(NOON - 1, tail="2")))
    requests = page.split("<figcaption>Requests</figcaption>")[1].split("</figure>")[0]
    assert 'aria-label="Jan 14: 1; Jan 15: 1; Jan 16: 0"' in requests
    assert requests.count("<rect") == 2


def test_the_page_says_what_was_saved_and_what_that_assumes() -> None:
    page = report_page.as_html(report(record(NOON)))
    assert "<dt>Saved</dt><dd>$0.0018<small>90% of $0.002 for the strongest model" in page
    assert "Strongest: mock/large; assumed: every answered request goes to" in page
    text = report_view.as_text(report(record(NOON)))
    assert "saved $0.001800 of $0.002000 (90%) against always using the strongest model" in text


def test_a_report_of_nothing_is_still_a_page() -> None:
    page = report_page.as_html(report())
    assert "<dt>Requests</dt><dd>0" in page
    assert "Saved" not in page


@pytest.mark.parametrize(("span", "length"), [("90m", 5400), ("24h", 86400), ("7d", 604800)])
def test_a_span_is_read_as_people_write_it(span: str, length: float) -> None:
    assert seconds(span) == length


@pytest.mark.parametrize("span", ["", "d", "7", "-1d", "1.5h", "7w", "٣d", "9999999d"])
def test_a_span_that_cannot_be_read_is_told(span: str) -> None:
    with pytest.raises(InvalidRequest, match="90m, 24h or 7d"):
        seconds(span)
