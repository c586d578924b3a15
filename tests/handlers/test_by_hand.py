"""Entries, stops, targets and cancels by hand: what is asked, what is said, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.reply import Level, Outcome
from handlers.texts.entries import entered
from handlers.texts.orders import cancelled_reply
from tests import builders
from tests.handlers.fakes import ANNA, BEN, CLEO, House
from tests.handlers.story import (
    HOLDINGS,
    NOW,
    ORDERS,
    RULES,
    SOL,
    XRP,
    D,
    a_halt,
    checked,
    holding,
    lines_of,
    reads,
    shown,
    the_view,
)
from trading.accounts.views import Price, Ticket
from trading.errors import Refused, VenueUncertain
from trading.model.halt import Verb
from trading.types import Order, OrderStatus, Preview, Side

# -- /buy, /sell --------------------------------------------------------------------------


def a_ticket(**changes: Any) -> Ticket:
    ticket = builders.a_ticket(
        symbol=XRP,
        quantity=D("72"),
        price=D("2.75"),
        notional=D("198.00"),
        stop=D("2.695"),
        risk=D("3.96"),
        most=D("1957.99"),
        met=Preview(price=D("2.75138"), fee=D("0.198099"), margin=D("39.62"), free=D("8281.46")),
    )
    return replace(ticket, **changes)


def xrp_price() -> Price:
    quote = builders.a_quote(symbol=XRP, price=D("2.75"), at=NOW - timedelta(seconds=1))
    return builders.a_price(symbol=XRP, rules=RULES[XRP], quote=quote)


def bought(**changes: Any) -> Order:
    defaults: dict[str, Any] = {
        "symbol": XRP,
        "quantity": D("72"),
        "status": OrderStatus.FILLED,
        "filled": D("72"),
        "average_price": D("2.7505"),
    }
    return builders.an_order(**(defaults | changes))


XRP_LONG = holding(XRP, "72", "2.7505", "2.7500", "2.6950")


@pytest.fixture
def trading(house: House) -> House:
    house.trader.prices[XRP] = xrp_price()
    house.trader.tickets = [a_ticket()]
    house.trader.order = bought()
    house.trader.then = the_view(holdings=(*HOLDINGS, XRP_LONG))
    return house


async def test_buy_shows_what_it_would_be_and_asks(trading: House) -> None:
    asked = await trading.say("/buy XRP 200")

    reads(
        asked,
        """\
⚠ Buy 72 XRP (paper) at market?
About 198.00 USDT at 2.7500, 1 s old.
Fills near 2.7514 (0.05 % worse), fee 0.20 USDT.
Binds 39.62 of 8,281.46 USDT free.
Stop 2.6950 risks 3.96 USDT (0.04 %); no target.
Exposure then 17.43 % of 60.00 %; at most 1,957.99 USDT by position size.
Only ben, here, for 60 s.
[Cancel: /cancel 7K3Q] [Buy 72: /confirm 7K3Q]""",
    )
    assert trading.trader.asked == [("ticket", XRP, Side.BUY, D("200"))]


@pytest.mark.parametrize(
    ("met", "told"),
    [
        (
            {"margin": D("9000")},
            "Binds 9,000.00, more than the 8,281.46 USDT that are free: it may be refused.",
        ),
        ({"price": D("2.7486")}, "Fills near 2.7486 (0.05 % better), fee 0.20 USDT."),
        ({"price": D("2.75")}, "Fills near 2.7500, fee 0.20 USDT."),
        ({"fee": None}, "Fills near 2.7514 (0.05 % worse), fee unknown."),
        ({"margin": None}, "Binds unknown of 8,281.46 USDT free."),
    ],
)
async def test_the_question_tells_what_the_venue_would_make_of_it(
    trading: House, met: dict[str, Any], told: str
) -> None:
    ticket = a_ticket()
    assert ticket.met is not None
    trading.trader.tickets = [replace(ticket, met=replace(ticket.met, **met))]

    assert told in lines_of(checked(await trading.say("/buy XRP 200")))


async def test_the_yes_is_checked_again_then_bought(trading: House) -> None:
    reply = await trading.press("Buy 72", await trading.say("/buy XRP 200"))

    reads(
        reply,
        """\
