"""Pause, stop, flatten, close: what was done, and what was not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from handlers.commands.flattening import flatten_question
from handlers.commands.stops import target_of
from handlers.dispatch import Dispatcher
from handlers.in_place import InPlace
from handlers.reply import Level, Outcome, to_json
from handlers.texts.flattening import flattening
from handlers.texts.positions import closed_reply
from handlers.texts.stopped import flat_reply, paused, stopped
from tests import builders
from tests.handlers.fakes import BEN, FakeDesk, House
from tests.handlers.story import (
    BTC,
    ETH,
    HOLDINGS,
    NOW,
    RULES,
    SOL,
    D,
    a_halt,
    a_halting,
    a_sweep,
    checked,
    holding,
    lines_of,
    reached,
    reads,
    shown,
    sold,
    the_view,
)
from tests.world import settled
from trading.accounts.views import Closed, Halting, Swept, View
from trading.model.halt import EVERYONE, Reached, Stage, Verb
from trading.types import OrderStatus


async def test_pause(house: House) -> None:
    reads(
        await house.say("/pause"),
        """\
‖ Paused majors (paper), by ben, Telegram
Done: no new entries.
Not done: 2 entries rest and may fill; 3 positions and stops stay; exits go on.
[Stop] [Resume]""",
    )


async def test_stop(house: House) -> None:
    reply = await house.say("/stop")

    reads(
        reply,
        """\
■ Stopped majors (paper), by ben, Telegram
Done: entries blocked; 2 of 2 cancelled, confirmed in 0.4 s.
Not done: 3 positions stay with their protective stops; exits go on.
[Positions] [Flatten]""",
    )
    assert (reply.level, reply.story) == (Level.CRITICAL, "H1")


async def test_a_second_stop_says_that_the_first_one_holds(house: House) -> None:
    await house.say("/stop")
    house.clock.advance(9)
    house.trader.now = replace(house.trader.now, as_of=NOW + timedelta(seconds=9))

    reads(
        await house.say("/stop"),
        """\
■ Already stopped 9 s ago by ben
Swept again: 0 entries rest.
[Positions] [Flatten]""",
    )


async def test_a_second_pause_too(house: House) -> None:
    await house.say("/pause")

    assert (await house.say("/pause")).title == "‖ Already paused 0\u00a0s ago by ben"


def test_stop_while_the_venue_is_down() -> None:
    swept = a_sweep(
        confirmed=False, cancelled=0, resting=2, tries=3, problem="venue silent 6\u00a0s"
    )

    reads(
        stopped(a_halting(swept=(swept,)), [the_view()]),
        """\
