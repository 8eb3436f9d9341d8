"""Retries: few, spread out, and as patient as the upstream asks."""

from hypothesis import given
from hypothesis import strategies as st

from turnout.upstream.retries import (
    LONGEST_RETRY_AFTER_S,
    LONGEST_WAIT_S,
    MOST_SAVED,
    RetryBudget,
    wait_s,
)


def test_the_first_request_may_be_retried_and_then_one_in_five() -> None:
    budget = RetryBudget()
    budget.earn()
    assert budget.spend()
    assert not budget.spend()
    for _ in range(5):
        budget.earn()
    assert budget.spend()
    assert not budget.spend()


@given(st.lists(st.booleans(), min_size=100, max_size=400))
def test_calls_grow_by_a_fifth_at_most(wants_retry: list[bool]) -> None:
    budget = RetryBudget()
    retries = 0
    for wants in wants_retry:
        budget.earn()
        retries += wants and budget.spend()
    assert len(wants_retry) + retries <= 1.2 * len(wants_retry)


def test_quiet_times_save_up_no_storm() -> None:
    budget = RetryBudget()
    for _ in range(10_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(100)) == MOST_SAVED


def test_waits_are_spread_out_under_a_bound() -> None:
    waits = [wait_s(None) or 0.0 for _ in range(200)]
    assert all(0 <= wait <= LONGEST_WAIT_S for wait in waits)
    assert max(waits) - min(waits) > LONGEST_WAIT_S / 2


def test_an_upstreams_wish_counts_but_not_without_end() -> None:
    assert wait_s(3) == 3
    assert wait_s(0) == 0
    assert wait_s(LONGEST_RETRY_AFTER_S) == LONGEST_RETRY_AFTER_S
    assert wait_s(LONGEST_RETRY_AFTER_S + 1) is None