✓ Bought 72 XRP (paper) at 2.7505
Done: stop 2.6950 rests at the venue, risks 4.00 USDT.
[Position: /position XRP] [Close: /close XRP] [Stop]""",
    )
    assert [a[0] for a in trading.trader.asked] == ["ticket", "ticket", "enter"]
    assert trading.trader.asked[-1] == ("enter", XRP, Side.BUY, D("200"), "ben, Telegram")


async def test_sell_opens_a_short(trading: House) -> None:
    trading.trader.tickets = [a_ticket(side=Side.SELL, stop=D("2.805"))]

    asked = await trading.say("/sell XRP 1,200.50")

    assert lines_of(asked)[0] == "⚠ Sell 72 XRP short (paper) at market?"
    assert trading.trader.asked == [("ticket", XRP, Side.SELL, D("1200.50"))]


async def test_a_no_buys_nothing(trading: House) -> None:
    reply = await trading.press("Cancel", await trading.say("/buy XRP 200"))

    assert reply.title == "✕ Cancelled. Nothing was sent."
    assert [a[0] for a in trading.trader.asked] == ["ticket"]


async def test_only_who_was_asked_confirms_and_only_once(trading: House) -> None:
    asked = await trading.say("/buy XRP 200")

    for_anna = await trading.press("Buy", asked, ANNA)
    elsewhere = await trading.press("Buy", asked, replace(BEN, chat="discord:9"))
    assert for_anna.title == "✕ Only ben may confirm. Nothing was sent."
    assert elsewhere.title.startswith("✕ Only where it was asked: Telegram.")
    await trading.press("Buy", asked)
    assert (await trading.press("Buy", asked)).title == "✕ Already used. Nothing more was sent."
    assert [a[0] for a in trading.trader.asked].count("enter") == 1


async def test_a_yes_after_a_minute_buys_nothing(trading: House) -> None:
    asked = await trading.say("/buy XRP 200")
    trading.clock.advance(61)

    assert (await trading.press("Buy", asked)).title == "✕ Expired. Nothing was sent."


async def test_a_price_that_has_moved_is_asked_anew(trading: House) -> None:
    trading.trader.tickets = [a_ticket(), a_ticket(price=D("2.7700"))]

    reply = await trading.press("Buy", await trading.say("/buy XRP 200"))

    reads(
        reply,
        "✕ XRP has moved since you were asked: 2.7700, not 2.7500\nNothing was sent.",
    )
    assert "enter" not in [a[0] for a in trading.trader.asked]


async def test_a_halt_that_comes_before_the_yes_keeps_it(trading: House) -> None:
    trading.trader.tickets = [a_ticket(), Refused("No entry while halted: H17 by anna, Telegram")]

    reply = await trading.press("Buy", await trading.say("/buy XRP 200"))

    reads(reply, "✕ No entry while halted: H17 by anna, Telegram\nNothing was sent.")


@pytest.mark.parametrize("said", ["/buy XRP 200", "/sell XRP 200"])
async def test_what_spends_is_refused_when_it_comes_late(trading: House, said: str) -> None:
    reply = await trading.say(said, late=61)

    assert "too late to act on" in reply.title
    assert reply.outcome is Outcome.REFUSED
    assert trading.trader.asked == []


@pytest.mark.parametrize("said", ["/buy XRP 200", "/sell XRP 200", "/stop_loss SOL 195",
                                  "/take_profit SOL 230", "/cancel_order XRP"])  # fmt: skip
async def test_a_viewer_does_none_of_it(trading: House, said: str) -> None:
    reply = await trading.say(said, CLEO)

    assert reply.title == f"✕ {said.split(maxsplit=1)[0]} needs operator, you are viewer"
    assert trading.trader.asked == []


async def test_halted_refuses_at_once_and_offers_what_is_next(trading: House) -> None:
    trading.trader.now = the_view(halts=(a_halt(),))
    trading.trader.tickets = [Refused("No entry while halted: H17 by ben, Telegram")]

    reads(
        await trading.say("/buy XRP 200"),
        """\
