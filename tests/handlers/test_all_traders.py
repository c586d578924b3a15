"""Three traders and one thumb: what a word does that is for all of them, or names none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from handlers.dispatch import Dispatcher
from handlers.reply import Level, Outcome, Reply
from handlers.texts.describe import describe, describe_with_name
from handlers.texts.positions import positions_reply
from handlers.texts.stopped import paused
from tests import builders
from tests.handlers.fakes import ANNA, BEN, FakeDesk, House
from tests.handlers.story import (
    BTC,
    ETH,
    HOLDINGS,
    NOW,
    SOL,
    D,
    a_halt,
    a_halting,
    checked,
    holding,
    reached,
    reads,
    shown,
    the_view,
)
from tests.world import settled
from trading import events
from trading.accounts.views import View
from trading.desk import ClosingTrader
from trading.errors import Refused
from trading.model.halt import EVERYONE, Halt, Reached, Stage, Verb
from trading.types import Mode, Symbol, Trade

EURO = Symbol("BTC", "EUR")
PHONE = replace(BEN, edits=True)


def majors(**changes: Any) -> View:
    return the_view(**changes)


def alts(**changes: Any) -> View:
    held = (holding(SOL, "1.80", "203.52", "207.40", "187.20"),)
    defaults = {"name": "alts", "holdings": held, "open_profit": D("6.98"), "orders": ()}
    return the_view(**(defaults | changes))


def hedge(**changes: Any) -> View:
    defaults: dict[str, Any] = {"name": "hedge", "holdings": (), "orders": ()}
    return the_view(**(defaults | {"open_profit": D("0")} | changes))


class ClosingDesk(FakeDesk):
    """Closes when it is told to."""

    def __init__(self, house: House) -> None:
        super().__init__(house.clock, house.desk.traders)
        self.news = asyncio.Event()
        self.closed: dict[str, tuple[Trade, ...]] = {}

    def closing(self, name: str, halt: Halt) -> ClosingTrader:
        trades = self.closed.get(name, ())
        return ClosingTrader(closes=trades, tries={}, stops=len(trades))

    def reach(self, name: str, stage: Stage, *closes: Trade, note: str = "") -> None:
        (halt,) = self.latch.active
        self.closed[name] = closes
        self.latch.reach(halt.id, name, Reached(stage=stage, at=self.clock.now(), note=note))
        if halt.is_flat(name) or stage is Stage.FLAT:
            trader = self.traders[name]
            trader.now = replace(trader.now, holdings=())
        self.news.set()
        self.news = asyncio.Event()


def three(*views: View) -> House:
    house = House(*(views or (majors(), alts(), hedge())))
    house.desk = ClosingDesk(house)
    house.services = replace(house.services, desk=cast("Any", house.desk))
    house.dispatcher = Dispatcher(house.services)
    return house


def desk_of(house: House) -> ClosingDesk:
    assert isinstance(house.desk, ClosingDesk)
    return house.desk


def a_trade(symbol: Symbol, profit: str, trader: str) -> Trade:
    return builders.a_trade(symbol=symbol, profit=D(profit), trader=trader)


# -- /flatten all ---------------------------------------------------------------------------------

QUESTION = """\
⚠ Close all of 3 traders (paper) at market?
  majors BTC long 658.99 +5.83
  majors ETH long 491.56 +2.55
  majors SOL long 373.32 +6.98
  alts   SOL long 373.32 +6.98
About 1,897.19 USDT, P&L +22.34 USDT before fees; prices 1 s old.
Protective stops go once flat; entries stay blocked.
Only ben, here, for 60 s.
[Cancel: /cancel 7K3Q] [Close 4 now: /confirm 7K3Q]"""


@pytest.mark.parametrize(
    "said", ["/flatten all", "/flatten trader=all", "/flatten All!", "flatten everyone"]
)
async def test_flatten_all_asks_once_for_everybody(said: str) -> None:
    house = three()

    reads(await house.say(said), QUESTION)
    assert house.desk.asked == []


async def test_a_stop_of_all_offers_to_flatten_all() -> None:
    house = three()

    stopped = await house.say("/stop")
    reads(await house.press("Flatten", stopped), QUESTION)


async def test_a_bare_flatten_offers_all_and_each() -> None:
    house = three()

    which = await house.say("/flatten")

    assert which.title == "✕ Which trader: all, majors, alts or hedge?"
    assert which.asks
    assert [c.command for c in which.choices] == [
        "/flatten all",
        "/flatten trader=majors",
        "/flatten trader=alts",
        "/flatten trader=hedge",
    ]
    for choice in which.choices:
        assert (await house.press(choice.label, which)).outcome is Outcome.CONFIRM


async def test_one_yes_flattens_all_and_one_message_tells_how_far_each_is() -> None:
    house = three()
    desk = desk_of(house)
    question = await house.say("/flatten all", PHONE)
    reply = await house.press("Close 4", question, PHONE)

    assert desk.asked == [("flatten", EVERYONE, "ben, Telegram", "/flatten")]
    reads(
        reply,
        """\
