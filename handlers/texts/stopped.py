"""What is said of a pause, a stop, a flat account: by whoever asked, and by alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handlers.format import ago, exact, gain, gained, listed, plural, took
from handlers.reply import Choice, Column, Level, Reply
from handlers.texts.phrases import (
    DONE,
    HALTED,
    LOOK,
    PAUSED,
    clipped,
    count_entries,
    entries,
    holdings_of,
    orders_of,
    person,
    scope,
)
from handlers.texts.screen import TABLE_ROWS, a_table
from trading.accounts.views import Halting, HoldingView, Swept, View
from trading.model.halt import EVERYONE, Halt, Verb
from trading.types import ZERO, Order, Symbol, Trade

_NO_TRIES: Mapping[Symbol, int] = {}
_NTH = {2: "2nd", 3: "3rd"}


def paused(halting: Halting, views: Sequence[View], note: str = "") -> Reply:
    """What is stricter and holds already leads: then nothing is only paused."""
    stricter = _stricter(halting, views)
    if stricter and all(any(h.covers(v.name) for h in stricter) for v in views):
        return _paused_below(halting, views, stricter[0], note)
    closing = [h for h in stricter if h.closing]
    not_done = _left_by_pause(orders_of(views), holdings_of(_untouched(views, closing)), closing)
    return Reply(
        _title(PAUSED, "Paused", halting, views),
        lead="\n".join(filter(None, [note, *map(as_well, stricter)])),
        text=f"Done: no new entries{durable(halting)}.\nNot done: {not_done}.",
        choices=(Choice("Stop", "/stop"), Choice("Resume", "/resume")),
        level=Level.NOTICE,
        story=halting.halt.id,
    )


def _left_by_pause(
    orders: Sequence[Order], held: Sequence[HoldingView], closing: Sequence[Halt]
) -> str:
    waiting = len(entries(orders))
    rest = "rests" if waiting == 1 else "rest"
    left = [f"{count_entries(waiting)} {rest} and may fill"] * bool(waiting)
    left += [_stay(held), "exits go on"] * bool(held or waiting)
    left += [go_on_closing(closing)] * bool(closing)
    return "; ".join(left or ["nothing else", "no entry rests, no position is open"])


def _paused_below(halting: Halting, views: Sequence[View], over: Halt, note: str) -> Reply:
    since = ago(views[0].as_of - over.at) if views else "earlier"
    return Reply(
        below_title(over, since),
        lead=note,
        text=f"{kept_beside(over, durable(halting))}\n{NOTHING_LOOSENED.format(over.id)}",
        choices=(Choice("Status", "/status"), Choice("Halts", "/halts")),
        level=Level.NOTICE,
        story=halting.halt.id,
    )


def below_title(over: Halt, since: str) -> str:
    """As in `■ Stopped 9 s ago by anna, now paused as well`."""
    state = _ALREADY[over.verb]
    return (
        f"{HALTED} {state[0].upper()}{state[1:]} {since} by {person(over.by)}, now paused as well"
    )


def kept_beside(over: Halt, saved: str = "") -> str:
    return f"Done: the pause is kept beside {over.id}{saved}."


NOTHING_LOOSENED = "Not done: nothing is loosened; {0} holds, and what it does goes on."


def _stricter(halting: Halting, views: Sequence[View]) -> list[Halt]:
    """What holds of this halt's traders and does more than it, the strictest first."""
    others = [h for v in views for h in v.halts]
    if halting.earlier is not None:
        others.append(halting.earlier)
    found = {h.id: h for h in others if h.verb > halting.halt.verb}
    return sorted(found.values(), key=lambda h: -h.verb)


def as_well(halt: Halt) -> str:
    """As in `H1 (stop of majors, by anna) holds as well.`"""
    verb = {Verb.PAUSE: "pause", Verb.STOP: "stop", Verb.FLATTEN: "flatten"}[halt.verb]
    return f"{halt.id} ({verb} of {halt.scope}, by {person(halt.by)}) holds as well."


def _stay(held: Sequence[HoldingView]) -> str:
    count = plural(len(held), "position")
    without = _without(held)
    if without:
        return f"{count} {'stays' if len(held) == 1 else 'stay'}{without}"
    return f"{count} and {'its stop stays' if len(held) == 1 else 'stops stay'}"