✕ No entry while halted: H17 by ben, Telegram
Nothing was sent.
[Status] [Resume]""",
    )


async def test_risk_says_no_with_its_reason(trading: House) -> None:
    trading.trader.tickets = [Refused("Risk says no: 5 of 5 positions open")]

    reads(
        await trading.say("/buy XRP 200"),
        "✕ Risk says no: 5 of 5 positions open\nNothing was sent.",
    )


@pytest.mark.parametrize("said", ["/buy SOL 200", "/sell SOL 200"])
async def test_what_is_open_already_is_not_entered_again(trading: House, said: str) -> None:
    reads(
        await trading.say(said),
        """\
✕ SOL long 1.80 is open already
Nothing was sent.
[Position: /position SOL] [Close: /close SOL]""",
    )


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("/buy", "✕ /buy needs SYMBOL"),
        ("/buy XRP", "✕ /buy needs NOTIONAL"),
        ("/buy XRP 0", "✕ Notional is a number above 0, not 0"),
        ("/buy XRP -5", "✕ Notional is a number above 0, not -5"),
        ("/buy XRP 1e9", "✕ Notional is a number above 0, not 1e9"),
        ("/buy XRP 20,0", "✕ Notional is a number above 0, not 20,0"),
        ("/sell XRP all", "✕ Notional is a number above 0, not all"),
        ("/stop_loss SOL", "✕ /stop_loss needs PRICE"),
        ("/stop_loss SOL x", "✕ Price is a number above 0, not x"),
        ("/stop_loss XRP 2", "✕ No position in XRP is open (paper)"),
        ("/take_profit XRP 2", "✕ No position in XRP is open (paper)"),
    ],
)
async def test_every_mistake_has_its_sentence(trading: House, said: str, title: str) -> None:
    reply = await trading.say(said)

    assert reply.title == title
    assert reply.outcome is Outcome.REFUSED
    assert "Nothing was sent." in reply.text
    assert trading.trader.asked == []


@pytest.mark.parametrize(
    ("order", "title", "text", "level"),
    [
        (
            bought(status=OrderStatus.UNKNOWN, filled=D("0")),
            "? Unknown: XRP buy 72 (paper)",
            "The venue has not answered, it may have bought. Not resent; asking by its id.",
            Level.URGENT,
        ),
        (
            bought(status=OrderStatus.REJECTED, filled=D("0"), note="insufficient margin"),
            "✕ No entry: XRP buy 72 (paper)",
            "Insufficient margin. Nothing was filled.",
            Level.URGENT,
        ),
        (
            bought(status=OrderStatus.NOT_SENT, filled=D("0"), note="halted"),
            "✕ No entry: XRP buy 72 (paper)",
            "Halted. Nothing was sent.",
            Level.URGENT,
        ),
        (
            bought(status=OrderStatus.OPEN, filled=D("0")),
            "… Sent: XRP buy 72 (paper)",
            "Not filled yet; its stop follows the first fill.",
            Level.INFO,
        ),
        (
            bought(status=OrderStatus.OPEN, filled=D("40")),
            "✓ Bought 40 XRP (paper) at 2.7505",
            ("Done: stop 2.6950 rests at the venue, risks 4.00 USDT. Not done: 32 was not filled."),
            Level.INFO,
        ),
    ],
)
def test_an_entry_says_what_became_of_it(order: Order, title: str, text: str, level: Level) -> None:
    reply = checked(entered(order, the_view(holdings=(XRP_LONG,)), RULES[XRP]))

    assert (reply.title, reply.text.replace("\u00a0", " "), reply.level) == (title, text, level)


def test_an_entry_without_its_stop_says_so() -> None:
    bare = replace(XRP_LONG, stop_on_venue=False)

    reply = checked(entered(bought(), the_view(holdings=(bare,)), RULES[XRP]))

    assert reply.text.startswith("Not done: its stop. No stop rests. The desk watches 2.6950")
    assert reply.level is Level.URGENT
    gone = checked(entered(bought(), the_view(holdings=()), RULES[XRP]))
    assert gone.text == "It is closed again already."


# -- /stop_loss ---------------------------------------------------------------------------


def with_stop(price: str, **changes: Any) -> Any:
    moved = replace(HOLDINGS[2], plan=replace(HOLDINGS[2].plan, stop=D(price)), **changes)
    return the_view(holdings=(*HOLDINGS[:2], moved))


async def test_a_nearer_stop_is_moved_at_once(house: House) -> None:
    house.trader.then = with_stop("195.00")

    reply = await house.say("/stop_loss SOL 195")

    reads(
        reply,
        """\