⚠ Flattening all 3 traders (paper): 0 of 3 flat
  majors  0 of 3 closed
  alts    0 of 1 closed
  hedge   closing
Done: entries blocked; 6 of 6 cancelled, confirmed in 0.4 s.
Not done: majors, alts and hedge are not flat yet; tried until they are, told here.
[Status] [Halts]""",
    )
    assert reply.level is Level.CRITICAL
    assert (await house.press("Close 4", question, PHONE)).outcome is Outcome.REFUSED

    desk.reach("hedge", Stage.FLAT)
    desk.reach("alts", Stage.FLAT, a_trade(SOL, "6.10", "alts"))
    desk.reach("majors", Stage.FLAT_BLOCKED, note="SOL: market is closed")
    assert reply.then is not None
    later = await reply.then()
    assert later is not None
    reads(
        later,
        """\
⚠ Flattening all 3 traders (paper): 2 of 3 flat
  majors  not flat
  alts    flat      +6.10
  hedge   flat
Done: entries blocked; 6 of 6 cancelled, confirmed in 0.4 s.
majors: SOL: market is closed.
Not done: majors is not flat yet; tried until it is, told here.
[Status] [Halts]""",
    )

    assert later.then is not None
    waiting = asyncio.ensure_future(later.then())
    await settled(5)
    house.clock.advance(23)
    desk.reach("majors", Stage.FLAT, a_trade(BTC, "-16.45", "majors"))
    last = await waiting
    assert last is not None
    reads(
        last,
        """\
✓ Flat: all 3 traders (paper), confirmed in 23 s
  majors  flat  -16.45
  alts    flat   +6.10
  hedge   flat