■ Stopped majors (paper): LATCHED, RETRYING
Done: entries blocked; saved, a restart stays halted.
Not yet: 2 entries may rest and fill. Venue silent 6 s, try 3.
[Status] [Halts]""",
    )


def test_a_stop_that_is_not_durable_says_so() -> None:
    swept = a_sweep(confirmed=False, resting=1, tries=0, problem="")
    down = checked(stopped(a_halting(durable=False, swept=(swept,)), [the_view()]))
    fine = checked(stopped(a_halting(durable=False), [the_view()]))
    pause = checked(paused(a_halting(durable=False, swept=()), [the_view()]))

    assert "Done: entries blocked; NOT YET DURABLE, a crash now would forget it." in down.text
    assert "1 entry may rest and fill. The venue has not confirmed, try 1." in down.text
    assert "NOT YET DURABLE" in fine.text
    assert "NOT YET DURABLE" in pause.text


def test_a_stop_over_a_guards_halt_names_it() -> None:
    guard = a_halt(id="H16", guard="day", by="guard", why="day -3.01 %, limit -3.00 %")

    reply = checked(stopped(a_halting(earlier=guard), [the_view()]))

    assert reply.title == "■ Stopped majors (paper), by ben, Telegram"
    assert reply.lead == "H16 by guard holds as well."


@pytest.mark.parametrize(
    ("holdings", "told"),
    [
        ((), "Not done: nothing else; no position is open."),
        (HOLDINGS[:1], "Not done: 1 position stays with its protective stop; exits go on."),
        (
            (
                replace(HOLDINGS[0], plan=replace(HOLDINGS[0].plan, stop=None)),
                *HOLDINGS[1:],
            ),
            "Not done: 3 positions stay, 1 of them without a stop; exits go on.",
        ),
        (
            (replace(HOLDINGS[0], stop_on_venue=False), *HOLDINGS[1:]),
            "Not done: 3 positions stay, 1 of them with a stop that only the desk keeps; exits go",
        ),
    ],
)
def test_a_stop_tells_what_is_left_open(holdings: tuple[object, ...], told: str) -> None:
    reply = checked(stopped(a_halting(), [the_view(holdings=holdings)]))

    assert told in reply.text


def test_a_pause_does_not_promise_a_stop_that_is_not_at_the_venue() -> None:
    held = (replace(HOLDINGS[0], stop_on_venue=False), *HOLDINGS[1:])

    reply = checked(paused(a_halting(swept=()), [the_view(holdings=held, orders=())]))

    assert "3 positions stay, 1 of them with a stop that only the desk keeps; exits" in reply.text


def test_stopped_again_and_still_not_saved_it_says_so() -> None:
    halting = a_halting(durable=False)

    reply = stopped(replace(halting, earlier=halting.halt), [the_view()])

    assert "NOT YET DURABLE" in reply.text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cancelled": 1}, "1 of 2 cancelled, 1 filled, confirmed in 0.4 s"),
        ({"total": 0, "cancelled": 0}, "no entry rested"),
        ({"seconds": 18.2}, "2 of 2 cancelled, confirmed in 18 s"),
    ],
)
def test_a_stop_counts_its_cancels(changes: dict[str, object], told: str) -> None:
    assert told in shown(checked(stopped(a_halting(swept=(a_sweep(**changes),)), [the_view()])))


def test_a_pause_while_no_entry_rests() -> None:
    reply = paused(a_halting(swept=()), [the_view(orders=())])

    assert "Not done: 3 positions and stops stay; exits go on." in reply.text


def test_a_pause_with_nothing_at_stake() -> None:
    reply = paused(a_halting(swept=()), [the_view(holdings=(), orders=())])

    assert "Not done: nothing else; no entry rests, no position is open." in reply.text


@pytest.mark.parametrize(
    ("verb", "title"),
    [
        (Verb.STOP, "■ Stopped 5\u00a0s ago by anna, now paused as well"),
        (Verb.FLATTEN, "■ Told to be flat 5\u00a0s ago by anna, now paused as well"),
    ],
)
def test_a_pause_below_a_stop_says_that_it_is_stopped(verb: Verb, title: str) -> None:
    over = a_halt(id="H1", verb=verb, by="anna, Telegram", at=NOW - timedelta(seconds=5))
    halting = a_halting(earlier=over, swept=(), halt=a_halt(id="H2", verb=Verb.PAUSE))

    for views in ([the_view()], [the_view(halts=(over,))]):
        reply = checked(paused(halting, views))
        assert reply.title == title
        assert "nothing is loosened; H1 holds" in reply.text


def test_a_pause_of_all_names_the_trader_that_is_stopped() -> None:
    over = a_halt(id="H1", by="anna, Telegram")
    halting = a_halting(swept=(), halt=a_halt(id="H2", scope=EVERYONE, verb=Verb.PAUSE))

    reply = checked(paused(halting, [the_view(halts=(over,)), the_view(name="alts")]))

    assert reply.title == "‖ Paused all 2 traders (paper), by ben, Telegram"
    assert reply.lead == "H1 (stop of majors, by anna) holds as well."


def test_a_stop_below_a_flatten_does_not_say_that_positions_stay() -> None:
    over = a_halt(id="H1", verb=Verb.FLATTEN, by="anna, Telegram")
    reply = checked(stopped(a_halting(earlier=over), [the_view(halts=(over,))]))

    assert reply.lead == "H1 (flatten of majors, by anna) holds as well."
    assert reply.text.endswith("Not done: H1 goes on closing positions.")


@pytest.mark.parametrize("end", [Stage.FLAT, Stage.FLAT_EXCEPT_DUST])
def test_a_flatten_that_is_done_closes_nothing_any_more(end: Stage) -> None:
    over = a_halt(id="H1", verb=Verb.FLATTEN, stages=(reached(Stage.REQUESTED), reached(end)))
    flat = the_view(holdings=(), orders=(), halts=(over,))
    stop = a_halting(halt=a_halt(id="H2", scope=EVERYONE))

    reply = checked(stopped(stop, [flat, the_view(name="alts")]))

    assert reply.lead == "H1 (flatten of majors, by ben) holds as well."
    assert reply.text.endswith(
        "Not done: 3 positions stay with their protective stops; exits go on."
    )


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.STOP])
def test_what_no_flatten_closes_is_told_beside_what_one_does(verb: Verb) -> None:
    halts = [
        a_halt(id="H1", verb=Verb.FLATTEN),
        a_halt(id="H3", verb=Verb.FLATTEN, scope="alts"),
    ]
    views = [the_view(halts=tuple(halts)), the_view(name="alts"), the_view(name="tail", orders=())]
    halting = a_halting(halt=a_halt(id="H4", scope=EVERYONE, verb=verb))

    reply = checked((paused if verb is Verb.PAUSE else stopped)(halting, views))

    assert "3 positions " in reply.text
    assert reply.text.endswith("exits go on; H1 and H3 go on closing positions.")


# -- whom ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "trader", "reason", "scope", "why"),
    [
        (["majors"], "", "", "majors", "/stop"),
        (["majors"], "", "all", "majors", "/stop"),
        (["majors"], "", "news at 20:45", "majors", "news at 20:45"),
        (["majors"], "", "MAJORS news", "majors", "news"),
        ([], "", "", EVERYONE, "/stop"),
        (["majors", "alts"], "", "", EVERYONE, "/stop"),
        (["majors", "alts"], "", "all too hot", EVERYONE, "too hot"),
        (["majors", "alts"], "", "alts", "alts", "/stop"),
        (["majors", "alts"], "Alts", "too hot", "alts", "too hot"),
        (["majors", "alts"], "all", "", EVERYONE, "/stop"),
        (["majors", "alts"], "atls", "too hot", EVERYONE, "too hot"),
        (["majors", "alts"], "", "atls", EVERYONE, "atls"),
    ],
)
def test_a_stop_is_understood_on_the_safe_side(
    names: list[str], trader: str, reason: str, scope: str, why: str
) -> None:
    target = target_of(names, trader, reason, "/stop")

    assert (target.scope, target.why) == (scope, why)


async def test_a_bare_stop_stops_every_trader_and_says_so() -> None:
    house = House(the_view(), the_view(name="alts"))

    reads(
        await house.say("/stop"),
        """\