✓ SOL stop moved 187.20 to 195.00 (paper)
Done: it rests at the venue. At the stop -15.34 USDT.
[Position: /position SOL] [Positions]""",
    )
    assert house.trader.asked == [("move_stop", SOL, D("195"), "ben, Telegram", "telegram:2")]


async def test_a_nearer_stop_is_never_too_late(house: House) -> None:
    house.trader.then = with_stop("195.00")

    assert (await house.say("/stop_loss SOL 195", late=600)).outcome is Outcome.DONE


async def test_a_farther_stop_asks_first(house: House) -> None:
    asked = await house.say("/stop_loss SOL 180")

    reads(
        asked,
        """\
⚠ Loosen SOL stop 187.20 to 180.00 (paper)?
SOL long is at 207.40, 1 s old.
At the stop -42.34 USDT (-0.43 % of equity), not -29.38 USDT. A trade may risk 0.30 %.
Only ben, here, for 60 s.
[Cancel: /cancel 7K3Q] [Move to 180.00: /confirm 7K3Q]""",
    )
    assert house.trader.asked == []
    house.trader.then = with_stop("180.00")
    done = await house.press("Move", asked)
    assert done.title == "✓ SOL stop moved 187.20 to 180.00 (paper)"
    assert house.trader.asked == [("move_stop", SOL, D("180"), "ben, Telegram", "telegram:2")]


async def test_a_farther_stop_is_refused_when_it_comes_late(house: House) -> None:
    reply = await house.say("/stop_loss SOL 180", late=61)

    assert "too late to act on" in reply.title
    assert [c.command for c in reply.choices] == ["/stop_loss SOL 180"]
    assert house.trader.asked == []


async def test_for_a_short_nearer_is_lower(house: House) -> None:
    short = holding(SOL, "-1.80", "210.00", "207.40", "220.00")
    house.trader.now = the_view(holdings=(short,))

    asked = await house.say("/stop_loss SOL 225")
    assert asked.title == "⚠ Loosen SOL stop 220.00 to 225.00 (paper)?"
    await house.say("/stop_loss SOL 215")
    assert [a[2] for a in house.trader.asked] == [D("215")]


async def test_a_position_without_a_stop_gets_one_at_once(house: House) -> None:
    bare = replace(HOLDINGS[2], plan=replace(HOLDINGS[2].plan, stop=None), stop_on_venue=False)
    house.trader.now = the_view(holdings=(bare,))
    house.trader.then = with_stop("180.00")

    assert (await house.say("/stop_loss SOL 180")).title == "✓ SOL stop set to 180.00 (paper)"


@pytest.mark.parametrize(
    ("price", "told"),
    [
        ("187.2", "✕ The stop of SOL is at 187.20 already"),
        ("187.205", "✕ SOL moves in steps of 0.01, so it is never at 187.205"),
        ("207.4", "✕ A stop at 207.40 would fill at once: SOL is at 207.40"),
        ("210", "✕ A stop at 210.00 would fill at once: SOL is at 207.40"),
    ],
)
async def test_stops_that_make_no_sense_are_refused(house: House, price: str, told: str) -> None:
    reply = await house.say(f"/stop_loss SOL {price}")

    assert reply.title == told
    assert house.trader.asked == []


async def test_a_stop_that_moved_meanwhile_is_asked_anew(house: House) -> None:
    asked = await house.say("/stop_loss SOL 180")
    house.trader.now = with_stop("190.00")

    reads(
        await house.press("Move", asked),
        "✕ The stop of SOL has moved since you were asked: 190.00, not 187.20\nNothing was sent.",
    )
    assert house.trader.asked == []


async def test_a_stop_that_the_venue_has_not_taken_is_not_told_as_done(house: House) -> None:
    house.trader.then = with_stop("195.00", stop_on_venue=False)

    reply = await house.say("/stop_loss SOL 195")

    assert reply.title.startswith("⚠ SOL stop moved")
    assert reply.text.startswith("Not done: it does not rest at the venue yet. No stop rests.")
    assert reply.level is Level.URGENT


async def test_a_stop_that_was_reached_meanwhile_says_so(house: House) -> None:
    house.trader.then = the_view(holdings=HOLDINGS[:2])

    assert (await house.say("/stop_loss SOL 195")).title == "⚠ SOL is closed (paper)"


async def test_without_a_fresh_price_the_question_says_unknown(house: House) -> None:
    house.trader.now = the_view(holdings=(replace(HOLDINGS[2], stale=True),))

    assert "SOL long is at unknown." in (await house.say("/stop_loss SOL 180")).text


# -- /take_profit -------------------------------------------------------------------------


async def test_take_profit(house: House) -> None:
    reads(
        await house.say("/take_profit SOL 230"),
        """\
