"""The verbs that tighten: pause, stop, flatten.  Each answer says what was done and what was not.

`/pause` and `/stop` take anything that follows as their reason and can therefore not be mistyped;
whom they are meant for is understood on the safe side: in doubt, everyone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from handlers import traders
from handlers.caller import Role
from handlers.command import Rest, TraderName, command
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context, Services
from handlers.describe import describe
from handlers.format import (
    ago,
    amount,
    by_step,
    clock_time,
    exact,
    gain,
    gained,
    listed,
    money,
    plural,
    took,
)
from handlers.in_place import either
from handlers.reply import Choice, Column, Level, Reply
from handlers.screen import TABLE_ROWS, a_table, fitting
from handlers.words import (
    DONE,
    HALTED,
    LOOK,
    PAUSED,
    base_and_side,
    clipped,
    count_entries,
    entries,
    holdings_of,
    orders_of,
    person,
    price_time,
    scope,
    stale_note,
    total,
    unknown,
    whom,
)
from trading.events import HaltAdvanced
from trading.halt import EVERYONE, Halt, Reached, Stage, Verb
from trading.types import ZERO, Side, Symbol, Trade
from trading.views import Halting, Holding, Swept, View

log = logging.getLogger(__name__)

NOTHING = Rest("")
_NO_TRIES: Mapping[Symbol, int] = {}
_NTH = {2: "2nd", 3: "3rd"}


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a tightening verb is meant for."""

    scope: str
    why: str
    note: str = ""
    """What was not understood, and taken on the safe side."""


@command(role=Role.OPERATOR, family="Stop", rank=10, instant=True, example="news at 20:45")
async def pause(ctx: Context, reason: Rest = NOTHING, *, trader: str = "") -> Reply:
    """Block new entries at once; all that rests or is open goes on.

    reason: kept with the halt, and shown when somebody resumes
    trader: which trader; all if left out
    """
    target = target_of(list(ctx.services.desk.traders), trader, reason, "/pause")
    by = ctx.caller.signature
    halting = await ctx.services.desk.pause(
        target.scope, by=by, why=target.why, origin=ctx.caller.chat
    )
    return _told(ctx, target, lambda views: paused(halting, views, target.note))


@command(role=Role.OPERATOR, family="Stop", rank=20, instant=True, example="news at 20:45")
async def stop(ctx: Context, reason: Rest = NOTHING, *, trader: str = "") -> Reply:
    """Block new entries and cancel resting ones, at once; positions stay.

    Protective stops stay too, and exits go on. `/stop all` is all traders.
    reason: kept with the halt, and shown when somebody resumes
    trader: which trader; all if left out
    """
    target = target_of(list(ctx.services.desk.traders), trader, reason, "/stop")
    by = ctx.caller.signature
    halting = await ctx.services.desk.stop(
        target.scope, by=by, why=target.why, origin=ctx.caller.chat
    )
    reply = _told(ctx, target, lambda views: stopped(halting, views, target.note))
    return _followed_stop(ctx, reply, halting)


@command(role=Role.OPERATOR, family="Stop", rank=30, acts=True)
async def flatten(ctx: Context, *, trader: TraderName) -> Reply:
    """Stop, then close every position at market until flat; asks first."""
    view = traders.view_of(ctx, trader)

    async def act() -> Reply:
        before = traders.view_of(ctx, trader)
        by = ctx.caller.signature
        halting = await ctx.services.desk.flatten(
            trader, by=by, why="/flatten", origin=ctx.caller.chat
        )
        return _flatten_answer(ctx, trader, halting, before)

    question = flatten_question(view)
    return ctx.services.confirmations.ask(ctx.caller, ctx.message.text, question, act)


# -- whom ---------------------------------------------------------------------------------


def target_of(names: Sequence[str], trader: str, reason: str, typed: str) -> Target:
    """Understand whom a pause or stop is for; in doubt everyone.

    Never refuses: a name may be given as `trader=NAME`, as the first word, or not at all.
    """
    first, _, rest = reason.partition(" ")
    wanted, why = (trader, reason) if trader else (first, rest)
    everyone = names[0] if len(names) == 1 else EVERYONE
    if wanted.lower() == EVERYONE:
        return Target(everyone, why or typed)
    for name in names:
        if name.lower() == wanted.lower():
            return Target(name, why or typed)
    if not trader:
        note = f"All means {listed(list(names))}." if len(names) > 1 else ""
        return Target(everyone, reason or typed, note)
    return Target(everyone, reason or typed, f"There is no trader {clipped(trader, 20)}: so all.")


