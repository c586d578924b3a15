"""The universe: who is in, who joins and leaves soon, why others are out, and how old that is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from handlers.reply import Level
from tests.builders import NOON
from tests.handlers.fakes import House
from tests.handlers.story import BTC, ETH, LINK, SOL, XRP, checked, reads, the_view
from trading.cycle.universe import UniverseStatus
from trading.market.universe import (
    EVERYTHING,
    VOLUME,
    Drift,
    MarketScan,
    MarketStats,
    Tier,
    Universe,
    UniversePlan,
)
from trading.types import Symbol

D = Decimal
HOUR = timedelta(hours=1)


def coin(base: str) -> Symbol:
    return Symbol(base, "USDT")


def market(volume: str, spread: str | None = "2", depth: str | None = "900000") -> MarketStats:
    spread_bps, deep = (None if each is None else D(each) for each in (spread, depth))
    return MarketStats(volume=D(volume), spread_bps=spread_bps, depth=deep)


STATS = {
    BTC: market("25.1e9"),
    ETH: market("12.3e9"),
    SOL: market("2.4e9"),
    XRP: market("964e6"),
    LINK: market("1.9e6"),
    coin("APE"): market("8.3e6"),
    coin("COTI"): market("1.81e6"),
    coin("ZRX"): market("2.1e6"),
    coin("USDC"): market("900e6"),
}
UNIVERSE = Universe(
    members={BTC: 1, ETH: 1, SOL: 1, XRP: 2, LINK: 3},
    drifts={
        LINK: Drift(better=False, cycles=1, worst=None),
        coin("APE"): Drift(better=True, cycles=2, worst=2),
    },
)
PLAN = UniversePlan(
    empty=Universe(), listed=(BTC, ETH, SOL), every=HOUR, max_age=timedelta(hours=3)
)


def found(**changes: Any) -> UniverseStatus:
    seen = UniverseStatus(
        universe=UNIVERSE,
        plan=PLAN,
        scan=MarketScan(at=NOON, stats=STATS, measured=EVERYTHING),
        age=timedelta(minutes=12),
        problem="",
    )
    return replace(seen, **changes)


def a_house(seen: UniverseStatus | None, **view: Any) -> House:
    house = House(the_view(**view))
    house.trader.universe.found = seen
    return house


async def test_universe() -> None:
    reads(
        await a_house(found()).say("/universe"),
        """\
5 symbols in the universe (paper)
               in  least volume
  1 core        3          10 M
  2 rotational  1           5 M
  3 event       1           2 M
APE joins tier 2 in 1 survey.
LINK leaves in 2 surveys, volume 1.9 M < 2 M.
Out: 4 of 9; APE, good in 2 of 3 surveys.
Surveyed 12 min ago, every 60 min.
[In: /universe in] [Out: /universe out] [Refresh: /universe]""",
    )


async def test_whoever_changes_its_tier_rises_or_falls() -> None:
    drifts = {
        XRP: Drift(better=True, cycles=1, worst=1),
        SOL: Drift(better=False, cycles=2, worst=3),
    }
    reply = await a_house(found(universe=replace(UNIVERSE, drifts=drifts))).say("/universe")

    assert reply.text.splitlines()[:2] == [
        "XRP rises to tier 1 in 2 surveys.", "SOL falls to tier 3 in 1 survey.",
    ]  # fmt: skip


async def test_the_lists_say_who_is_in_and_why_others_are_out() -> None:
    house = a_house(found())

    reads(
        await house.say("/universe in"),
        """\
5 symbols in the universe (paper)
       tier  volume  spread bps
  BTC     1  25.1 B           2
  ETH     1  12.3 B           2
  SOL     1   2.4 B           2
  XRP     2   964 M           2
  LINK    3   1.9 M           2
[Universe]""",
    )
    reads(
        await house.say("/universe out"),
        """\
4 symbols outside the universe (paper)
        why
  APE   good in 2 of 3 surveys
  ZRX   good in 0 surveys yet
  COTI  volume 1.81 M < 2 M
  USDC  it is money, or meant …