■ Stopped all 2 traders (paper), by ben, Telegram
All means majors and alts.
Done: entries blocked; 4 of 4 cancelled, confirmed in 0.4 s.
Not done: 6 positions stay with their protective stops; exits go on.
[Positions] [Flatten: /flatten all]""",
    )


async def test_a_stop_with_a_misspelt_trader_stops_all_and_says_so() -> None:
    house = House(the_view(), the_view(name="alts"))

    reply = await house.say("/stop trader=atls")

    assert house.desk.asked == [("stop", "all", "ben, Telegram", "/stop")]
    assert reply.lead == "There is no trader atls: so all. All means majors and alts."


async def test_a_stop_of_one_of_several_names_it_in_its_buttons() -> None:
    house = House(the_view(), the_view(name="alts"))

    reply = await house.say("/stop alts too hot")

    assert house.desk.asked == [("stop", "alts", "ben, Telegram", "too hot")]
    assert reply.title == "■ Stopped alts (paper), by ben, Telegram"
    assert [c.command for c in reply.choices] == [
        "/positions trader=alts",
        "/flatten trader=alts",
    ]


async def test_what_sells_asks_which_trader() -> None:
    house = House(the_view(), the_view(name="alts"))

    reads(
        await house.say("/flatten"),
        """\
✕ Which trader: all, majors or alts?
Nothing was sent.
[All 2: /flatten all] [majors: /flatten trader=majors] [alts: /flatten trader=alts]""",
    )


# -- /flatten -----------------------------------------------------------------------------

FALLEN = tuple(
    replace(h, quote=builders.a_quote(symbol=h.position.symbol, price=D(price)))
    for h, price in zip(
        (
            holding(SOL, "1.80", "203.52", "0", "187.20"),
            HOLDINGS[0],
        ),
        ("194.60", "113250.9"),
        strict=True,
    )
)


async def test_flatten_asks_with_what_it_would_sell(house: House) -> None:
    house.trader.now = the_view(holdings=FALLEN)

    reads(
        await house.say("/flatten"),
        """\