def _told(ctx: Context, target: Target, tell: Callable[[list[View]], Reply]) -> Reply:
    """The act is done; that it cannot be described must not make it look as if it were not."""
    services = ctx.services
    covered = [t for t in services.desk.traders.values() if target.scope in (EVERYONE, t.name)]
    try:
        views = [t.view() for t in covered]
    except Exception:
        log.exception("the view failed after a stop")
        views = []
    reply = tell(views)
    if len(covered) == 1:
        return traders.addressed(ctx, covered[0].name, reply, title=False)
    return reply


# -- what is said of it -------------------------------------------------------------------


def paused(halting: Halting, views: Sequence[View], note: str = "") -> Reply:
    waiting, held = len(entries(orders_of(views))), len(holdings_of(views))
    rest = "rests" if waiting == 1 else "rest"
    not_done = (
        f"Not done: {count_entries(waiting)} {rest} and may fill; {_stay(held)}; exits go on."
    )
    if not waiting:
        not_done = f"Not done: {_stay(held)}; exits go on."
    if not waiting and not held:
        not_done = "Not done: nothing else; no entry rests, no position is open."
    return Reply(
        _title(PAUSED, "Paused", halting, views),
        lead=note,
        text=f"Done: no new entries{_durable(halting)}.\n{not_done}",
        choices=(Choice("Stop", "/stop"), Choice("Resume", "/resume")),
        level=Level.NOTICE,
        story=halting.halt.id,
    )


def _stay(held: int) -> str:
    return f"{plural(held, 'position')} and {'its stop stays' if held == 1 else 'stops stay'}"


def stopped(halting: Halting, views: Sequence[View], note: str = "") -> Reply:
    unconfirmed = [s for s in halting.swept if not s.confirmed]
    if unconfirmed:
        return _retrying(halting, views, unconfirmed, note)
    if _was_there(halting):
        left = sum(s.resting for s in halting.swept)
        rest = "rests" if left == 1 else "rest"
        done = f"Swept again: {count_entries(left)} {rest}."
    else:
        done = f"Done: entries blocked{_durable(halting)}; {cancelled(halting.swept)}.\n"
        done += f"Not done: {kept(views)}."
    return Reply(
        _title(HALTED, "Stopped", halting, views),
        lead="\n".join(filter(None, [note, _on_top(halting)])),
        text=done,
        choices=_after_stop(views),
        level=Level.CRITICAL,
        story=halting.halt.id,
    )


def _after_stop(views: Sequence[View]) -> tuple[Choice, ...]:
    if views and not holdings_of(views):
        return Choice("Status", "/status"), Choice("Resume", "/resume")
    return Choice("Positions", "/positions"), Choice("Flatten", "/flatten")


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
    return (
        f"Not yet: {who}{count_entries(swept.resting)} may rest and fill. "
        f"{problem[0].upper()}{problem[1:].rstrip('.')}, try {max(1, swept.tries)}."
    )


_NOT_DURABLE = "NOT YET DURABLE, a crash now would forget it"


def _durable(halting: Halting) -> str:
    return "" if halting.durable else f" ({_NOT_DURABLE})"


def _was_there(halting: Halting) -> bool:
    """The same halt answers again; nothing new was engaged."""
    return halting.earlier is not None and halting.earlier.id == halting.halt.id


def _on_top(halting: Halting) -> str:
    if halting.earlier is None or _was_there(halting):
        return ""
    return f"{halting.earlier.id} by {person(halting.earlier.by)} holds as well."


def _title(symbol: str, word: str, halting: Halting, views: Sequence[View]) -> str:
    halt = halting.halt
    if not _was_there(halting):
        return f"{symbol} {word} {scope(views, halt.scope)}, by {halt.by}"
    since = ago(views[0].as_of - halt.at) if views else "earlier"
    shown = PAUSED if halt.verb is Verb.PAUSE else HALTED
    state = _ALREADY[halt.verb]
    if halt.verb is Verb.FLATTEN and views and not holdings_of(views):
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
    if not held:
        return "nothing else; no position is open"
    bare = sum(h.plan.stop is None for h in held)
    stay, its = ("stays", "its") if len(held) == 1 else ("stay", "their")
    stops = f" with {its} protective {'stop' if len(held) == 1 else 'stops'}"
    if bare:
        stops = f", {bare} of them without a stop"
    return f"{plural(len(held), 'position')} {stay}{stops}; exits go on"