[Universe]""",
    )


async def test_a_long_list_has_pages() -> None:
    many = {coin(f"A{n}"): market(str(1000 - n)) for n in range(20)}
    house = a_house(found(scan=MarketScan(at=NOON, stats=many)))

    first = await house.say("/universe out")
    assert first.table is not None
    assert [row[0] for row in first.table.rows] == [f"A{n}" for n in range(8)]
    last = await house.press("More", await house.press("More", first))
    assert last.title == "20 symbols outside the universe (paper), page 3"
    assert not any(choice.label == "More" for choice in last.choices)
    assert "There is no page 9" in (await house.say("/universe out 9")).title


async def test_a_survey_that_is_too_old_stops_what_was_discovered() -> None:
    old = found(age=timedelta(hours=4), problem="no answer in 4.0 s")
    reply = await a_house(old, replay_speed=None).say("/universe")

    assert reply.level is Level.URGENT
    assert reply.title == "⚠ The last survey is 4\u00a0h old (paper)"
    assert reply.text.splitlines()[:2] == [
        "The last try failed: no answer in 4.0 s.",
        "Nothing that was discovered is entered; BTC, ETH and SOL go on. Exits go on.",
    ]


async def test_before_the_first_survey_nothing_is_entered() -> None:
    nothing = found(universe=PLAN.empty, scan=None, age=None)
    reply = await a_house(nothing, replay_speed=None, holdings=()).say("/universe")

    assert reply.title == "⚠ No survey yet (paper): nothing is entered"
    assert reply.text == "Every 60\u00a0min one is made."


async def test_a_recording_says_what_it_does_not_know() -> None:
    stats = {s: replace(m, spread_bps=None, depth=None) for s, m in STATS.items()}
    recorded = found(scan=MarketScan(at=NOON, stats=stats, measured=frozenset({VOLUME})))
    reply = await a_house(recorded, replay_speed=60.0).say("/universe")

    assert reply.text.splitlines()[-2:] == [
        "Surveyed 12\u00a0s ago, every 60\u00a0min of the recording.",
        "Spread and depth are not recorded: volume decides alone.",
    ]


async def test_what_is_open_and_out_is_told_to_go_on() -> None:
    seen = found(universe=replace(UNIVERSE, members={BTC: 1}, drifts={}))
    reply = await a_house(seen).say("/universe")

    assert "Open, though out: ETH; SOL; exits go on." in reply.text


async def test_all_liquid_markets_have_no_tiers_to_speak_of() -> None:
    liquid = Tier(number=1, name="liquid", min_volume=D(5_000_000))
    of = Universe(tiers=(liquid,), most=3, members={BTC: 1, ETH: 1, SOL: 1})
    reply = checked(await a_house(found(universe=of)).say("/universe"))

    assert reply.table is not None
    assert reply.table.rows == (("1 liquid", "3", "5 M"),)
    assert "Out: 6 of 9; XRP, volume 964 M is not among the 3 largest." in reply.text


async def test_a_fixed_list_says_so() -> None:
    reply = await a_house(None).say("/universe")

    assert reply.title.endswith("a fixed list (paper)")
    assert "[traders.majors.universe] in bot.toml" in reply.text


async def test_why_says_when_a_symbol_is_out() -> None:
    house = a_house(found())
    house.trader.universe.objections[coin("COTI")] = "outside the universe, volume 1.81 M < 2 M"

    reads(
        await house.say("/why COTI"),
        """\
No decisions on COTI yet (paper)
No entry now: outside the universe, volume 1.81 M < 2 M.
[Universe]""",
    )


@pytest.mark.parametrize("part", ["in", "out"])
async def test_every_list_fits_the_screen(part: str) -> None:
    many = {coin(f"LONGNAME{n}"): market("4.99e6", "59.9", "1") for n in range(9)}
    scan = MarketScan(at=NOON, stats=many)
    of = Universe(members=dict.fromkeys(many, 3)) if part == "in" else Universe()
    await a_house(found(universe=of, scan=scan)).say(f"/universe {part}")  # it is checked
