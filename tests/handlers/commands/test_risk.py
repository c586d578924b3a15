"""How near each limit is; what the stops would cost; what is unknown is said so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.commands.risk import limits_reply
from handlers.reply import Level
from handlers.texts.risk import risk_reply
from tests import builders
from tests.handlers.fakes import CLEO, House
from tests.handlers.story import HOLDINGS, D, a_halt, checked, lines_of, reads, the_view
from trading.accounts.views import DeskUsage, View
from trading.risk.limits import Theme

LIMITS = builders.some_limits(max_positions=5)


def at_risk(**changes: Any) -> View:
    """20:41:09 of the story, its exposure at the prices of that moment."""
    return the_view(**({"exposure": D("1523.88"), "losses_in_row": 1} | changes))


async def test_risk() -> None:
    house = House(at_risk())

    reads(
        await house.say("/risk", CLEO),
        """\
Inside all limits (paper)
                now   limit
  day %       +0.02   -3.00
  drawdown %  -4.39  -10.00
  exposure %  15.57   60.00
  loss streak     1       3
If every stop fills: -103.53 USDT (-1.06 %)
[Positions] [Limits]""",
    )


@pytest.mark.parametrize(
    ("changes", "title", "level"),
    [
        ({"today": D("-235.20")}, "⚠ Near its limit (paper): day", Level.URGENT),
        ({"today": D("-294.00")}, "⚠ At its limit (paper): day", Level.URGENT),
        ({"week_start": D("10400")}, "⚠ Near its limit (paper): week", Level.URGENT),
        ({"drawdown": D("0.0801")}, "⚠ Near its limit (paper): drawdown", Level.URGENT),
        ({"drawdown": D("0.10")}, "⚠ At its limit (paper): drawdown", Level.URGENT),
        ({"losses_in_row": 3}, "⚠ At its limit (paper): loss streak", Level.URGENT),
        ({"exposure": D("6000")}, "⚠ At its limit (paper): exposure", Level.URGENT),
        ({"exposure": D("5873.98")}, "Inside all limits (paper)", Level.INFO),
        (
            {"today": D("-294"), "drawdown": D("0.11")},
            "⚠ At its limit (paper): day and drawdown",
            Level.URGENT,
        ),
    ],
)
def test_risk_says_first_which_limit_is_near_or_reached(
    changes: dict[str, Any], title: str, level: Level
) -> None:
    reply = checked(risk_reply(at_risk(**changes)))

    assert (reply.title, reply.level) == (title, level)


@pytest.mark.parametrize(
    ("share", "is_above"),
    [("0.0029", False), ("0.003", False), ("0.00304", False), ("0.0031", True)],
)
def test_what_reads_as_above_its_limit_is_told_so(share: str, is_above: bool) -> None:
    held = HOLDINGS[2]
    assert held.at_stop is not None
    view = at_risk(holdings=(held,), limits=replace(LIMITS, risk_per_trade=D("0.003")))
    view = replace(view, equity=-held.at_stop / D(share))

    risk, limits = checked(risk_reply(view)), checked(limits_reply(view))

    said = "Above its limit: risk/trade. It holds for entries; what is open is not cut."
    assert (said in risk.text) is is_above
    assert limits.title.startswith("⚠ Above risk/trade: limits of majors") is is_above
    assert ("Inside all limits" in risk.title) is not is_above
    assert ("risk/trade" in risk.title) is is_above


def test_the_week_is_shown_once_it_is_near() -> None:
    assert "  week %      -5.87   -7.00" in lines_of(risk_reply(at_risk(week_start=D("10400"))))


def test_a_position_without_a_stop_makes_the_sum_unknown() -> None:
    bare = replace(HOLDINGS[1], plan=replace(HOLDINGS[1].plan, stop=None), stop_on_venue=False)

    reply = risk_reply(at_risk(holdings=(HOLDINGS[0], bare)))

    assert checked(reply).text == "If every stop fills: unknown; ETH has no stop"


def test_risk_without_a_price_is_unknown_not_zero() -> None:
    stale = replace(HOLDINGS[2], stale=True, age=timedelta(seconds=48))
    held = (*HOLDINGS[:2], stale)

    reply = checked(risk_reply(at_risk(holdings=held, equity=None, today=None, drawdown=None)))

    assert reply.title == "? Risk unknown (paper): SOL price is 48\u00a0s old"
    assert reply.table is not None
    assert [row[1] for row in reply.table.rows] == [*["unknown"] * 4, "1"]
    assert reply.text == "If every stop fills: unknown (unknown)"


def test_risk_with_nothing_open() -> None:
    reply = checked(risk_reply(at_risk(holdings=(), exposure=D("0"))))

    assert reply.text == "Nothing is open: no stop can fill."


def test_risk_says_what_holds_entries_back() -> None:
    halted = checked(risk_reply(at_risk(halts=(a_halt(),))))
    resting = checked(risk_reply(at_risk(rest="rests until 21:41 after losses in a row")))

    assert halted.text.endswith("No entries: H17 by ben.")
    assert resting.text.endswith("No entries for now: rests until 21:41 after losses in a row.")


WHOLE = DeskUsage(
    max_exposure=D("0.6"),
    max_positions=6,
    max_daily_loss=D("0.05"),
    exposure=D("0.1557"),
    positions=3,
    day_loss=D("-0.0002"),
)


@pytest.mark.parametrize(
    ("desk", "line"),
    [
        (WHOLE, "Whole desk: exposure 15.57 of 60.00 %, 3 of 6 open, day +0.02 of -5.00 %"),
        (replace(WHOLE, max_exposure=None, max_daily_loss=None), "Whole desk: 3 of 6 open"),
        (
            replace(WHOLE, max_positions=None, exposure=None, day_loss=None),
            "Whole desk: exposure unknown of 60.00 %, day unknown of -5.00 %",
        ),
    ],
)
def test_the_limits_of_the_whole_desk_are_told_where_there_are_any(
    desk: DeskUsage, line: str
) -> None:
    assert lines_of(checked(risk_reply(at_risk(desk=desk))))[-2] == line


async def test_limits() -> None:
    house = House(at_risk(limits=LIMITS))

    reads(
        await house.say("/limits", CLEO),
        """\
