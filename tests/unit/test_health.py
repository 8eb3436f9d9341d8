"""Circuit breakers: who failed goes behind who is well, is probed once, and is never given up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.upstream import Target
from turnout.upstream.health import CONSECUTIVE, OPEN_S, WINDOW, Health

A, B, C = (Target(f"mock/{name}", "mock", name) for name in "abc")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(health: Health, target: Target, times: int = CONSECUTIVE) -> None:
    for _ in range(times):
        health.begin(target)
        health.failed(target)


def succeed(health: Health, target: Target) -> None:
    health.begin(target)
    health.succeeded(target)


def test_the_policys_order_stands_while_all_are_well(clock: Clock) -> None:
    health = Health(clock)
    fail(health, A, CONSECUTIVE - 1)
    assert health.ordered([A, B, C]) == [A, B, C]


def test_failures_in_a_row_put_a_model_behind_the_others(clock: Clock) -> None:
    health = Health(clock)
    fail(health, A)
    assert health.ordered([A, B, C]) == [B, C, A]
    assert health.ordered([A]) == [A]


def test_a_success_between_them_starts_the_count_anew(clock: Clock) -> None:
    health = Health(clock)
    fail(health, A, CONSECUTIVE - 1)
    succeed(health, A)
    fail(health, A, CONSECUTIVE - 1)
    assert health.ordered([A, B]) == [A, B]


def test_half_of_the_last_calls_failing_is_enough(clock: Clock) -> None:
    health = Health(clock)
    for _ in range(WINDOW // 2):
        succeed(health, A)
        assert health.ordered([A, B]) == [A, B]
        fail(health, A, 1)
    assert health.ordered([A, B]) == [B, A]


def test_after_a_while_one_call_probes_and_the_others_keep_away_meanwhile(clock: Clock) -> None:
    health = Health(clock)
    fail(health, A)
    clock.now = OPEN_S
    assert health.ordered([A, B]) == [A, B]
    health.begin(A)
    assert health.ordered([A, B]) == [B, A]
    health.succeeded(A)
    assert health.ordered([A, B]) == [A, B]


def test_a_probe_that_fails_shuts_it_out_for_as_long_again(clock: Clock) -> None:
    health = Health(clock)
    fail(health, A)
    clock.now = OPEN_S
    fail(health, A, 1)
    clock.now = 2 * OPEN_S - 1
    assert health.ordered([A, B]) == [B, A]
    clock.now = 2 * OPEN_S
    assert health.ordered([A, B]) == [A, B]


def test_a_probe_whose_caller_left_tells_nothing_and_another_may_probe(clock: Clock) -> None:
    health = Health(clock)
    fail(health, A)
    clock.now = OPEN_S
    health.begin(A)
    health.left(A)
    assert health.ordered([A, B]) == [A, B]


@given(
    st.lists(st.tuples(st.sampled_from([A, B, C]), st.booleans(), st.floats(0, 40)), max_size=60)
)
def test_nobody_is_ever_lost(calls: list[tuple[Target, bool, float]]) -> None:
    clock = Clock()
    health = Health(clock)
    for target, well, later in calls:
        clock.now += later
        health.begin(target)
        (health.succeeded if well else health.failed)(target)
        assert sorted(health.ordered([A, B, C]), key=str) == sorted([A, B, C], key=str)