⚠ Close all of majors (paper) at market?
  SOL long    1.80  350.28  -16.06
  BTC long 0.00563  637.60  -15.56
About 987.88 USDT, P&L -31.62 before fees; prices 1 s old.
Protective stops go once flat; entries stay blocked.
Only ben, here, for 60 s.
[Cancel: /cancel 7K3Q] [Close 2 now: /confirm 7K3Q]""",
    )


async def test_flatten_latches_and_its_story_goes_on(house: House) -> None:
    reply = await house.press("Close 3", await house.say("/flatten"))

    assert house.desk.asked == [("flatten", "majors", "ben, Telegram", "/flatten")]
    reads(
        reply,
        """\
⚠ Flattening majors (paper): 0 of 3 closed
  BTC  open
  ETH  open
  SOL  open
Done: entries blocked; 2 of 2 cancelled, confirmed in 0.4 s.
Closing goes on until flat; the result is told here.
[Status] [Halts]""",
    )
    assert reply.story == "H1"


@pytest.mark.parametrize(
    ("end", "note", "title", "left"),
    [
        (Stage.FLAT, "", "✓ Flat: majors (paper), confirmed in 0.00\u00a0s", "Done: "),
        (
            Stage.FLAT_EXCEPT_DUST,
            "0.000002 SOL",
            "✓ Flat except dust: majors (paper), confirmed in 0.00\u00a0s",
            "Too small for the venue to take: 0.000002 SOL.",
        ),
    ],
)
async def test_a_flatten_that_ends_at_once_is_answered_as_it_ended(
    house: House, end: Stage, note: str, title: str, left: str
) -> None:
    house.desk.ends = Reached(stage=end, at=NOW, note=note)
    house.desk.closes = CLOSES

    reply = checked(await house.press("Close 3", await house.say("/flatten")))

    assert reply.title == title
    assert left in reply.text


CLOSES = tuple(
    builders.a_trade(symbol=symbol, exit_price=D(price), profit=D(profit))
    for symbol, price, profit in (
        (BTC, "113206.4", "-16.45"), (ETH, "3848.55", "-18.43"), (SOL, "193.92", "-17.64"),
    )
)  # fmt: skip


def test_flatten_says_what_has_no_answer_yet() -> None:
    selling = builders.an_exit(
        symbol=SOL, status=OrderStatus.UNKNOWN, created_at=NOW - timedelta(seconds=5)
    )
    now = the_view(holdings=HOLDINGS[2:], orders=(selling,))

    reads(
        flattening(a_halting(closes=CLOSES[:2]), the_view(), now),
        """\
⚠ Flattening majors (paper): 2 of 3 closed
  BTC  113,206.4  -16.45
  ETH   3,848.55  -18.43
  SOL    unknown