Limits of majors (paper)
                used   limit
  risk/trade %  0.30    0.30
  position %    6.73   20.00
  exposure %   15.57   60.00
  positions        3       5
  day %        +0.02   -3.00
  week %       -1.42   -7.00
  drawdown %   -4.39  -10.00
  loss streak      1       3
Least entry 10.00 USDT, on a price of 3 min at most.
Rests 60 min after 3 losses, a symbol 15 min.
[Risk]""",
    )


@pytest.mark.parametrize(
    ("longer", "said"),
    [
        ({"stop": 120, "loss": 60}, "a symbol 15 min (stop 2 h, loss 60 min)."),
        ({"win": 30}, "a symbol 15 min (win 30 min)."),
        ({"loss": 10, "win": 0}, "a symbol 15 min."),
    ],
)
def test_longer_rests_of_a_symbol_are_told(longer: dict[str, int], said: str) -> None:
    rests = {f"symbol_rest_after_{k}": timedelta(minutes=m) for k, m in longer.items()}
    reply = checked(limits_reply(at_risk(limits=builders.some_limits(**rests))))

    assert lines_of(reply)[-2].endswith(said)


THEMES = (
    Theme(name="meme", coins=frozenset({"DOGE"}), max_exposure=D("0.05")),
    Theme(name="l1", coins=frozenset({"ETH", "SOL"}), max_exposure=D("0.15")),
)


def test_what_is_used_of_each_theme_is_told() -> None:
    limits = builders.some_limits(themes=THEMES)
    reply = checked(limits_reply(at_risk(limits=limits)))
    assert lines_of(reply)[5:8] == [
        "  positions        3      3",
        "  l1 %          8.68  15.00",
        "  meme %        0.00   5.00",
    ]
    unknown = checked(limits_reply(at_risk(limits=limits, equity=None)))
    assert "  meme %       unknown   5.00" in lines_of(unknown)


def test_all_limits_of_the_rules_desk_fit_one_screen() -> None:
    limits = builders.some_limits(
        themes=THEMES * 3, entries_per_hour=5, entries_per_day=120,
        entry_spacing=timedelta(seconds=90), symbol_rest_after_stop=timedelta(hours=2),
        symbol_rest_after_loss=timedelta(hours=1),
    )  # fmt: skip
    checked(limits_reply(at_risk(limits=limits)))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (
            {"entries_per_hour": 5, "entry_spacing": timedelta(seconds=90)},
            "Entries: 5/h, 90 s apart.",
        ),
        (
            {
                "entries_per_cycle": 3, "entries_per_hour": 5, "entries_per_day": 120,
                "entry_spacing": timedelta(hours=1),
            },
            "Entries: 3 a cycle, 5/h, 120/day, 60 min apart.",
        ),
    ],
)  # fmt: skip
def test_limits_of_the_pace_are_told_where_there_are_any(limits: dict[str, Any], said: str) -> None:
    reply = checked(limits_reply(at_risk(limits=builders.some_limits(**limits))))

    assert reply.text.endswith(f" 15\u00a0min. {said}")


def test_limits_that_cannot_be_measured_are_unknown() -> None:
    bare = replace(HOLDINGS[1], plan=replace(HOLDINGS[1].plan, stop=None))
    stale = replace(HOLDINGS[2], stale=True)

    reply = checked(limits_reply(at_risk(holdings=(bare, stale))))

    assert reply.table is not None
    assert [row[1] for row in reply.table.rows[:2]] == ["unknown", "unknown"]


def test_limits_of_a_trader_that_holds_nothing() -> None:
    reply = checked(limits_reply(at_risk(holdings=(), exposure=D("0"), losses_in_row=0)))

    assert reply.table is not None
    assert [row[1] for row in reply.table.rows[:4]] == ["0.00", "0.00", "0.00", "0"]


async def test_with_several_traders_risk_names_its_own() -> None:
    house = House(at_risk(), at_risk(name="alts"))

    whole, alts = await house.say("/risk"), await house.say("/risk trader=alts")

    assert whole.title == "Inside all limits (paper)"
    assert alts.title == "alts: Inside all limits (paper)"
    assert [c.command for c in alts.choices] == ["/positions trader=alts", "/limits trader=alts"]