# -- flatten ------------------------------------------------------------------------------

_CLOSE_COLUMNS = (Column(right=False), Column(gap=1), Column(), Column())


def flatten_question(view: View) -> Reply:
    held = view.holdings
    if not held:
        waiting = len(entries(view.orders))
        resting = f"{count_entries(waiting)} would be cancelled" if waiting else "No entry rests"
        return Reply(
            f"{LOOK} Stop {whom(view.name, view.mode)}? Nothing is open",
            text=f"{resting}; entries stay blocked.",
            choices=(Choice("Cancel", CANCEL), Choice("Flatten", CONFIRM)),
            as_of=view.as_of,
        )
    return fitting(lambda rows: _flatten_question(view, rows), len(held))


def _flatten_question(view: View, rows: int) -> Reply:
    count = len(view.holdings)
    return Reply(
        f"{LOOK} Close all of {whom(view.name, view.mode)} at market?",
        table=a_table(_CLOSE_COLUMNS, _close_rows(view.holdings, rows)),
        text=f"{_worth(view)}\nProtective stops go once flat; entries stay blocked.",
        choices=(Choice("Cancel", CANCEL), Choice(f"Close {count} now", CONFIRM)),
        as_of=price_time(view, view.holdings),
    )


def _worth(view: View) -> str:
    value = total([_value(h) for h in view.holdings])
    profit = gain(total([h.profit for h in view.holdings]))
    if value is None:
        return f"Worth unknown: {stale_note(view)}; P&L {profit}."
    return f"About {amount(value, view.quote)}, P&L {profit}; prices {{age}}."


def _value(holding: Holding) -> Decimal | None:
    if holding.quote is None or holding.stale:
        return None
    return holding.position.notional(holding.quote.price)


def _close_rows(held: Sequence[Holding], rows: int) -> list[tuple[str, ...]]:
    shown = held if rows >= len(held) else held[: max(rows - 1, 0)]
    found: list[tuple[str, ...]] = [
        (
            base_and_side(h),
            by_step(abs(h.position.quantity), h.rules.lot),
            money(_value(h)),
            gain(h.profit),
        )
        for h in shown
    ]
    hidden = held[len(shown) :]
    if hidden:
        value = money(total([_value(h) for h in hidden]))
        found.append((f"{len(hidden)} more", "", value, gain(total([h.profit for h in hidden]))))
    return found


def flattening(halting: Halting, before: View, now: View) -> Reply:
    """The answer while the closes are under way; its story goes on by `HaltAdvanced`."""
    if not before.holdings:
        return stopped(halting, [now])
    if halting.flat:
        place = whom(before.name, before.mode)
        seconds = (now.as_of - halting.halt.at).total_seconds()
        return flat_reply(place, seconds, halting.closes, halting.halt.id)
    return fitting(lambda rows: _flattening(halting, before, now, rows), len(before.holdings))


def _flattening(halting: Halting, before: View, now: View, rows: int) -> Reply:
    left = {h.position.symbol for h in now.holdings}
    count = len(before.holdings)
    gone = sum(h.position.symbol not in left for h in before.holdings)
    reached = [r.stage for r in halting.halt.stages_of(before.name)]
    entries_done = "entries blocked" + (_sweep_note(halting.swept, reached))
    return Reply(
        f"{LOOK} Flattening {whom(before.name, before.mode)}: {gone} of {count} closed",
        table=a_table(_CLOSED_COLUMNS, _so_far(halting.closes, before, now)[:rows]),
        text="\n".join([
            f"Done: {entries_done}{_durable(halting)}.",
            *(_doubts(now) or ["Closing goes on until flat; the result is told here."]),
        ]),
        choices=(Choice("Status", "/status"), Choice("Halts", "/halts")),
        level=Level.CRITICAL,
        story=halting.halt.id,
    )  # fmt: skip


def _sweep_note(swept: Sequence[Swept], reached: Sequence[Stage]) -> str:
    if all(s.confirmed for s in swept) or Stage.CANCELS_CONFIRMED in reached:
        return f"; {cancelled(swept)}"
    return f"; {count_entries(sum(s.resting for s in swept))} may rest and fill, retrying"