Done: -10.35 USDT after fees; 2 stops cancelled.
Not done: entries stay blocked until /resume.
[Trades] [Resume]""",
    )


async def test_who_cannot_be_described_is_flattened_with_the_others() -> None:
    house = three()
    house.desk.traders["alts"].broken = RuntimeError("a fault nobody foresaw")

    question = await house.say("/flatten all", PHONE)
    told = shown(question)
    reply = await house.press("Close all now", question, PHONE)

    assert "alts cannot be read: what it is worth is unknown. Closed as well." in told
    assert "P&L +15.36 USDT" in told
    assert "  alts   unknown" in told
    assert desk_of(house).asked == [("flatten", EVERYONE, "ben, Telegram", "/flatten")]
    assert "alts    unknown, closing" in shown(reply)
    assert "alts cannot be read: its figures are unknown." in reply.text
    for name in ("majors", "alts", "hedge"):
        desk_of(house).reach(name, Stage.FLAT)
    assert reply.then is not None
    last = await reply.then()
    assert last is not None
    assert checked(last).title.startswith("✓ Flat: all 3 traders")


async def test_each_currency_has_a_sum_of_its_own() -> None:
    held = (replace(HOLDINGS[0], position=replace(HOLDINGS[0].position, symbol=EURO)),)
    euro = alts(quote="EUR", holdings=held, open_profit=D("5.83"))
    question = await three(majors(), euro, hedge()).say("/flatten all")

    assert "About 1,523.87 USDT and 658.99 EUR" in shown(question)
    assert "P&L +15.36 USDT and +5.83 EUR" in shown(question)
    assert "alts   BTC long  +5.83 EUR" in shown(question)


async def test_an_unknown_worth_is_a_word_and_no_sum() -> None:
    held = (replace(HOLDINGS[2], stale=True, age=timedelta(seconds=48)),)
    lost = alts(holdings=held, open_profit=None)
    question = checked(await three(majors(), lost, hedge()).say("/flatten all"))

    assert "Worth unknown: SOL price is 48\u00a0s old; P&L unknown." in question.text


@pytest.mark.parametrize("each", [1, 3, 8, 40])
@pytest.mark.parametrize("count", [2, 3, 8, 12])
async def test_flatten_all_fits_a_phone(count: int, each: int) -> None:
    row = holding(SOL, "180000", "203.52", "207.40", "1")
    position = replace(row.position, symbol=Symbol("1000PEPE", "USDT"))
    large = replace(row, position=position)
    views = [the_view(name=f"trader-number-{n}", holdings=(large,) * each) for n in range(count)]
    house = three(*views)

    question = await house.say("/flatten all")
    checked(await house.press("Close", question))


async def test_nothing_open_anywhere_is_a_stop() -> None:
    views = [hedge(name=name) for name in ("majors", "alts", "hedge")]
    house = three(*views)

    question = await house.say("/flatten all")
    reply = await house.press("Flatten", question)

    assert question.title == "⚠ Stop all 3 traders (paper)? Nothing is open"
    assert reply.title.startswith("■ Stopped all 3 traders")


async def test_with_one_trader_all_is_that_one() -> None:
    house = House()

    alone = await house.say("/flatten all")

    assert alone.title == (await house.say("/flatten")).title
    assert alone.title == "⚠ Close all of majors (paper) at market?"


# -- siblings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["/resume all", "/resume trader=all", "/resume All"])
async def test_resume_all_lifts_every_halt_with_one_yes(said: str) -> None:
    house = three()
    await house.say("/stop majors")
    house.desk.latch.adopt(a_halt(id="H9", scope="alts"))

    question = await house.say(said)
    await house.press("Resume", question)

    assert "Lifts H1 and H9." in question.text
    assert house.desk.asked[-1][:2] == ("resume", ("H1", "H9"))


@pytest.mark.parametrize("said", ["/pause all", "/pause trader=all", "/pause"])
async def test_pause_all_pauses_all(said: str) -> None:
    house = three()

    assert (await house.say(said)).title.startswith("‖ Paused all 3 traders")


async def test_what_one_alone_holds_needs_no_name() -> None:
    house = three()

    question = await house.say("/close BTC 50%")
    stop = await house.say("/stop_loss BTC 115000")

    assert question.title.startswith("⚠ majors: Sell 0.00281 of 0.00563 BTC")
    assert stop.outcome is not Outcome.REFUSED
    assert [a[0] for a in house.desk.traders["majors"].asked] == ["move_stop"]


async def test_what_several_hold_offers_each_of_them() -> None:
    house = three()

    which = await house.say("/close SOL half")

    assert which.title == "✕ Which trader: majors or alts?"
    assert which.asks
    assert [c.command for c in which.choices] == [
        "/close SOL half trader=majors",
        "/close SOL half trader=alts",
    ]
    again = await house.say("/close SOL half trader=all")
    assert [c.command for c in again.choices] == [c.command for c in which.choices]
    assert (await house.press("alts", which)).title.startswith("⚠ alts: Sell 0.90 of 1.80 SOL")


async def test_what_nobody_holds_is_said() -> None:
    assert (await three().say("/close XRP")).title == "✕ No trader holds XRP"


async def test_one_that_cannot_be_described_may_hold_it_too() -> None:
    house = three()
    house.desk.traders["hedge"].broken = RuntimeError("a fault nobody foresaw")

    assert (await house.say("/close BTC")).title == "✕ Which trader: majors or hedge?"
    assert (await house.say("/close BTC trader=majors")).outcome is Outcome.CONFIRM


# -- a pause below a stop, as the others hear of it -----------------------------------------------


def an_alert(halt: Halt, *above: Halt, hidden: bool = True) -> Reply:
    event = events.HaltEngaged(
        at=NOW, trader=halt.scope, mode=Mode.PAPER, halt=halt, above=above, hidden=hidden
    )
    told = describe(event)
    assert told is not None
    return checked(told)


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.FLATTEN])
def test_the_alert_of_a_pause_below_a_stop_is_of_a_stop(verb: Verb) -> None:
    over = a_halt(id="H1", verb=verb, by="anna, Discord", at=NOW - timedelta(seconds=9))
    pause = a_halt(id="H2", verb=Verb.PAUSE)

    told = an_alert(pause, over)
    own = paused(a_halting(halt=pause, earlier=over), [the_view(halts=(over, pause))])

    assert told.title == own.title
    assert told.title.startswith("■ ")
    assert "nothing is loosened; H1 holds" in told.text
    assert "majors (paper), by ben, Telegram" in told.text
    assert "/resume" not in [c.command for c in told.choices]


def test_the_alert_of_a_pause_of_more_than_is_stopped_names_the_stop() -> None:
    over = a_halt(id="H1", by="anna, Discord")

    told = an_alert(a_halt(id="H2", verb=Verb.PAUSE, scope=EVERYONE), over, hidden=False)

    assert told.title == "‖ Paused all traders (paper), by ben, Telegram"
    assert told.lead == "H1 (stop of majors, by anna) holds as well."


def test_the_alert_of_a_stop_below_a_flatten_says_that_closing_goes_on() -> None:
    told = an_alert(a_halt(id="H2"), a_halt(id="H1", verb=Verb.FLATTEN))

    assert told.text.endswith("Not done: H1 goes on closing positions.")


def test_the_alert_of_a_stop_of_all_names_what_no_flatten_closes() -> None:
    two = (a_halt(id="H1", verb=Verb.FLATTEN), a_halt(id="H3", verb=Verb.FLATTEN, scope="alts"))
    told = an_alert(a_halt(id="H2", scope=EVERYONE), *two, hidden=False)

    assert told.text.endswith(
        "Not done: other positions and stops stay; H1 and H3 go on closing positions."
    )


@pytest.mark.parametrize("end", [Stage.FLAT, Stage.FLAT_EXCEPT_DUST])
def test_a_flatten_that_is_done_is_not_told_to_go_on(end: Stage) -> None:
    over = a_halt(id="H1", verb=Verb.FLATTEN, stages=(reached(Stage.REQUESTED), reached(end)))
    told = an_alert(a_halt(id="H2"), over)

    assert told.text.endswith("Not done: positions and stops stay.")


@pytest.mark.parametrize(
    ("scope", "commands"),
    [
        (EVERYONE, ["/positions", "/flatten all"]),
        ("majors", ["/positions trader=majors", "/flatten trader=majors"]),
    ],
)
def test_the_buttons_of_an_alert_say_whose_they_are(scope: str, commands: Sequence[str]) -> None:
    event = events.HaltEngaged(at=NOW, trader=scope, mode=Mode.PAPER, halt=a_halt(scope=scope))

    told = describe_with_name(event)

    assert told is not None
    assert [c.command for c in told.choices] == commands


# -- looking at the whole desk --------------------------------------------------------------------

LOOKS = (
    "/positions", "/orders", "/trades", "/stats", "/daily", "/weekly", "/monthly", "/balance",
    "/equity", "/risk",
)  # fmt: skip


async def test_positions_of_all() -> None:
    reads(
        await three().say("/positions"),
        """\
