"""How a trader reads in a chat: its start, its cycles, its feed and its venue."""

from __future__ import annotations

from handlers.alerts.parts import HALTS, STATUS, STOP, TRADES
from handlers.format import (
    clock_time,
    duration,
    listed,
    long_duration,
    moment,
    percent,
    plural,
    took,
)
from handlers.reply import Choice, Level, Reply
from handlers.texts import doubts
from handlers.texts.describe import describe
from handlers.texts.phrases import DONE, HALTED, LOOK, clipped, mode, person, sentence, whom
from trading import events
from trading.types import Mode

MOST_NAMED = 8
"""Symbols that one sentence lists."""


@describe.register
def _(event: events.FeedLost) -> Reply:
    paper = event.mode is not Mode.LIVE
    rest = "on paper stops and targets wait too" if paper else "stops stay on the venue"
    return Reply(
        f"{LOOK} Feed lost {duration(event.silent)} ago {mode(event.mode)}",
        text=f"No entries; {rest}.",
        choices=(STATUS, STOP),
        level=Level.URGENT,
    )


@describe.register
def _(event: events.FeedBack) -> Reply:
    return Reply(
        f"{DONE} Feed back after {long_duration(event.gap)} {mode(event.mode)}: gap refilled",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.PricesDoubted) -> Reply:
    what = clipped(sentence(doubts.clause(event.doubt)).removesuffix("."), 60)
    return Reply(
        f"{LOOK} {what} {mode(event.mode)}",
        text=doubts.told(event.doubt),
        choices=(STATUS, STOP),
        level=Level.URGENT if event.doubt.blocks else Level.NOTICE,
    )


@describe.register
def _(event: events.PricesCleared) -> Reply:
    what = sentence(doubts.over(event.doubt)).removesuffix(".")
    return Reply(
        f"{DONE} {what} after {long_duration(event.lasted)} {mode(event.mode)}",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.FeedEnded) -> Reply:
    count = event.open_positions
    stay = f"{plural(count, 'position')} {'stays' if count == 1 else 'stay'} open"
    return Reply(
        f"Feed ended: no more candles {mode(event.mode)}",
        text=f"The last closed at {moment(event.last_bar)}. "
        f"{stay if count else 'No position is open'}.",
        choices=(STATUS, TRADES),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.CycleFailed) -> Reply:
    went_on = "Exits and stops went on; no entries were decided at these candles."
    again = "Exits and stops are tried again in the next scan."
    return Reply(
        f"{LOOK} Scan failed {mode(event.mode)}, reference {event.reference}",
        text=went_on if event.protected else again,
        choices=(STATUS, STOP),
        level=Level.URGENT,
        reference=event.reference,
    )


@describe.register
def _(event: events.TraderStarted) -> Reply:
    if event.down_for is None:
        down = ", for the first time"
    else:
        down = f", was down {duration(event.down_for)}{'' if event.clean else ' (killed)'}"
    started = f"{HALTED} Started halted" if event.halt else "Started"
    if event.differs and not event.halt:
        started = f"{LOOK} Started, books differ"
    return Reply(
        f"{started} {mode(event.mode)} in {took(event.took.total_seconds())}{down}",
        text=_found(event),
        choices=(STATUS, HALTS) if event.halt else (STATUS,),
        level=Level.CRITICAL if event.differs else Level.NOTICE,
    )


def _found(event: events.TraderStarted) -> str:
    books = f"{plural(event.positions, 'position')}, {plural(event.orders, 'order')}"
    parts = [f"Books equal venue: {books}."]
    if event.differs:
        parts = [f"Books differ, entries wait: {event.differs}. We hold {books}."]
    if event.unknown:
        parts.append(f"{plural(event.unknown, 'unknown order')}: resolved.")
    if event.missed_fills:
        parts.append(f"{plural(event.missed_fills, 'fill')} came while down.")
    if event.place:
        money = "test money" if event.place.endswith("testnet") else "real money"
        unproven = " Not proven there; accepted (accept_unproven)." if event.unproven else ""
        parts.insert(0, f"LIVE on {event.place}: {money}.{unproven}")
    halt = event.halt
    parts.append(f"Halted: {halt.id} by {person(halt.by)}." if halt else "Not halted.")
    return " ".join(parts)


@describe.register
def _(event: events.VenueLost) -> Reply:
    if event.refused_until is not None:
        return Reply(
            f"{LOOK} Venue refuses us until {clock_time(event.refused_until)} UTC "
            f"{mode(event.mode)}",
            text="Too many requests. Nothing is sent to it before that; what rests there stays "
            "and may fill.",
            choices=(STATUS, STOP),
            level=Level.URGENT,
        )
    return Reply(
        f"{LOOK} Venue lost {duration(event.silent)} ago {mode(event.mode)}",
        text="Nothing reaches it now; what rests there stays and may fill. Asking on.",
        choices=(STATUS, STOP),
        level=Level.URGENT,
    )


@describe.register
def _(event: events.VenueBack) -> Reply:
    return Reply(
        f"{DONE} Venue back after {long_duration(event.gap)} {mode(event.mode)}",
        text="Orders that had no answer are asked about, stops repaired.",
        choices=(STATUS, Choice("Orders", "/orders")),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.ScanSlow) -> Reply:
    limit = took(event.limit)
    return Reply(
        f"{LOOK} Slow scan: {took(event.seconds)}, limit {limit}. Exits ran on time.",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.StopsAreLimits) -> Reply:
    names = listed([symbol.base for symbol in event.symbols[:MOST_NAMED]])
    more = len(event.symbols) - MOST_NAMED
    names += f" and {more} more" if more > 0 else ""
    gap = percent(event.gap, signed=False)
    return Reply(
        f"{LOOK} Stops are limits {mode(event.mode)}: {names}",
        text=f"They take no stop at market. One that is touched fills to {gap} beyond its price; "
        "what does not in 2 s the desk sells at market. Beyond that gap nothing is sold while the "
        "desk is down.",
        choices=(STATUS, Choice("Positions", "/positions")),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.TraderCrashed) -> Reply:
    return Reply(
        f"{LOOK} {whom(event.trader, event.mode)} crashed, reference {event.reference}",
        text="Positions stay guarded by their stops at the venue; no entries meanwhile. "
        f"Started again in {duration(event.again_in)}.",
        choices=(STATUS, STOP),
        level=Level.CRITICAL,
        reference=event.reference,
    )


@describe.register
def _(event: events.TraderRestarted) -> Reply:
    return Reply(
        f"{DONE} {whom(event.trader, event.mode)} runs again, after {long_duration(event.after)}",
        text="It goes on with the books it had; stops and exits are watched again.",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.StartDelayed) -> Reply:
    return Reply(
        f"{LOOK} Not started: {whom(event.trader, event.mode)}",
        text=f"{sentence(clipped(event.why, 240))} Nothing was changed. No entries; what rests at "
        "the venue stays, what the desk keeps waits. Tried on, and told when it starts.",
        choices=(STATUS, STOP),
        level=Level.CRITICAL,
    )
