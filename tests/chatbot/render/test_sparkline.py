"""A chart where there are no pictures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chatbot.render.plain import plain
from chatbot.render.sparkline import BARS, sparkline
from handlers.chart import EquityChart
from handlers.reply import Choice, Reply

NOW = datetime(2025, 10, 10, 20, 41, 9, tzinfo=UTC)
FIGURES = st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=600)


def test_figures_become_bars_from_the_lowest_to_the_highest() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇"
    assert sparkline([7, 1, 7]) == "▇▁▇"


def test_what_never_moved_stands_in_the_middle_and_nothing_is_empty() -> None:
    assert sparkline([5.0] * 3) == "▄▄▄"
    assert sparkline([5.0]) == "▄"
    assert sparkline([]) == ""


def test_a_single_peak_among_hundreds_is_not_lost() -> None:
    line = sparkline([0.0] * 200 + [9.0] + [0.0] * 300)

    assert len(line) == 32
    assert line.count("▇") == 1


@given(FIGURES)
def test_any_figures_fit_into_32_columns_and_keep_what_is_furthest_out(values: list[float]) -> None:
    line = sparkline(values)

    assert len(line) == min(len(values), 32)
    assert set(line) <= set(BARS)
    if max(values) > min(values):
        ends = {BARS[0], BARS[-1]}
        assert ends <= set(line) if len(values) <= 32 else ends & set(line)


def test_a_terminal_shows_it_between_title_and_prose() -> None:
    chart = EquityChart(
        title="Equity, today",
        quote="USDT",
        times=tuple(NOW + timedelta(hours=n) for n in range(3)),
        equity=(1.0, 3.0, 2.0),
        drawdown=(0.0, 0.0, -1 / 3),
        zone="UTC",
    )
    reply = Reply("Today: +1.00", text="No trades.", choices=(Choice("Stats", "/stats"),))

    shown = plain(Reply(reply.title, text=reply.text, choices=reply.choices, chart=chart), now=NOW)

    assert shown == "Today: +1.00\n  ▁▇▄\nNo trades.\n  Stats: /stats"