4 open, P&L +22.34 USDT before fees
                     P&L      %
  majors BTC long  +5.83  +0.89
  majors ETH long  +2.55  +0.52
  majors SOL long  +6.98  +1.91
  alts   SOL long  +6.98  +1.91
Paper. Prices 1 s old.
Nothing open: hedge.
[majors: /positions trader=majors] [alts: /positions trader=alts] \
[hedge: /positions trader=hedge] [Refresh: /positions]""",
    )


async def test_orders_of_all() -> None:
    reads(
        await three(majors(asked_at=NOW), alts(asked_at=NOW), hedge()).say("/orders"),
        """\
5 resting (paper): 2 entries, 3 stops
  majors XRP sell    2.7500 entry
  majors ADA sell    0.7900 entry
  majors BTC sell 110,793.0 stop
  majors ETH sell  3,755.00 stop
  majors SOL sell    187.20 stop
By the desk's own books: hedge.
[majors: /orders trader=majors] [alts: /orders trader=alts] [Refresh: /orders] [Stop all: /stop]""",
    )


async def test_the_balance_of_all() -> None:
    reads(
        await three().say("/balance"),
        """\
Equity 29,369.91 USDT (paper)
            equity      free
  majors  9,789.97  8,281.46
  alts    9,789.97  8,281.46
  hedge   9,789.97  8,281.46
Open P&L +22.34 USDT.
By the desk's own books: majors, alts, hedge.
[majors: /balance trader=majors] [alts: /balance trader=alts] \
[hedge: /balance trader=hedge] [Risk]""",
    )


async def test_the_risk_of_all() -> None:
    near = alts(today=D("-260"), losses_in_row=1)
    reads(
        await three(majors(), near, hedge()).say("/risk"),
        """\
⚠ Look at alts (paper)
         day % fall % used %
  majors +0.02  -4.39  15.41
  alts   -2.66  -4.39  15.41
  hedge  +0.02  -4.39  15.41