def _without(held: Sequence[HoldingView]) -> str:
    """As in `, 1 of them with a stop that only the desk keeps`; empty if all rest at the venue."""
    bare = sum(h.plan.stop is None for h in held)
    ours = sum(h.plan.stop is not None and not h.stop_on_venue for h in held)
    told = [f"{bare} of them without a stop"] * (bare > 0)
    told += [f"{ours} of them with a stop that only the desk keeps"] * (ours > 0)
    return f", {' and '.join(told)}" if told else ""


def stopped(halting: Halting, views: Sequence[View], note: str = "") -> Reply:
    unconfirmed = [s for s in halting.swept if not s.confirmed]
    if unconfirmed:
        return _retrying(halting, views, unconfirmed, note)
    if _was_there(halting):
        left = sum(s.resting for s in halting.swept)
        rest = "rests" if left == 1 else "rest"
        done = f"Swept again: {count_entries(left)} {rest}{durable(halting)}."
    else:
        done = f"Done: entries blocked{durable(halting)}; {cancelled(halting.swept)}.\n"
        done += f"Not done: {left_alone(_stricter(halting, views), views)}."
    return Reply(
        _title(HALTED, "Stopped", halting, views),
        lead="\n".join(filter(None, [note, *_on_top(halting, views)])),
        text=done,
        choices=after_stop(views, halting.halt.scope),
        level=Level.CRITICAL,
        story=halting.halt.id,
    )


def left_alone(beside: Sequence[Halt], views: Sequence[View]) -> str:
    """What a stop does not touch; what a flatten *beside* it still closes is not called kept."""
    closing = [h for h in beside if h.closing]
    alone = _untouched(views, closing)
    if not closing:
        return kept(views)
    kept_too = any(v.holdings or v.unproven for v in alone)
    return "; ".join([*([kept(alone)] if kept_too else []), go_on_closing(closing)])


def _untouched(views: Sequence[View], closing: Sequence[Halt]) -> list[View]:
    return [v for v in views if not any(v.name in halt.closing for halt in closing)]


def go_on_closing(halts: Sequence[Halt]) -> str:
    """As in `H3 and H4 go on closing positions`."""
    verb = "goes" if len(halts) == 1 else "go"
    return f"{listed([h.id for h in halts])} {verb} on closing positions"


def after_stop(views: Sequence[View], scope: str) -> tuple[Choice, ...]:
    if views and not holdings_of(views):
        return Choice("Status", "/status"), Choice("Resume", "/resume")
    return Choice("Positions", "/positions"), Choice("Flatten", flatten_of(scope))


def flatten_of(scope: str) -> str:
    """The line that flattens whom a halt of *scope* stops."""
    return f"/flatten {EVERYONE}" if scope == EVERYONE else "/flatten"


def _retrying(
    halting: Halting, views: Sequence[View], unconfirmed: list[Swept], note: str
) -> Reply:
    saved = "saved, a restart stays halted" if halting.durable else _NOT_DURABLE
    rows = [_not_yet(s, named=len(halting.swept) > 1) for s in unconfirmed[:3]]
    return Reply(
        f"{HALTED} Stopped {scope(views, halting.halt.scope)}: LATCHED, RETRYING",
        lead=note,
        text="\n".join([f"Done: entries blocked; {saved}.", *rows]),
        choices=(Choice("Status", "/status"), Choice("Halts", "/halts")),
        level=Level.CRITICAL,
        story=halting.halt.id,
    )


def _not_yet(swept: Swept, *, named: bool) -> str:
    who = f"{swept.trader}: " if named else ""
    problem = swept.problem or "the venue has not confirmed"
    rest = f"{count_entries(swept.resting)} may rest and fill"
    if not swept.resting:
        rest = "whether an entry rests is not known"
    return (
        f"Not yet: {who}{rest}. "
        f"{problem[0].upper()}{problem[1:].rstrip('.')}, try {max(1, swept.tries)}."
    )


_NOT_DURABLE = "NOT YET DURABLE, a crash now would forget it"


def durable(halting: Halting) -> str:
    return "" if halting.durable else f" ({_NOT_DURABLE})"


def _was_there(halting: Halting) -> bool:
    """The same halt answers again; nothing new was engaged."""
    return halting.earlier is not None and halting.earlier.id == halting.halt.id


def _on_top(halting: Halting, views: Sequence[View]) -> list[str]:
    stricter = _stricter(halting, views)
    if stricter:
        return [*map(as_well, stricter)]
    if halting.earlier is None or _was_there(halting):
        return []
    return [f"{halting.earlier.id} by {person(halting.earlier.by)} holds as well."]