def _doubts(view: View) -> list[str]:
    orders = unknown(view.orders)
    names = sorted({o.symbol.base for o in orders})
    if not names:
        return []
    if len(orders) > 1:
        has = "it may have been closed" if len(names) == 1 else "they may have been closed"
        return [f"{listed(names)}: no answer yet, {has}. Asking before resending."]
    (order,) = orders
    waited = took((view.as_of - order.created_at).total_seconds())
    did = "bought" if order.side is Side.BUY else "sold"
    stops = (h.plan.stop for h in view.holdings if h.position.symbol == order.symbol)
    stop = next((s for s in stops if s is not None), None)
    stays = f" Stop {exact(stop)} stays." if stop is not None else ""
    return [
        f"{names[0]}: no answer in {waited}, it may have {did}. Asking before resending.{stays}"
    ]


_CLOSED_COLUMNS = (Column(right=False), Column(), Column())


def _so_far(closes: Sequence[Trade], before: View, now: View) -> list[tuple[str, ...]]:
    """What was closed, at which price and with what result; then what is still to be."""
    left = {h.position.symbol for h in now.holdings}
    doubtful = {o.symbol for o in unknown(now.orders)}
    closed = {t.symbol: t for t in closes}
    done, open_still = [], []
    for symbol in (h.position.symbol for h in before.holdings):
        trade = closed.get(symbol)
        if trade is not None and symbol not in left:
            done.append((symbol.base, exact(trade.exit_price), gain(trade.profit)))
        elif symbol in left:
            open_still.append((symbol.base, "unknown" if symbol in doubtful else "open", ""))
    return [*done, *open_still]


# -- in place -----------------------------------------------------------------------------

LOOK_EVERY = 10.0
"""Seconds between two looks at how far the closes are; a stage of the halt is heard of at once."""
FOLLOWED_FOR = 3_600.0
"""Seconds; after that the stages are told by alerts."""

Look = Callable[[Halt], tuple[Reply, bool] | None]
"""How it reads now, and whether that is the end; None: nothing new is known."""


def _flatten_answer(ctx: Context, name: TraderName, halting: Halting, before: View) -> Reply:
    """How far it has come; where messages can be edited, the next stage takes its place."""

    def addressed(reply: Reply) -> Reply:
        return traders.addressed(ctx, name, reply, title=False)

    def look(halt: Halt) -> tuple[Reply, bool]:
        now, done = traders.view_of(ctx, name), ctx.services.desk.closing(name, halt)
        flat = _stage(halt, name, Stage.FLAT)
        if flat is not None:
            seconds = (flat.at - halt.at).total_seconds()
            place = whom(name, before.mode)
            return addressed(
                flat_reply(place, seconds, done.closes, halt.id, tries=done.tries, stops=done.stops)
            ), True
        dust = _stage(halt, name, Stage.FLAT_EXCEPT_DUST)
        if dust is not None:
            return addressed(_as_alerted(halt, now, dust, done.closes)), True
        so_far = replace(halting, halt=halt, closes=done.closes)
        return addressed(flattening(so_far, before, now)), False

    reply = addressed(flattening(halting, before, traders.view_of(ctx, name)))
    if not before.holdings:
        return _followed_stop(ctx, reply, halting)
    return reply if halting.flat else _followed(ctx, reply, halting.halt, [name], look)


def _followed_stop(ctx: Context, reply: Reply, halting: Halting) -> Reply:
    """A stop that is not confirmed yet: the last stage takes the answer's place."""
    names = [s.trader for s in halting.swept]

    def look(halt: Halt) -> tuple[Reply, bool] | None:
        views = [ctx.services.desk.traders[name].view() for name in names]
        stages = [_stage(halt, name, Stage.CANCELS_CONFIRMED) for name in names]
        reached = [stage for stage in stages if stage is not None]
        if len(reached) < len(names):
            return None
        if len(names) > 1:
            return _all_confirmed(halt, views, reached), True
        told = _as_alerted(halt, views[0], reached[0])
        return traders.addressed(ctx, names[0], told, title=False), True

    if all(s.confirmed for s in halting.swept):
        return reply
    return _followed(ctx, reply, halting.halt, names, look)


def _followed(ctx: Context, reply: Reply, halt: Halt, names: Sequence[str], look: Look) -> Reply:
    """*reply*, and in its place whatever *look* finds next, until it is the end."""
    if not ctx.caller.edits:
        return reply
    services, stories = ctx.services, tuple(story_of(halt, name) for name in names)
    until = services.clock.monotonic() + FOLLOWED_FOR
    services.stories.follow(ctx.caller.chat, stories)
    return _Follower(services, ctx.caller.chat, halt.id, stories, look, until).going_on(reply)


