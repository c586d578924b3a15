from __future__ import annotations

import locale
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import format as f
from tests.handlers.story import D

DECIMALS = st.decimals(
    min_value=Decimal("-1e12"), max_value=Decimal("1e12"), allow_nan=False, allow_infinity=False
)
PLACES = st.integers(min_value=0, max_value=12)
SPANS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9_999))


@given(DECIMALS, PLACES)
def test_a_number_reads_back_as_itself_rounded_half_to_even(value: Decimal, places: int) -> None:
    text = f.number(value, places)

    assert re.fullmatch(r"-?\d{1,3}(,\d{3})*(\.\d+)?", text)
    assert Decimal(text.replace(",", "")) == round(value, places)
    assert len(text.partition(".")[2]) == places


@given(DECIMALS, PLACES)
def test_zero_has_no_sign_and_all_else_has_one(value: Decimal, places: int) -> None:
    text = f.number(value, places, signed=True)

    if round(value, places) == 0:
        assert text[0] == "0"
    else:
        assert text[0] == ("+" if value > 0 else "-")


@given(DECIMALS, st.sampled_from(["0.1", "0.10", "0.01", "0.0001", "1", "5", "0.5", "10"]))
def test_prices_have_the_decimals_of_their_tick(value: Decimal, tick: str) -> None:
    decimals = len(f.by_step(value, D(tick)).partition(".")[2])

    assert decimals == max(0, -int(D(tick).normalize().as_tuple().exponent))


@given(SPANS)
def test_a_duration_is_one_number_and_one_unit_and_never_too_long(span: timedelta) -> None:
    text = f.duration(span)
    assert re.fullmatch(r"[\d,]+\u00a0(s|min|h|d)", text)

    number, unit = text.split(f.NBSP)
    told = int(number.replace(",", "")) * {"s": 1, "min": 60, "h": 3_600, "d": 86_400}[unit]
    assert told <= span.total_seconds() + 1


@given(st.one_of(DECIMALS, st.floats(allow_nan=True, allow_infinity=True)), PLACES)
def test_nothing_unprintable_is_ever_said(value: Decimal | float, places: int) -> None:
    text = f.number(value, places)

    assert text == "unknown" or re.fullmatch(r"-?[\d,]+(\.\d+)?", text)
    assert "-0" not in text.replace("-0.", "x") or Decimal(text.replace(",", "")) != 0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f.money(D("9789.965")), "9,789.96"),
        (f.money(D("9789.975")), "9,789.98"),
        (f.money(D("-0.004")), "0.00"),
        (f.gain(D("1.57")), "+1.57"),
        (f.gain(D("-14.26")), "-14.26"),
        (f.gain(D("0")), "0.00"),
        (f.money(None), "unknown"),
        (f.amount(None, "USDT"), "unknown"),
        (f.amount(D("366.336"), "USDT"), "366.34\u00a0USDT"),
        (f.gained(D("15.363"), "USDT"), "+15.36\u00a0USDT"),
        (f.percent(D("0.00016")), "+0.02\u00a0%"),
        (f.percent(D("-0.10")), "-10.00\u00a0%"),
        (f.percent(D("0.0375"), signed=False), "3.75\u00a0%"),
        (f.percent(None), "unknown"),
        (f.whole_percent(D("0.25")), "25\u00a0%"),
        (f.whole_percent(D("0.125")), "12.5\u00a0%"),
        (f.whole_percent(D("1")), "100\u00a0%"),
        (f.by_step(D("117050"), D("0.1")), "117,050.0"),
        (f.by_step(D("2.75"), D("0.0001")), "2.7500"),
        (f.by_step(D("1239"), D("1")), "1,239"),
        (f.by_step(D("1240"), D("1E+1")), "1,240"),
        (f.by_step(None, D("1")), "unknown"),
        (f.exact(D("203.50")), "203.50"),
        (f.exact(D("1E+3")), "1,000"),
        (f.ratio(D("1.3333")), "1.33:1"),
        (f.plural(1, "position"), "1 position"),
        (f.plural(2, "entry", "entries"), "2 entries"),
        (f.plural(0, "stop"), "0 stops"),
        (f.listed([]), ""),
        (f.listed(["BTC"]), "BTC"),
        (f.listed(["BTC", "ETH", "SOL"]), "BTC, ETH and SOL"),
        (f.listed(["a", "b"], "or"), "a or b"),
        (f.duration(timedelta(seconds=48.9)), "48\u00a0s"),
        (f.duration(timedelta(minutes=71)), "71\u00a0min"),
        (f.duration(timedelta(hours=3)), "3\u00a0h"),
        (f.duration(timedelta(hours=24)), "24\u00a0h"),
        (f.duration(timedelta(days=4)), "4\u00a0d"),
        (f.duration(timedelta(seconds=-5)), "0\u00a0s"),
        (f.duration(None), "unknown"),
        (f.long_duration(timedelta(seconds=134)), "2\u00a0min 14\u00a0s"),
        (f.long_duration(timedelta(seconds=120)), "2\u00a0min"),
        (f.long_duration(timedelta(seconds=14)), "14\u00a0s"),
        (f.long_duration(timedelta(minutes=14, seconds=5)), "14\u00a0min"),
        (f.long_duration(None), "unknown"),
        (f.took(0.04), "0.04\u00a0s"),
        (f.took(0.4), "0.4\u00a0s"),
        (f.took(5), "5.0\u00a0s"),
        (f.took(18.2), "18\u00a0s"),
        (f.old(timedelta(seconds=1)), "1\u00a0s old"),
        (f.old(None), "of unknown age"),
        (f.ago(timedelta(minutes=11)), "11\u00a0min ago"),
        (f.ago(None), "at an unknown time"),
        (f.clock_time(datetime(2025, 10, 10, 20, 41, 9, tzinfo=UTC)), "20:41:09"),
        (f.minute(datetime(2025, 10, 10, 18, 45, tzinfo=UTC)), "18:45"),
        (f.moment(datetime(2021, 5, 19, 12, 41, tzinfo=UTC)), "19 May 2021 12:41\u00a0UTC"),
    ],
)
def test_figures_read_as_people_write_them(text: str, wanted: str) -> None:
    assert text == wanted


def test_the_locale_changes_nothing() -> None:
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
        assert f.money(D("1234.5")) == "1,234.50"
    finally:
        locale.setlocale(locale.LC_ALL, before)
