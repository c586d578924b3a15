"""Choosing a strategy from a chat, and the kind of market that one reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handlers.reply import Level, Outcome
from tests.handlers.fakes import ANNA, BEN, CLEO, House
from tests.handlers.story import a_halt, reads, the_view
from trading.errors import Refused
from trading.strategies.rules.regime import Regime, RegimeReading

BY = "anna, Telegram"
NAN = float("nan")


@pytest.fixture
def house() -> House:
    return House(the_view(strategy="ema_cross"))


def chosen(house: House) -> list[tuple[str, str]]:
    return [(name, by) for what, name, by in house.trader.asked if what == "choose"]


async def test_another_strategy_is_asked_for_and_then_chosen(house: House) -> None:
    question = await house.say("/strategy majors smc", ANNA)
    reads(
        question,
        """\
⚠ Let majors (paper) run smc?
Instead of ema_cross, from the next cycle on. 3 positions keep their plans.
Only anna, here, for 60 s.
[Cancel: /cancel 7K3Q] [Run smc: /confirm 7K3Q]""",
    )
    assert chosen(house) == []

    house.trader.then = replace(house.trader.now, strategy="smc", parameters={})
    reads(
        await house.press("Run", question, ANNA),
        """\
✓ majors (paper) runs smc
Done: smc instead of ema_cross, from the next cycle on.
Not done: bot.toml is as it was, and decides again at the next start. \
3 positions keep their plans. Nothing was sent.
[Strategies] [Status]""",
    )
    assert chosen(house) == [("smc", BY)]


async def test_cancelled_it_stays(house: House) -> None:
    question = await house.say("/strategy majors SMC", ANNA)
    await house.press("Cancel", question, ANNA)

    assert chosen(house) == []


async def test_what_halts_is_said_too(house: House) -> None:
    view = the_view(holdings=(), halts=(a_halt(),))
    house = House(view)
    question = await house.say("/strategy majors smc", ANNA)
    assert "Nothing is open." in question.text

    house.trader.then = replace(view, strategy="smc")
    done = await house.press("Run", question, ANNA)

    assert "from the next cycle on. No entries: H17 by ben." in done.text


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("/strategy majors ema_cross", "majors runs ema_cross already"),
        ("/strategy majors moon", "There is no strategy moon; there is "),
        ("/strategy minors smc", "There is no trader minors; there is majors"),
        ("/strategy majors", "/strategy needs NAME"),
    ],
)
async def test_what_cannot_be_is_refused(house: House, said: str, why: str) -> None:
    reply = await house.say(said, ANNA)

    assert reply.outcome is Outcome.REFUSED
    assert why in reply.title
    assert "Nothing was sent" in f"{reply.title} {reply.text}"
    assert house.trader.asked == []


async def test_a_strategy_that_cannot_read_these_candles_is_refused(house: House) -> None:
    question = await house.say("/strategy majors rules", ANNA)
    house.trader.broken_act = Refused("majors cannot run rules: it expects bars of 60 minutes")

    reply = await house.press("Run", question, ANNA)

    assert reply.outcome is Outcome.REFUSED
    assert "it expects bars of 60 minutes" in reply.title


async def test_only_owners_choose_and_everybody_may_look(house: House) -> None:
    assert (await house.say("/strategy majors smc", BEN)).outcome is Outcome.REFUSED
    assert chosen(house) == []
    assert (await house.say("/regime", CLEO)).outcome is Outcome.DONE


async def test_a_choice_that_comes_late_is_refused(house: House) -> None:
    reply = await house.say("/strategy majors smc", ANNA, late=61)

    assert reply.outcome is Outcome.REFUSED
    assert chosen(house) == []


# -- /regime ------------------------------------------------------------------------------


async def test_the_regime_says_what_it_was_read_from_and_what_follows(house: House) -> None:
    reads(
        await house.say("/regime"),
        """\
Regime chop (paper)
Trend +3.10 % in 7 days, volatility 62.00 % a year.
Entries are 0.8 times the usual size.
[Strategies] [Refresh: /regime]""",
    )


async def test_in_a_crash_no_entry_is_made(house: House) -> None:
    house.trader.reading = RegimeReading(regime=Regime.CRASH, trend=-0.12, volatility=1.5)
    reply = await house.say("/regime")

    assert reply.title == "Regime crash (paper)"
    assert reply.text.endswith("No entry is made.")


async def test_a_regime_that_cannot_be_read_is_unknown(house: House) -> None:
    house.trader.reading = RegimeReading(regime=Regime.UNKNOWN, trend=NAN, volatility=NAN)
    reply = await house.say("/regime")

    assert reply.level is Level.URGENT
    reads(
        reply,
        """\
⚠ Regime unknown (paper)
The leading coin has no 7 days of hourly closes yet. No entry is made.
[Strategies]""",
    )


async def test_a_trader_that_reads_none_says_so(house: House) -> None:
    house.trader.broken_act = Refused("majors runs ema_cross, which reads no regime")
    reply = await house.say("/regime")

    assert reply.outcome is Outcome.REFUSED
    assert "Majors runs ema_cross, which reads no regime" in reply.title


async def test_with_two_traders_the_answer_names_its_own() -> None:
    house = House(the_view(), the_view(name="alts"))
    reply = await house.say("/regime trader=alts")

    assert reply.title == "alts: Regime chop (paper)"
    assert "/regime trader=alts" in [c.command for c in reply.choices]