Done: entries blocked; 2 of 2 cancelled, confirmed in 0.4 s.
SOL: no answer in 5.0 s, it may have sold. Asking before resending. Stop 187.20 stays.
[Status] [Halts]""",
    )


def test_flatten_says_what_may_still_fill() -> None:
    swept = a_sweep(confirmed=False, resting=1)

    reply = checked(flattening(a_halting(swept=(swept,)), the_view(), the_view()))

    assert "Done: entries blocked; 1 entry may rest and fill, retrying." in reply.text


def test_several_closes_without_an_answer_are_told_together() -> None:
    orders = tuple(
        builders.an_exit(id=f"x-{s.base}", symbol=s, status=OrderStatus.UNKNOWN) for s in (BTC, SOL)
    )

    reply = checked(flattening(a_halting(), the_view(), the_view(orders=orders)))

    assert (
        "BTC and SOL: no answer yet, they may have been closed. Asking before resending."
        in reply.text
    )


def test_flattening_of_many_positions_is_one_screen() -> None:
    many = the_view(holdings=HOLDINGS * 8)

    checked(flattening(a_halting(durable=False, closes=CLOSES), many, many))


def test_flat_counts_the_tries_and_the_stops() -> None:
    reads(
        flat_reply("majors (paper)", 23, CLOSES, "H1", tries={BTC: 1, SOL: 2}, stops=3),
        """\
✓ Flat: majors (paper), confirmed in 23 s
  BTC  113,206.4  -16.45
  ETH   3,848.55  -18.43
  SOL     193.92  -17.64  2nd try
Done: -52.52 USDT after fees; 3 stops cancelled.
Not done: entries stay blocked until /resume.
[Trades] [Resume]""",
    )


def test_flatten_with_nothing_open_is_a_stop() -> None:
    empty = the_view(holdings=())

    assert checked(flatten_question(empty)).title == "⚠ Stop majors (paper)? Nothing is open"
    assert flattening(a_halting(), empty, empty).title.startswith("■ Stopped majors")


def test_a_stop_once_all_is_flat_says_so() -> None:
    halt = a_halt(verb=Verb.FLATTEN)
    halting = a_halting(halt=halt, earlier=halt, swept=(a_sweep(total=0, cancelled=0),))

    reads(
        stopped(halting, [the_view(holdings=(), orders=())]),
        """\
■ Already flat and stopped 0 s ago by ben
Swept again: 0 entries rest.
[Status] [Resume]""",
    )


def test_flatten_of_many_positions_is_one_screen() -> None:
    reply = checked(flatten_question(the_view(holdings=HOLDINGS * 5)))

    assert reply.table is not None
    assert reply.table.rows[-1][0] == f"{15 - len(reply.table.rows) + 1} more"


def test_flatten_of_an_unknown_price_says_unknown() -> None:
    held = replace(HOLDINGS[2], stale=True, age=timedelta(seconds=48))

    reply = checked(flatten_question(the_view(holdings=(held,))))

    assert "Worth unknown: SOL price is 48 s old; P&L unknown." in shown(reply)


def test_flatten_of_what_nobody_trades_says_that_none_of_it_can_be_sold() -> None:
    held = replace(HOLDINGS[2], apart=True, quote=None)

    reply = checked(flatten_question(the_view(holdings=(held,))))

    assert "Nothing of it can be sold now." in shown(reply)
    assert "{age}" not in to_json(replace(reply, text="Price {age}.", as_of=None))


# -- stages in place ----------------------------------------------------------------------

PHONE = replace(BEN, edits=True)


class SlowDesk(FakeDesk):
    """Its venue is down until `confirm`."""

    def __init__(self, house: House) -> None:
        super().__init__(house.clock, house.desk.traders)
        self.news = asyncio.Event()

    async def stop(self, scope: str, *, by: str, why: str, origin: str = "") -> Halting:
        halting = await super().stop(scope, by=by, why=why, origin=origin)
        return replace(halting, swept=tuple(self._down(each) for each in halting.swept))

    def _down(self, swept: Swept) -> Swept:
        return replace(swept, confirmed=False, cancelled=0, resting=2, problem="venue silent")

    def confirm(self, trader: str) -> None:
        (halt,) = self.latch.active
        stage = Reached(stage=Stage.CANCELS_CONFIRMED, at=self.clock.now(), note="2/2")
        self.latch.reach(halt.id, trader, stage)
        self._tell()

    def lift(self) -> None:
        (halt,) = self.latch.active
        self.latch.lift(self.latch.lifted(halt.id, by="anna, console", at=self.clock.now()))
        self._tell()

    def _tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()


def with_a_slow_venue(*names: str) -> tuple[House, SlowDesk]:
    house = House(*(the_view(name=name) for name in names))
    desk = SlowDesk(house)
    house.desk = desk
    house.services = replace(house.services, desk=cast("Any", desk))
    house.dispatcher = Dispatcher(house.services)
    return house, desk


async def test_an_unconfirmed_stop_waits_for_its_confirmation_in_place() -> None:
    house, desk = with_a_slow_venue("majors")
    reply = await house.say("/stop", PHONE)
    assert reply.then is not None
    waiting = asyncio.ensure_future(reply.then())
    await settled(5)
    house.clock.advance(18)
    await settled(5)
    assert not waiting.done()

    desk.confirm("majors")
    last = await waiting

    assert last is not None
    reads(
        last,
        """\
