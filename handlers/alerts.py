"""How events read in a chat.  One function per event; what is in `SILENT` is not told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from handlers import desk_alerts, universe
from handlers.describe import describe
from handlers.format import (
    amount,
    clock_time,
    duration,
    exact,
    gain,
    gained,
    listed,
    long_duration,
    moment,
    money,
    percent,
    plural,
    ratio,
    took,
)
from handlers.reply import Choice, Column, Level, Reply
from handlers.screen import a_table
from handlers.stops import engaged_title, flat_reply
from handlers.words import (
    DONE,
    DOUBT,
    HALTED,
    LOOK,
    REFUSED,
    WAIT,
    clipped,
    mode,
    person,
    sentence,
    whom,
)
from trading import events
from trading.events import Event
from trading.halt import EVERYONE, Halt, Stage, Verb
from trading.risk.words import minute as first_minute
from trading.types import ExitReason, Mode, Order, OrderRole, OrderStatus, Trade

__all__ = ["SILENT", "describe", "fold"]

SILENT: frozenset[type[Event]] = frozenset({events.OrderSent, events.CycleEnded})
"""Each would be noise: what comes of it is told."""

POSITIONS, STATUS = Choice("Positions", "/positions"), Choice("Status", "/status")
STOP, FLATTEN = Choice("Stop", "/stop"), Choice("Flatten", "/flatten")
ORDERS, HALTS = Choice("Orders", "/orders"), Choice("Halts", "/halts")
TRADES, RESUME = Choice("Trades", "/trades"), Choice("Resume", "/resume")


# -- positions ----------------------------------------------------------------------------


@describe.register
def _(event: events.PositionOpened) -> Reply:
    base, size = event.symbol.base, exact(event.quantity)
    spent = event.quantity * event.price
    share = percent(spent / event.equity, signed=False) if event.equity > 0 else "unknown"
    parts = [f"{amount(spent, event.symbol.quote)}, {share} of equity.", _stop_and_target(event)]
    if event.ordered > event.quantity:
        parts.append(f"{size} of {exact(event.ordered)} filled so far.")
    if event.confidence:  # an entry by hand has none
        parts.append(f"Confidence {event.confidence}.")
    return Reply(
        f"Opened {base} {event.side.held} {size} at {exact(event.price)} {mode(event.mode)}",
        text=" ".join(parts),
        choices=(Choice("Position", f"/position {base}"),),
    )


def _stop_and_target(event: events.PositionOpened) -> str:
    target = f"target {exact(event.target)}"
    if event.stop is None:
        return f"No stop{'' if event.target is None else f', {target}'}."
    stop = f"Stop {exact(event.stop)} risks {money(event.risk)}"
    if event.target is None:
        return f"{stop}."
    room = abs(event.price - event.stop)
    reward = f", {ratio(abs(event.target - event.price) / room)}" if room else ""
    return f"{stop}, {target}{reward}."


@describe.register
def _(event: events.PositionReduced) -> Reply:
    base, quote = event.symbol.base, event.symbol.quote
    how = "" if event.reason is ExitReason.TARGET else f" {_by(event.reason, event.by)}"
    left = f"{exact(event.left)} left"
    goal = "" if event.next_price is None else f" to {exact(event.next_price)}"
    whole = exact(event.quantity + event.left)
    profit = gained(event.profit, quote)
    return Reply(
        f"Partly closed {base} {event.side.held}{how} {mode(event.mode)}, {profit}",
        text=f"{exact(event.quantity)} of {whole} at {exact(event.price)}; {left}{goal}.",
        choices=(Choice("Position", f"/position {base}"),),
    )


@describe.register
def _(event: events.PositionClosed) -> Reply:
    trade = event.trade
    result = f"{gained(trade.profit, trade.symbol.quote)} ({percent(trade.share)})"
    held = duration(trade.closed_at - trade.opened_at)
    path = f"{exact(trade.entry_price)} to {exact(trade.exit_price)}"
    how = _closed_by(trade)
    return Reply(
        f"Closed {trade.symbol.base} {trade.side.held} {how} {mode(event.mode)}, {result}",
        text=f"{exact(trade.quantity)}, {path}, held {held}. Today {gain(event.today)}.",
        choices=(TRADES,),
        level=Level.NOTICE,
    )


def _closed_by(trade: Trade) -> str:
    if trade.reason is ExitReason.TIME:
        return f"by time, {duration(trade.closed_at - trade.opened_at)}"
    return _by(trade.reason, trade.by)


def _by(reason: ExitReason, by: str) -> str:
    who = f", {person(by)}" if by else ""
    return {
        ExitReason.STOP: "by stop",
        ExitReason.TARGET: "at target",
        ExitReason.TIME: "by time",
        ExitReason.TRAIL: "by trailing stop",
        ExitReason.SIGNAL: "by signal",
        ExitReason.HAND: f"by hand{who}",
        ExitReason.FLATTEN: f"by /flatten{who}",
        ExitReason.EXTERNAL: "outside the desk",
    }[reason]


@describe.register
def _(event: events.StopMoved) -> Reply:
    keeper = "on venue" if event.on_venue else "kept by desk"
    path = f"{exact(event.old)} to {exact(event.new)}"
    return Reply(f"{event.symbol.base} stop moved {path} ({event.why}), {keeper}")


@describe.register
def _(event: events.Unprotected) -> Reply:
    base = event.symbol.base
    return Reply(
        f"{LOOK} {base} unprotected {mode(event.mode)}: {exact(event.quantity)} without a stop",
        text=f"{sentence(event.reason)} The desk keeps watch itself, and tries again.",
        choices=(Choice("Position", f"/position {base}"), Choice("Close", f"/close {base}")),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.Protected) -> Reply:
    return Reply(
        f"{DONE} {event.symbol.base} protected again {mode(event.mode)}",
        text=f"Stop {exact(event.stop)} rests for {exact(event.quantity)}.",
        level=Level.NOTICE,
    )


# -- orders -------------------------------------------------------------------------------


@describe.register
def _(event: events.OrderRefused) -> Reply:
    order, base = event.order, event.symbol.base
    limit = order.price if order.price is not None else order.stop_price
    at = "market" if limit is None else exact(limit)
    said = sentence(clipped(event.said, 120)) or "No reason was given."
    left = f"{exact(event.open_quantity)} is open." if event.open_quantity else "Nothing is open."
    return Reply(
        f"{REFUSED} Venue refused {_order(order)} at {at} {mode(event.mode)}",
        text=f'"{said}" {left}',
        choices=(Choice("Why", f"/why {base}"),),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.OrderUnknown) -> Reply:
    waited = took(event.waited.total_seconds())
    return Reply(
        f"{DOUBT} Unknown: {_order(event.order)} {mode(event.mode)}",
        text=f"No answer in {waited}. Not resent; asking the venue by its id.",
        choices=(ORDERS,),
        level=Level.URGENT,
        story=event.order.id,
    )


@describe.register
def _(event: events.OrderResolved) -> Reply:
    found = _OUTCOMES.get(event.outcome, f"it is {event.outcome.value}")
    if event.outcome is OrderStatus.ABSENT and event.order.role is OrderRole.ENTRY:
        found += "; not sent again"
    return Reply(
        f"{DONE} Resolved in {duration(event.took)}: {found}",
        text=f"{_order(event.order)} {mode(event.mode)}.",
        choices=(ORDERS,),
        level=Level.NOTICE,
        story=event.order.id,
    )


_OUTCOMES = {
    OrderStatus.ABSENT: "the venue never had it",
    OrderStatus.OPEN: "it rests at the venue",
    OrderStatus.FILLED: "it was filled",
    OrderStatus.CANCELLED: "it was cancelled",
    OrderStatus.REJECTED: "the venue refused it",
    OrderStatus.EXPIRED: "it expired",
    OrderStatus.NOT_SENT: "it never left us",
}


def _order(order: Order) -> str:
    return f"{order.symbol.base} {order.side.value} {exact(order.quantity)}"


@describe.register
def _(event: events.ReductionUnsaved) -> Reply:
    waited = took(event.waited.total_seconds())
    return Reply(
        f"{LOOK} Sent before it was saved: {_order(event.order)} {mode(event.mode)}",
        text=f"History did not take it in {waited}; the fallback journal did. "
        "What protects and what closes does not wait for the disk.",
        choices=(ORDERS, STATUS),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.BooksDiffered) -> Reply:
    both = f"ours {exact(event.ours)}, venue {exact(event.venue)}"
    return Reply(
        f"{LOOK} Books differ on {event.symbol.base} {mode(event.mode)}: {both}",
        text=sentence(event.done),
        choices=(POSITIONS, ORDERS, STOP),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.ForeignOrderSeen) -> Reply:
    return Reply(
        f"{LOOK} An order that is not ours: {event.symbol.base} {mode(event.mode)}",
        text=f"Its id is {clipped(event.order_id, 40)}. Reported, untouched.",
        choices=(ORDERS,),
        level=Level.URGENT,
    )


@describe.register
def _(event: events.ForeignHoldingSeen) -> Reply:
    base = event.symbol.base
    return Reply(
        f"{exact(event.quantity)} {base} on the account {mode(event.mode)} that are not ours",
        text="Left alone, and never sold. Said once.",
        choices=(POSITIONS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.FundingBooked) -> Reply:
    what = "received" if event.amount > 0 else "paid"
    worth = amount(abs(event.amount), event.symbol.quote)
    return Reply(f"Funding {what} on {event.symbol.base} {mode(event.mode)}: {worth}")


@describe.register
def _(event: events.TransferSeen) -> Reply:
    what = "came in" if event.amount > 0 else "went out"
    return Reply(
        f"{amount(abs(event.amount), event.quote)} {what} {mode(event.mode)}",
        text="It lies beside the money of this trader: equity, day and drawdown stay as they are.",
    )


@describe.register
def _(event: events.LiquidationBooked) -> Reply:
    where = "" if event.symbol is None else f" on {event.symbol.base}"
    return Reply(
        f"{LOOK} Liquidation{where} {mode(event.mode)}: {gained(event.amount, event.quote)}",
        text="The venue closed by force. It is booked as a loss.",
        choices=(POSITIONS, STATUS, STOP),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.DustLeft) -> Reply:
    worth = amount(event.worth, event.symbol.quote)
    return Reply(
        f"Dust left: {exact(event.quantity)} {event.symbol.base} {mode(event.mode)}, {worth}",
        text="Too small for the venue to sell. It stays there, "
        "and left our books at the last price.",
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.EntryGivenUp) -> Reply:
    base = event.symbol.base
    return Reply(
        f"Entry given up: {base} {mode(event.mode)}, "
        f"{exact(event.filled)} of {exact(event.ordered)} filled",
        text=f"It rested without filling, and was not taken at market: {event.why}.",
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.ProtectionPaused) -> Reply:
    lasted, base = took(event.lasted.total_seconds()), event.symbol.base
    left = f"{exact(event.quantity)} left." if event.quantity else "Nothing is left."
    return Reply(
        f"{LOOK} {base} had no stop for {lasted} {mode(event.mode)}, while it was sold",
        text=f"A stop locks the coins, so it went first. {left}",
        level=Level.URGENT,
    )


# -- limits and halts ---------------------------------------------------------------------


@describe.register
def _(event: events.DrawdownReached) -> Reply:
    worth = f"{money(event.equity)} of peak {amount(event.peak, event.quote)}"
    floor = money(event.peak * (1 - event.limit))
    return Reply(
        f"{LOOK} Drawdown {percent(-event.drawdown)} {mode(event.mode)}: {worth}",
        text=f"3 reads in a row, {{age}}. Halt at {percent(-event.limit)} ({floor}). "
        f"Open P&L {gain(event.open_profit)}.",
        choices=(POSITIONS, Choice("Pause", "/pause"), STOP, FLATTEN),
        level=Level.URGENT,
        as_of=event.at,
    )


@describe.register
def _(event: events.CooldownBegan) -> Reply:
    until = f"{first_minute(event.until)}\u00a0UTC"
    return Reply(
        f"No entries until {until} {mode(event.mode)}: {event.why}",
        text="A rest, not a halt: it ends by itself. Exits go on.",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.HaltEngaged) -> Reply:
    halt = event.halt
    return Reply(
        engaged_title(halt, _place(event)),
        text=_engaged(halt),
        choices=_after(halt),
        level=Level.NOTICE if halt.verb is Verb.PAUSE else Level.CRITICAL,
        story=_story(halt, event.trader),
    )


def _engaged(halt: Halt) -> str:
    if halt.verb is Verb.PAUSE:
        return "Done: no new entries. Not done: resting entries, positions and stops stay."
    if halt.guard:
        return (
            "3 reads in a row. Done: entries blocked, cancels under way. "
            "Not done: positions and stops stay. Only a person resumes."
        )
    if halt.verb is Verb.FLATTEN:
        return "Done: entries blocked. Under way: cancels, then every position is closed."
    return "Done: entries blocked, cancels under way. Not done: positions and stops stay."


def _after(halt: Halt) -> tuple[Choice, ...]:
    if halt.verb is Verb.PAUSE:
        return STOP, RESUME
    if halt.verb is Verb.FLATTEN:
        return STATUS, HALTS
    return POSITIONS, FLATTEN


@describe.register
def _(event: events.HaltAdvanced) -> Reply | None:
    stage, halt = event.reached.stage, event.halt
    if stage not in _STAGES:
        return None  # told when the halt was engaged, or a step to what is told
    if halt.verb is Verb.FLATTEN and stage is Stage.CANCELS_CONFIRMED:
        return None  # on the way to flat, which is told
    return _STAGES[stage](event, (event.reached.at - halt.at).total_seconds())


def _cancels_confirmed(event: events.HaltAdvanced, waited: float) -> Reply:
    left = len(event.left_open)
    stay = f"{plural(left, 'position')} and {'its stop stays' if left == 1 else 'stops stay'}"
    word = "Halted" if event.halt.guard else "Stopped"
    return Reply(
        f"{HALTED} {word} {_place(event)}, confirmed in {took(waited)}",
        table=a_table(_STAGE_COLUMNS, _stages(event)),
        text=f"Not done: {stay if left else 'nothing; no position is open'}.",
        choices=(POSITIONS, FLATTEN) if left else (STATUS, RESUME),
        level=Level.NOTICE,
        story=_story(event.halt, event.trader),
    )


def _stages(event: events.HaltAdvanced) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for reached in event.halt.stages_of(event.trader):
        note = reached.note
        if reached.stage in (Stage.SAVED, Stage.CANCELS_SENT, Stage.FLATTENING):
            continue  # `/halts` tells each step
        if reached.stage is Stage.REQUESTED:
            note = f"by {person(event.halt.by)}"
        elif reached.stage is Stage.CANCELS_CONFIRMED:
            note = note or "nothing rested"
        told = f"{reached.stage.value}{f', {note}' if note else ''}"
        rows.append((clock_time(reached.at), clipped(told, 22)))
    return rows


_STAGE_COLUMNS = (Column("UTC", right=False), Column("stage", right=False))


def _flat(event: events.HaltAdvanced, waited: float) -> Reply:
    return flat_reply(_place(event), waited, event.closes, _story(event.halt, event.trader))


def _flat_except_dust(event: events.HaltAdvanced, waited: float) -> Reply:
    dust = listed([s.base for s in event.left_open]) or event.reached.note
    return Reply(
        f"{DONE} Flat except dust: {_place(event)}, in {took(waited)}",
        text=f"Too small for the venue to take: {dust}.\n"
        "Not done: entries stay blocked until /resume.",
        choices=(POSITIONS, RESUME),
        level=Level.NOTICE,
        story=_story(event.halt, event.trader),
    )


def _flat_blocked(event: events.HaltAdvanced, waited: float) -> Reply:
    left = listed([s.base for s in event.left_open])
    note = sentence(event.reached.note)
    open_still = f"{left} {'is' if len(event.left_open) == 1 else 'are'} open." if left else ""
    return Reply(
        f"{LOOK} Not flat after {took(waited)}: {_place(event)}",
        text=f"{note} {open_still} Trying on; entries stay blocked.".strip(),
        choices=(POSITIONS, HALTS),
        level=Level.CRITICAL,
    )


_STAGES = {
    Stage.CANCELS_CONFIRMED: _cancels_confirmed,
    Stage.FLAT: _flat,
    Stage.FLAT_EXCEPT_DUST: _flat_except_dust,
    Stage.FLAT_BLOCKED: _flat_blocked,
}


@describe.register
def _(event: events.HaltDelayed) -> Reply:
    # A new message, not an edit: it needs a person.
    return Reply(
        f"{HALTED} Not confirmed after {duration(event.waited)}: {_place(event)}",
        text=f"{event.halt.id}: {sentence(event.why or 'no answer yet')} "
        "Entries stay blocked; trying on.",
        choices=(STATUS, HALTS),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.HaltLifted) -> Reply:
    halt = event.halt
    return Reply(
        f"{DONE} Lifted {halt.id} of {_place(event)}, by {halt.lifted_by}",
        text=f"It was made by {person(halt.by)}. Nothing was sent.",
        choices=(STATUS, STOP),
        level=Level.NOTICE,
    )


def _place(event: events.TraderEvent) -> str:
    name = "all traders" if event.trader == EVERYONE else event.trader
    return whom(name, event.mode)


def _story(halt: Halt, trader: str) -> str:
    """One message per halt; per trader where a halt covers several of them."""
    return halt.id if trader == halt.scope else f"{halt.id} {trader}"


# -- feed, cycles, history, the process ---------------------------------------------------


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
    return Reply(
        f"{LOOK} Scan failed {mode(event.mode)}, reference {event.reference}",
        text="Exits and stops are tried again in the next scan.",
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
        parts.insert(0, f"LIVE on {event.place}: {money}.")
    halt = event.halt
    parts.append(f"Halted: {halt.id} by {person(halt.by)}." if halt else "Not halted.")
    return " ".join(parts)


@describe.register
def _(event: events.HistoryFailed) -> Reply:
    return Reply(
        f"{LOOK} History is not being saved",
        text=f"{sentence(event.why)} It is kept in memory and tried again; trading goes on.",
        choices=(STATUS, STOP),
        level=Level.URGENT,
    )


@describe.register
def _(event: events.HistoryRecovered) -> Reply:
    but = f", but for {plural(event.left, 'change')}" if event.left else ""
    return Reply(
        f"{DONE} History saves again after {long_duration(event.waited)}",
        text=f"What waited has been saved{but}.",
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.FactRefused) -> Reply:
    return Reply(
        f"{LOOK} History refuses one change and saves the others",
        text=f"{sentence(clipped(event.why, 160))} It holds {event.what}; it is kept in memory and "
        "tried again each minute. Until it is saved, a restart asks the venue instead.",
        choices=(STATUS, STOP),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.DeskStopping) -> Reply:
    held = event.open_positions
    parts = ["No position is open."]
    if held:
        stay = "stays" if len(held) == 1 else "stay"
        names = listed([s.base for s in held[:8]])
        parts = [f"{plural(len(held), 'position')} {stay} open: {names}."]
    if event.unprotected:
        parts.append(f"Unprotected while down: {listed([s.base for s in event.unprotected[:8]])}.")
    return Reply(
        f"{WAIT} Shutting down, by {event.by}",
        text=" ".join([*parts, "Chats go silent."]),
        level=Level.CRITICAL if event.unprotected else Level.NOTICE,
    )


@describe.register
def _(event: events.StrangerSeen) -> Reply:
    return Reply(
        f"Stranger {clipped(event.who, 20)} tried on {clipped(event.where, 20)}",
        text="No answer, text not kept. Said once.",
        level=Level.NOTICE,
    )


# -- bursts -------------------------------------------------------------------------------

_COUNTED = {
    "PositionOpened": ("opened", "opened"),
    "PositionReduced": ("partly closed", "partly closed"),
    "PositionClosed": ("closed", "closed"),
    "StopMoved": ("stop moved", "stops moved"),
    "OrderRefused": ("order refused", "orders refused"),
    "OrderUnknown": ("order unknown", "orders unknown"),
    "OrderResolved": ("order resolved", "orders resolved"),
    **desk_alerts.COUNTED,
    **universe.COUNTED,
}
_NEVER_ONLY_COUNTED = ("HaltEngaged", "HaltAdvanced", "HaltLifted")
"""Somebody waits for it: the newest is told in full."""
_TITLES = 4


def fold(replies: Sequence[tuple[str, Reply]], *, seconds: int = 10) -> Reply:
    """Return one message for many: (name of the event's class, how it reads), oldest first."""
    kinds = Counter(kind for kind, _ in replies)
    counted = [
        f"{count} {_COUNTED[kind][count > 1]}" for kind, count in kinds.items() if kind in _COUNTED
    ]
    stages = [reply.title for kind, reply in replies if kind in _NEVER_ONLY_COUNTED]
    others = len(replies) - len(stages) - sum(kinds[kind] for kind in _COUNTED)
    if others:
        counted.append(plural(others, "other"))
    counted += [clipped(title, 50) for title in stages[-1:]]
    newest = [clipped(reply.title, 70) for _, reply in replies[-_TITLES:]]
    hidden = len(replies) - len(newest)
    return Reply(
        f"{len(replies)} events in {duration(timedelta(seconds=seconds))}: {', '.join(counted)}",
        text="\n".join([*([f"The last {len(newest)}:"] if hidden else []), *newest]),
        choices=(Choice(f"All {len(replies)}", f"/alerts last {len(replies)}"), STATUS, TRADES),
        level=max(reply.level for _, reply in replies),
    )
