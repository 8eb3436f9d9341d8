"""Redaction finds what it says, leaves the rest, and takes no pattern that could take long."""

import re
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.policies import document
from turnout.errors import PolicyError
from turnout.policy_check import parse_policy
from turnout.redaction import MOST_KEPT, Kind, checked_pattern, redact

EVERY: tuple[Kind, ...] = get_args(Kind)
TOKEN = "a1B2" * 8


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "ann.lee+news@mail.example.co.uk"),
        ("email", "jürgen@müller.example"),
        ("phone", "+49 30 901820-0"),
        ("phone", "0044 20 7946 0958"),
        ("phone", "(415) 555-2671"),
        ("phone", "415.555.2671"),
        ("phone", "030 9018 2000"),
        ("card", "4111 1111 1111 1111"),
        ("card", "3782-822463-10005"),
        ("card", "5555555555554444"),
        ("card", "4111 1111 1111 1111 12"),
        ("key", f"sk-proj-{TOKEN}"),
        ("key", f"tn_{TOKEN}"),
        ("key", f"ghp_{TOKEN}"),
        ("key", "AKIAIOSFODNN7EXAMPLE"),
        ("key", f"Bearer {TOKEN}"),
        ("key", f"eyJ{TOKEN}.{TOKEN}.{TOKEN}"),
        ("key", "password: hunter2hunter2"),
        ("key", f"API_KEY={TOKEN}"),
        ("key", f"-----BEGIN RSA PRIVATE KEY-----\n{TOKEN}\n{TOKEN}=="),
    ],
)
def test_what_must_not_be_kept_is_replaced_by_its_kind(kind: Kind, text: str) -> None:
    assert redact(f"see {text}, please", [kind], {}) == f"see [{kind}], please"
    assert text not in redact(f"see {text}, please", EVERY, {})


@pytest.mark.parametrize(
    "text",
    [
        "Write a function that sorts 10,000 numbers in O(n log n).",
        "The meeting is on 2026-11-24 at 10:30, room 4.12.",
        "4111 1111 1111 1112 fits no card",
        "e = mc^2 and 3.14159265",
        "a token is a word; the secret is out; keys open doors",
        "@alice and bob@",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text, EVERY, {}) == text


def test_only_what_is_asked_for_is_replaced() -> None:
    text = "ann@example.com, 4111111111111111"
    assert redact(text, ["card"], {}) == "ann@example.com, [card]"
    assert redact(text, [], {}) == text


def test_own_patterns_are_replaced_by_their_names() -> None:
    own = {"ticket": checked_pattern("TCK-[0-9]{6}")}
    assert redact("see TCK-123456 and TCK-12", [], own) == "see [ticket] and TCK-12"


def test_what_a_cut_leaves_half_of_is_not_kept() -> None:
    for offset in (-10, -1, 0, 4_000 - 5, 4_000 - 1):
        text = "x " * ((MOST_KEPT + offset) // 2) + "ann@example.com" + " y" * 5_000
        kept = redact(text, ["email"], {})
        assert "ann" not in kept
        assert len(kept) <= MOST_KEPT + len("[email]")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a+", "no bound"),
        ("(a{1,9}){2}", "a group must not be repeated"),
        ("(a+)+b", "no bound"),
        ("a{1,}", "needs a bound"),
        ("a{,}b", "needs a bound"),
        ("a{1,65}", "64 times"),
        (r"(a)\1", "refer back"),
        ("(?=a)b", "of groups"),
        ("(?P<n>a)", "of groups"),
        ("a{0,64}a{0,64}b", "steps"),
        ("a" * 201, "200 characters"),
        ("(a", "not a regular expression"),
        ("a?", "empty"),
    ],
)
def test_a_pattern_that_could_take_long_is_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        checked_pattern(pattern)
    with pytest.raises(PolicyError) as refused:
        parse_policy(document(record={"prompts": True, "patterns": {"mine": pattern}}))
    assert [problem.path for problem in refused.value.problems] == ["record.patterns.mine"]


@pytest.mark.parametrize(
    "pattern",
    [r"\bEMP\d{4,8}\b", "[A-Z]{2,4}-[0-9]{1,8}", "(?:ID|No)[ .:]?[0-9]{5}", r"[]\]x]\+", "a{b}"],
)
def test_an_ordinary_pattern_is_taken(pattern: str) -> None:
    assert checked_pattern(pattern) == pattern


PIECES = st.sampled_from(
    ["a", "[ab]", ".", r"\w", "(a|ab)", "(?:a|b)?", "a?", "a{0,3}", "[ab]{1,9}", ".{0,20}", "a{2}"]
)


@settings(deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=6).map("".join))
def test_a_taken_pattern_gives_up_on_a_long_text_at_once(pattern: str) -> None:
    try:
        taken = checked_pattern(pattern + "!")
    except ValueError:
        return
    text = "a" * MOST_KEPT
    assert redact(text, [], {"mine": taken}) == text


def test_a_longer_repetition_never_counts_for_less() -> None:
    bounds = []
    for most in (1, 2, 4, 8, 16, 32, 60):
        with pytest.raises(ValueError, match="steps") as refused:
            checked_pattern(f"a{{0,{most}}}b{{0,60}}c{{0,60}}d")
        bounds.append(int(str(refused.value).split()[2].replace(",", "")))
    assert all(less < more for less, more in pairwise(bounds))
