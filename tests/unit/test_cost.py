"""What a call costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.cost import Usage, cost_usd
from turnout.policy import Price


def test_input_and_output_are_charged_per_million_tokens() -> None:
    assert cost_usd(Price(input=2, output=10), Usage(500_000, 100_000)) == pytest.approx(2.0)


def test_cached_input_is_charged_its_own_price() -> None:
    price = Price(input=2, output=0, cached_input=0.5)
    assert cost_usd(price, Usage(1_000_000, 0, cached_input_tokens=400_000)) == pytest.approx(1.4)


def test_cached_input_costs_as_much_as_other_input_where_no_price_is_given() -> None:
    assert cost_usd(Price(input=2, output=0), Usage(1_000_000, 0, 400_000)) == pytest.approx(2.0)


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_cost_is_never_negative_and_grows_with_output(fresh: int, out: int, cached: int) -> None:
    price = Price(input=1, output=3, cached_input=0.1)
    cost = cost_usd(price, Usage(fresh, out, cached))
    assert 0 <= cost < cost_usd(price, Usage(fresh, out + 1, cached))