■ Stopped majors (paper), confirmed in 18 s
  UTC       stage
  20:41:27  cancels confirmed, 2/2
Not done: 3 positions and stops stay.
[Positions] [Flatten]""",
    )


async def test_a_stop_of_several_traders_is_confirmed_once_all_of_them_are() -> None:
    house, desk = with_a_slow_venue("majors", "alts")
    reply = await house.say("/stop", PHONE)
    assert reply.then is not None
    waiting = asyncio.ensure_future(reply.then())
    await settled(5)

    house.clock.advance(4)
    desk.confirm("alts")
    await settled(5)
    assert not waiting.done()
    house.clock.advance(14)
    desk.confirm("majors")
    last = await waiting

    assert last is not None
    reads(
        last,
        """\
■ Stopped all 2 traders (paper), confirmed in 18 s
  UTC       cancels
  20:41:27  majors 2/2
  20:41:13  alts 2/2
Not done: 6 positions stay with their protective stops; exits go on.
[Positions] [Flatten: /flatten all]""",
    )


async def test_the_alerts_of_a_followed_stop_are_kept_back_until_its_end_is_shown() -> None:
    house, desk = with_a_slow_venue("majors", "alts")
    stories = house.services.stories
    reply = await house.say("/stop", PHONE)
    told_as = ("H1 majors", "H1 alts")
    assert {stories.state(PHONE.chat, story) for story in told_as} == {InPlace.FOLLOWED}

    desk.confirm("majors")
    desk.confirm("alts")
    assert reply.then is not None
    last = await reply.then()
    assert last is not None
    assert last.then is not None
    assert await last.then() is None

    assert {stories.state(PHONE.chat, story) for story in told_as} == {InPlace.SHOWN}


async def test_a_followed_stop_that_is_lifted_says_so_and_keeps_no_alert_back() -> None:
    house, desk = with_a_slow_venue("majors")
    reply = await house.say("/stop", PHONE)
    assert reply.then is not None

    desk.lift()
    last = await reply.then()

    assert last is not None
    reads(
        last,
        """\
✓ Lifted H1, by anna, console
It was made by ben, and lifted before it was carried out.
[Status] [Stop]""",
    )
    assert last.then is None
    assert house.services.stories.state(PHONE.chat, "H1") is None


async def test_where_nothing_can_be_edited_nothing_is_waited_for() -> None:
    house, _ = with_a_slow_venue("majors")

    reply = await house.say("/stop")

    assert reply.title == "■ Stopped majors (paper): LATCHED, RETRYING"
    assert reply.then is None
    assert house.services.stories.state(BEN.chat, "H1") is None


# -- /close -------------------------------------------------------------------------------


async def test_close_a_half(house: House) -> None:
    reads(
        await house.say("/close SOL 50%"),
        """\