alts: near its limit, day.
If every stop fills: -139.89 USDT.
[majors: /risk trader=majors] [alts: /risk trader=alts] [hedge: /risk trader=hedge] [Positions]""",
    )


async def test_trades_of_all_are_in_one_order() -> None:
    house = three()
    house.store.past = [
        replace(a_trade(symbol, profit, name), closed_at=NOW - timedelta(minutes=ago))
        for symbol, profit, name, ago in (
            (SOL, "-14.26", "majors", 10),
            (BTC, "33.27", "alts", 20),
            (ETH, "-32.05", "majors", 30),
        )
    ]

    reads(
        await house.say("/trades 2"),
        """\
Last 2 trades: +19.01 USDT after fees
  UTC
  20:31 majors SOL long -14.26
  20:21 alts   BTC long +33.27
[majors: /trades trader=majors] [alts: /trades trader=alts] \
[hedge: /trades trader=hedge] [Older: /trades 2 2]""",
    )
    assert (await house.say("/trades 2 2")).title.startswith("1 trade, page 2: -32.05")


@pytest.mark.parametrize("said", LOOKS)
async def test_a_look_names_no_trader_and_shows_them_all(said: str) -> None:
    house = three()
    house.store.past = [a_trade(SOL, "-14.26", "majors")]

    for line in (said, f"{said} trader=all"):
        reply = await house.say(line)
        assert reply.outcome is Outcome.DONE
        told = [c.command for c in reply.choices]
        assert any(c.endswith("trader=alts") for c in told)
        for choice in reply.choices:
            if not choice.command.startswith("/stop"):
                pressed = await house.press(choice.label, reply)
                assert pressed.outcome is Outcome.DONE, choice


@pytest.mark.parametrize("said", LOOKS)
async def test_one_that_cannot_be_read_is_unknown_and_hides_no_other(said: str) -> None:
    house = three()
    house.store.past = [a_trade(SOL, "-14.26", "majors")]
    house.desk.traders["alts"].broken = RuntimeError("a fault nobody foresaw")

    reply = await house.say(said)

    assert reply.outcome is Outcome.DONE
    assert "alts cannot be read: its figures are unknown." in shown(reply)


@pytest.mark.parametrize("said", ["/stats", "/balance", "/equity", "/positions"])
async def test_no_sum_goes_across_currencies(said: str) -> None:
    house = three(majors(), alts(quote="EUR"), hedge())

    reply = shown(await house.say(said))

    assert " USDT and " in reply
    assert " EUR" in reply


async def test_an_unknown_part_makes_the_sum_unknown_with_its_last_value() -> None:
    lost = alts(equity=None, known_equity_at=NOW - timedelta(seconds=48))

    told = shown(await three(majors(), lost, hedge()).say("/balance"))

    assert told.startswith("Equity unknown (paper)")
    assert "alts: equity was 9,789.97 USDT 48 s ago." in told


@pytest.mark.parametrize("said", LOOKS)
@pytest.mark.parametrize("count", [2, 8, 12])
async def test_a_look_at_many_fits_a_phone(said: str, count: int) -> None:
    views = [
        the_view(name=f"trader-number-{n}", quote=("USDT", "EUR", "JPY", "GBP")[n % 4])
        for n in range(count)
    ]
    checked(await three(*views).say(said))


@pytest.mark.parametrize("said", LOOKS)
async def test_with_one_trader_nothing_changes(said: str) -> None:
    house = House()

    alone = shown(await house.say(said))

    assert alone == shown(await house.say(f"{said} trader=majors"))
    assert alone == shown(await house.say(f"{said} trader=all"))
    assert "trader=" not in alone


@pytest.mark.parametrize(
    "said",
    ["/limits", "/performance week", "/scan", "/why SOL 3", "/price SOL", "/buy SOL 100",
     "/universe", "/regime", "/accept_books", "/chart SOL 1h", "/backtest 3"],
)  # fmt: skip
async def test_what_is_for_one_asks_which_with_a_button_for_each(said: str) -> None:
    which = await three().say(said, ANNA)

    assert which.title == "✕ Which trader: majors, alts or hedge?"
    assert which.asks
    assert [c.command for c in which.choices] == [
        f"{said} trader={name}" for name in ("majors", "alts", "hedge")
    ]


@pytest.mark.parametrize("count", [1, 2])
def test_a_page_that_is_not_there_says_in_full_what_there_is(count: int) -> None:
    view = the_view(holdings=HOLDINGS[:count])

    with pytest.raises(Refused, match=f"page 9: {count} position{'s are' if count > 1 else ' is'}"):
        positions_reply(view, 9)