✓ SOL target set to 230.00 (paper)
Done: the desk watches it. At the target +47.66 USDT. Not done: its stop stays.
[Position: /position SOL] [Positions]""",
    )
    assert house.trader.asked == [("move_target", SOL, D("230"), "ben, Telegram")]


async def test_a_target_that_rests_at_the_venue_is_told_to(house: House) -> None:
    house.trader.then = the_view(holdings=(replace(HOLDINGS[2], target_on_venue=True),))

    reply = await house.say("/take_profit SOL 230")

    assert "Done: it rests at the venue. At the target +47.66 USDT." in shown(reply)


async def test_a_target_is_moved_or_refused(house: House) -> None:
    aimed = replace(HOLDINGS[2], plan=replace(HOLDINGS[2].plan, target=D("225.28")))
    house.trader.now = the_view(holdings=(aimed,))

    there = await house.say("/take_profit SOL 225.28")
    reached = await house.say("/take_profit SOL 200")
    moved = await house.say("/take_profit SOL 230")

    assert there.title == "✕ The target of SOL is at 225.28 already"
    assert reached.title == "✕ A target of 200.00 is reached already: SOL is at 207.40"
    assert [c.label for c in reached.choices] == ["Position", "Close"]
    assert moved.title == "✓ SOL target moved 225.28 to 230.00 (paper)"


# -- /cancel_order ------------------------------------------------------------------------

CANCELLED = replace(ORDERS[0], status=OrderStatus.CANCELLED)


async def test_cancel_order_by_the_end_of_its_id(house: House) -> None:
    house.trader.order = CANCELLED

    reads(
        await house.say("/cancel_order y-xrp"),
        """\
✓ Cancelled XRP sell 356 (paper)
Done: it no longer rests, the venue confirmed.
[Orders] [Positions]""",
    )
    assert house.trader.asked == [("cancel_order", "entry-XRP")]


async def test_cancel_order_alone_lists_what_rests(house: House) -> None:
    reads(
        await house.say("/cancel_order"),
        """\