⚠ Sell 0.90 of 1.80 SOL (paper) at market?
About 186.66 USDT at 207.40, 1 s old; P&L +3.49 before fees.
0.90 stays, its stop resized to 0.90.
Only ben, here, for 60 s.
[Cancel: /cancel 7K3Q] [Sell 0.90: /confirm 7K3Q]""",
    )


async def test_confirming_a_close_closes(house: House) -> None:
    house.trader.closes = sold()

    reply = await house.press("Sell 0.90", await house.say("/close SOL 50%"))

    assert house.trader.asked == [("close", SOL, D("0.5"), "ben, Telegram")]
    assert lines_of(reply)[:2] == [
        "✓ Sold 0.90 SOL (paper) at 207.39, +3.30 USDT after its fee",
        "Done: 0.90 stays, stop 187.20 resized, venue confirmed.",
    ]


async def test_a_close_is_not_done_when_the_position_has_changed_meanwhile(
    house: House,
) -> None:
    asked = await house.say("/close SOL")
    less = replace(HOLDINGS[2], position=replace(HOLDINGS[2].position, quantity=D("1.35")))
    house.trader.now = the_view(holdings=(less,))

    reads(
        await house.press("Sell", asked),
        "✕ SOL has changed since you were asked: 1.35 open, not 1.80\nNothing was sent.",
    )
    assert house.trader.asked == []


async def test_closing_all_of_a_short_buys_back(house: House) -> None:
    short = holding(SOL, "-1.80", "210.00", "207.40", "220.00")
    house.trader.now = the_view(holdings=(short,))

    told = lines_of(await house.say("/close SOL"))

    assert told[:3] == [
        "⚠ Buy back all 1.80 SOL (paper) at market?",
        "About 373.32 USDT at 207.40, 1 s old; P&L +4.68 before fees.",
        "Nothing stays; its stop is cancelled.",
    ]


async def test_closing_less_than_a_lot_is_refused(house: House) -> None:
    tiny = holding(SOL, "0.02", "203.52", "207.40", "187.20")
    house.trader.now = the_view(holdings=(tiny,))

    reply = await house.say("/close SOL 1%")

    reads(reply, "✕ 1 % of 0.02 is less than one lot, 0.01\nNothing was sent.")


async def test_closing_at_an_unknown_price_says_so(house: House) -> None:
    house.trader.now = the_view(holdings=(replace(HOLDINGS[2], stale=True),))

    assert (
        "Worth unknown: there is no fresh price; P&L unknown."
        in (await house.say("/close SOL")).text
    )


@pytest.mark.parametrize(
    ("closed", "view", "title", "text"),
    [
        (
            sold(left=D("0"), trade=builders.a_trade(symbol=SOL, profit=D("2.12"))),
            the_view(holdings=HOLDINGS[:2]),
            "✓ Sold 0.90 SOL (paper) at 207.39, +2.12 USDT after fees",
            "Done: SOL is flat, its stop cancelled.",
        ),
        (
            sold(quantity=D("0.50"), left=D("1.30")),
            the_view(),
            "✓ Sold 0.50 SOL (paper) at 207.39, +3.30 USDT after its fee",
            (
                "Done: 1.30 stays, stop 187.20 resized, venue confirmed. "
                "Not done: 0.40 was not filled."
            ),
        ),
        (
            sold(),
            the_view(holdings=(replace(HOLDINGS[2], plan=replace(HOLDINGS[2].plan, stop=None)),)),
            "✓ Sold 0.90 SOL (paper) at 207.39, +3.30 USDT after its fee",
            "Done: 0.90 stays, without a stop.",
        ),
        (
            sold(known=False, quantity=D("0"), price=None, profit=None),
            the_view(),
            "? Unknown: SOL sell 0.90 (paper)",
            "The venue has not answered, it may have sold. Asking before resending.",
        ),
        (
            sold(quantity=D("0"), price=None, profit=None, problem="not enough depth"),
            the_view(),
            "✕ SOL was not closed (paper)",
            "Not enough depth. 0.90 stays open, its stop 187.20 rests at the venue.",
        ),
    ],
)
def test_a_close_says_what_became_of_it(closed: Closed, view: View, title: str, text: str) -> None:
    told = lines_of(checked(closed_reply(closed, view, RULES[SOL])))

    assert told[:2] == [title, text]


def test_a_close_in_doubt_is_a_failure_not_a_success() -> None:
    reply = closed_reply(sold(known=False), the_view(), RULES[SOL])

    assert (reply.outcome, reply.level) == (Outcome.FAILED, Level.URGENT)
