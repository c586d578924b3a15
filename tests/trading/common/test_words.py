from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.builders import after
from trading.common import words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (71 * 60, "71 min"), (7200, "2 h")],
)
def test_a_span_is_told_in_one_unit(seconds: float, said: str) -> None:
    assert words.span(timedelta(seconds=seconds)) == said


def test_a_moment_is_told_as_the_minute_in_which_it_has_come() -> None:
    assert words.minute(after(minutes=20)) == "12:20"
    assert words.minute(after(minutes=20, seconds=0.5)) == "12:21"


def test_money_and_shares_have_two_decimals_and_quantities_their_own() -> None:
    assert words.money(Decimal("9789.967")) == "9,789.97"
    assert words.percent(Decimal("0.0439")) == "4.39 %"
    assert words.plain(Decimal("1E-7")) == "0.0000001"