@dataclass(frozen=True, slots=True)
class _Follower:
    """Edits the stages of one halt into the message that answered it."""

    services: Services
    chat: str
    halt_id: str
    stories: tuple[str, ...]
    look: Look
    until: float
    """Monotonic."""

    def going_on(self, reply: Reply) -> Reply:
        return replace(reply, then=lambda: self._next_after(reply))

    async def _next_after(self, shown: Reply) -> Reply | None:
        clock, desk = self.services.clock, self.services.desk
        while clock.monotonic() < self.until:
            news, halt = desk.news, desk.latch.get(self.halt_id)
            if halt is None or halt.lifted_at is not None:
                break
            reply, is_last = self.look(halt) or (shown, False)
            if is_last:
                return replace(reply, then=self._last_shown)
            if reply != shown:
                return self.going_on(reply)
            await either(clock, LOOK_EVERY, news)
        return self._ended()

    async def _last_shown(self) -> None:
        """Asked for what follows the last stage: so that one stands in the message."""
        self.services.stories.shown(self.chat, self.stories)

    def _ended(self) -> Reply | None:
        self.services.stories.leave(self.chat, self.stories)
        halt = self.services.desk.latch.get(self.halt_id)
        return None if halt is None or halt.lifted_at is None else _lifted(halt)


def story_of(halt: Halt, trader: str) -> str:
    """One message per halt; per trader where a halt covers several of them."""
    return halt.id if trader == halt.scope else f"{halt.id} {trader}"


def _stage(halt: Halt, trader: str, stage: Stage) -> Reached | None:
    return next((r for r in halt.stages_of(trader) if r.stage is stage), None)


def _as_alerted(halt: Halt, view: View, reached: Reached, closes: Sequence[Trade] = ()) -> Reply:
    """In the words in which the other chats hear of it."""
    event = HaltAdvanced(
        at=reached.at,
        trader=view.name,
        mode=view.mode,
        halt=halt,
        reached=reached,
        left_open=tuple(h.position.symbol for h in view.holdings),
        closes=tuple(closes),
    )
    return describe(event) or _lifted(halt)


def _all_confirmed(halt: Halt, views: Sequence[View], reached: Sequence[Reached]) -> Reply:
    seconds = (max(r.at for r in reached) - halt.at).total_seconds()
    rows = [
        (clock_time(stage.at), clipped(f"{view.name} {stage.note or 'nothing rested'}", 22))
        for view, stage in zip(views, reached, strict=True)
    ]
    return Reply(
        f"{HALTED} Stopped {scope(views, halt.scope)}, confirmed in {took(seconds)}",
        table=a_table((Column("UTC", right=False), Column("cancels", right=False)), rows[-7:]),
        text=f"Not done: {kept(views)}.",
        choices=_after_stop(views),
        level=Level.NOTICE,
        story=halt.id,
    )


def _lifted(halt: Halt) -> Reply:
    return Reply(
        f"{DONE} Lifted {halt.id}, by {halt.lifted_by}",
        text=f"It was made by {person(halt.by)}, and lifted before it was carried out.",
        choices=(Choice("Status", "/status"), Choice("Stop", "/stop")),
        level=Level.NOTICE,
        story=halt.id,
    )


# -- shared with alerts -------------------------------------------------------------------


def flat_reply(  # the last three are known to who followed it
    place: str,
    seconds: float,
    closes: Sequence[Trade],
    story: str,
    *,
    tries: Mapping[Symbol, int] = _NO_TRIES,
    stops: int | None = None,
) -> Reply:
    """`✓ Flat: majors (paper), confirmed in 23 s`, with what was closed and its sum."""
    rows: list[tuple[str, ...]] = [
        (t.symbol.base, exact(t.exit_price), gain(t.profit), _tried(tries.get(t.symbol, 1)))
        for t in closes[:TABLE_ROWS]
    ]
    columns: tuple[Column, ...] = (*_CLOSED_COLUMNS, Column(right=False))
    if not any(row[-1] for row in rows):
        rows, columns = [row[:-1] for row in rows], _CLOSED_COLUMNS
    done = f"{_result(closes)} after fees" if closes else "flat"
    gone = "protective stops" if stops is None else plural(stops, "stop")
    return Reply(
        f"{DONE} Flat: {place}, confirmed in {took(seconds)}",
        table=a_table(columns, rows),
        text=f"Done: {done}; {gone} cancelled.\nNot done: entries stay blocked until /resume.",
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