2 entries rest
Which one is to go? Nothing was sent.
[XRP ry-XRP: /cancel_order ry-XRP] [ADA ry-ADA: /cancel_order ry-ADA] [Orders]""",
    )
    house.trader.now = the_view(orders=())
    assert (await house.say("/cancel_order")).title == "No entry rests"


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("zz", "✕ There is no resting order whose id ends with zz"),
        ("a", "✕ There is no resting order whose id ends with a"),
        ("-SOL", "✕ There is no resting order whose id ends with -SOL"),
    ],
)
async def test_an_id_that_is_not_there_offers_those_that_are(
    house: House, said: str, title: str
) -> None:
    house.trader.now = the_view(orders=ORDERS[:1])

    reply = await house.say(f"/cancel_order {said}")

    assert reply.title == title
    assert [c.command for c in reply.choices] == ["/cancel_order ry-XRP"]
    assert house.trader.asked == []


async def test_an_id_that_means_several_is_asked_back(house: House) -> None:
    twins = (replace(ORDERS[0], id="a-77"), replace(ORDERS[1], id="b-77"))
    house.trader.now = the_view(orders=twins)

    reply = await house.say("/cancel_order 77")

    assert reply.title == "✕ There is more than one resting order whose id ends with 77"


async def test_an_order_is_found_at_whichever_trader_has_it() -> None:
    house = House(the_view(orders=()), the_view(name="alts"))
    house.desk.traders["alts"].order = CANCELLED

    reply = await house.say("/cancel_order entry-XRP")

    assert house.desk.traders["alts"].asked == [("cancel_order", "entry-XRP")]
    assert "/orders trader=alts" in [c.command for c in reply.choices]


@pytest.mark.parametrize(
    ("changes", "title", "text"),
    [
        (
            {"status": OrderStatus.FILLED, "filled": D("356")},
            "⚠ Too late: XRP sell 356 (paper) was filled first",
            "Nothing was cancelled; the position has its stop.",
        ),
        (
            {"status": OrderStatus.CANCELLED, "filled": D("100")},
            "✓ Cancelled XRP sell 356 (paper)",
            "Done: it no longer rests, the venue confirmed; 100 of it had filled, and stays.",
        ),
        (
            {"status": OrderStatus.OPEN},
            "? Not cancelled yet: XRP sell 356 (paper)",
            "The venue has not confirmed it; it may still fill.",
        ),
    ],
)
def test_a_cancel_says_what_became_of_it(changes: dict[str, Any], title: str, text: str) -> None:
    reply = checked(cancelled_reply(the_view(), replace(ORDERS[0], **changes), RULES[XRP]))

    assert (reply.title, reply.text) == (title, text)


async def test_a_cancel_without_an_answer_is_unknown(house: House) -> None:
    house.trader.broken_act = VenueUncertain("no answer")

    reply = await house.say("/cancel_order entry-ADA")

    assert reply.title == "? Unknown: no clear answer to /cancel_order"
    assert reply.outcome is Outcome.FAILED


# -- several traders ----------------------------------------------------------------------


async def test_with_several_traders_what_acts_asks_which() -> None:
    house = House(the_view(), the_view(name="alts"))

    for said in ("/buy XRP 200", "/stop_loss SOL 195", "/take_profit SOL 230", "/scan"):
        reply = await house.say(said)
        assert reply.title == "✕ Which trader: majors or alts?"
        assert [c.command for c in reply.choices] == [
            f"{said} trader=majors",
            f"{said} trader=alts",
        ]


async def test_paused_refuses_entries_too(trading: House) -> None:
    trading.trader.now = the_view(halts=(a_halt(verb=Verb.PAUSE),))
    trading.trader.tickets = [Refused("No entry while paused: H17 by ben, Telegram")]

    assert "paused" in shown(await trading.say("/sell XRP 200"))