def _title(symbol: str, word: str, halting: Halting, views: Sequence[View]) -> str:
    halt = halting.halt
    if not _was_there(halting):
        return f"{symbol} {word} {scope(views, halt.scope)}, by {halt.by}"
    since = ago(views[0].as_of - halt.at) if views else "earlier"
    shown = PAUSED if halt.verb is Verb.PAUSE else HALTED
    state = _ALREADY[halt.verb]
    doubted = any(view.unproven for view in views)
    if halt.verb is Verb.FLATTEN and views and not holdings_of(views) and not doubted:
        state = "flat and stopped"
    return f"{shown} Already {state} {since} by {person(halt.by)}"


_ALREADY = {Verb.PAUSE: "paused", Verb.STOP: "stopped", Verb.FLATTEN: "told to be flat"}


def cancelled(swept: Sequence[Swept]) -> str:
    """As in `2 of 2 cancelled, confirmed in 0.4 s`."""
    all_of, done = sum(s.total for s in swept), sum(s.cancelled for s in swept)
    if not all_of:
        return "no entry rested"
    filled = f", {all_of - done} filled" if done < all_of else ""
    return (
        f"{done} of {all_of} cancelled{filled}, confirmed in {took(max(s.seconds for s in swept))}"
    )


def kept(views: Sequence[View]) -> str:
    """What a stop leaves alone: `3 positions stay with their protective stops; exits go on`."""
    held = holdings_of(views)
    if not views:
        return "positions and their stops stay; exits go on"
    if unproven := next((view.unproven for view in views if view.unproven), ""):
        return f"it is not called flat: {unproven}; /accept_books asks"
    if not held:
        return "nothing else; no position is open"
    stay, its = ("stays", "its") if len(held) == 1 else ("stay", "their")
    stops = f" with {its} protective {'stop' if len(held) == 1 else 'stops'}"
    stops = _without(held) or stops
    return f"{plural(len(held), 'position')} {stay}{stops}; exits go on"


CLOSED_COLUMNS = (Column(right=False), Column(), Column())


def flat_reply(  # the last three are known to who followed it
    place: str,
    seconds: float,
    closes: Sequence[Trade],
    story: str,
    *,
    tries: Mapping[Symbol, int] = _NO_TRIES,
    stops: int | None = None,
    dust: str = "",
) -> Reply:
    """`✓ Flat: majors (paper), confirmed in 23 s`, with what was closed and its sum.

    *dust*: what stays there, as in `0.0006 BTC`.
    """
    rows: list[tuple[str, ...]] = [
        (t.symbol.base, exact(t.exit_price), gain(t.profit), _tried(tries.get(t.symbol, 1)))
        for t in closes[:TABLE_ROWS]
    ]
    columns: tuple[Column, ...] = (*CLOSED_COLUMNS, Column(right=False))
    if not any(row[-1] for row in rows):
        rows, columns = [row[:-1] for row in rows], CLOSED_COLUMNS
    done = f"{_result(closes)} after fees" if closes else "flat"
    gone = "protective stops" if stops is None else plural(stops, "stop")
    return Reply(
        f"{DONE} Flat{' except dust' if dust else ''}: {place}, confirmed in {took(seconds)}",
        table=a_table(columns, rows),
        text="\n".join(
            [
                f"Done: {done}; {gone} cancelled.",
                *([f"Too small for the venue to take: {clipped(dust, 100)}."] if dust else []),
                "Not done: entries stay blocked until /resume.",
            ]
        ),
        choices=(Choice("Trades", "/trades"), Choice("Resume", "/resume")),
        level=Level.NOTICE,
        story=story,
    )


def _tried(times: int) -> str:
    """As in `2nd try`; nothing for the first."""
    return f"{_NTH.get(times, f'{times}th')} try" if times > 1 else ""


def _result(closes: Sequence[Trade]) -> str:
    return gained(sum((t.profit for t in closes), ZERO), closes[0].symbol.quote)


def engaged_title(halt: Halt, place: str) -> str:
    """How a halt reads on its own: `■ Stopped majors (paper), by ben, Telegram`."""
    if halt.guard:
        return f"{HALTED} Halted {place} by guard: {halt.why}"
    word = {Verb.PAUSE: "Paused", Verb.STOP: "Stopped", Verb.FLATTEN: "Flattening"}[halt.verb]
    symbol = {Verb.PAUSE: PAUSED, Verb.STOP: HALTED, Verb.FLATTEN: LOOK}[halt.verb]
    return f"{symbol} {word} {place}, by {halt.by}"
