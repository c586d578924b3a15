"""Stages of a halt that stand, one after the other, in the message that answered it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from handlers import traders
from handlers.command import TraderName
from handlers.commands.flattening_all import flattening_all
from handlers.context import Context, Services
from handlers.format import clock_time, took
from handlers.reply import Choice, Column, Level, Reply
from handlers.texts.describe import describe
from handlers.texts.flattening import flattening
from handlers.texts.phrases import DONE, HALTED, clipped, person, scope, whom
from handlers.texts.screen import a_table
from handlers.texts.stopped import after_stop, flat_reply, left_alone, stopped
from trading.accounts.views import Halting, View
from trading.common.tasks import set_within
from trading.events import HaltAdvanced
from trading.model.halt import Halt, Reached, Stage
from trading.types import Trade

LOOK_EVERY = 10.0
"""Seconds between two looks at how far the closes are; a stage of the halt is heard of at once."""
FOLLOWED_FOR = 3_600.0
"""Seconds; after that the stages are told by alerts."""
HaltReading = Callable[[Halt], tuple[Reply, bool] | None]
"""How it reads now, and whether that is the end; None: nothing new is known."""


def flatten_answer(ctx: Context, name: TraderName, halting: Halting, before: View) -> Reply:
    """How far it has come; where messages can be edited, the next stage takes its place."""

    def addressed(reply: Reply) -> Reply:
        return traders.addressed(ctx, name, reply, title=False)

    def look(halt: Halt) -> tuple[Reply, bool]:
        now, done = traders.view_of(ctx, name), ctx.services.desk.closing(name, halt)
        flat = _stage(halt, name, Stage.FLAT) or _stage(halt, name, Stage.FLAT_EXCEPT_DUST)
        if flat is not None:
            seconds = (flat.at - halt.since(name)).total_seconds()
            place = whom(name, before.mode)
            ended = flat_reply(
                place, seconds, done.closes, halt.id, tries=done.tries, stops=done.stops,
                dust=flat.note,
            )  # fmt: skip
            return addressed(ended), True
        so_far = replace(halting, halt=halt, closes=done.closes)
        return addressed(flattening(so_far, before, now)), False

    reply = addressed(flattening(halting, before, traders.view_of(ctx, name)))
    if not before.holdings:
        return followed_stop(ctx, reply, halting)
    return reply if halting.flat else _followed(ctx, reply, halting.halt, [name], look)


def flatten_all_answer(ctx: Context, halting: Halting, before: traders.SeenTraders) -> Reply:
    """The same for all traders, in one message; whoever cannot be described is told as that."""
    desk, names = ctx.services.desk, [s.trader for s in halting.swept]

    def look(halt: Halt) -> tuple[Reply, bool]:
        done = {name: desk.closing(name, halt) for name in names}
        closes = {name: each.closes for name, each in done.items()}
        stops = sum(each.stops for each in done.values())
        now = traders.seen(ctx.services, names)
        return flattening_all(halting, halt, closes, before, now, stops)

    if not before.broken and not any(v.holdings for v in before.views):
        return followed_stop(ctx, stopped(halting, before.views), halting)
    reply, is_flat = look(desk.latch.get(halting.halt.id) or halting.halt)
    return reply if is_flat else _followed(ctx, reply, halting.halt, names, look)


def followed_stop(ctx: Context, reply: Reply, halting: Halting) -> Reply:
    """A stop that is not confirmed yet: the last stage takes the answer's place."""
    names = [s.trader for s in halting.swept]

    def look(halt: Halt) -> tuple[Reply, bool] | None:
        views = traders.seen(ctx.services, names).views
        stages = [_stage(halt, name, Stage.CANCELS_CONFIRMED) for name in names]
        reached = [stage for stage in stages if stage is not None]
        if len(reached) < len(names):
            return None
        if len(names) > 1 or not views:
            return _all_confirmed(halt, names, views, reached), True
        told = _as_alerted(halt, views[0], reached[0])
        return traders.addressed(ctx, names[0], told, title=False), True

    if all(s.confirmed for s in halting.swept):
        return reply
    return _followed(ctx, reply, halting.halt, names, look)


def _followed(
    ctx: Context, reply: Reply, halt: Halt, names: Sequence[str], look: HaltReading
) -> Reply:
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
    look: HaltReading
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
            await set_within(clock, LOOK_EVERY, news)
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


def _all_confirmed(
    halt: Halt, names: Sequence[str], views: Sequence[View], reached: Sequence[Reached]
) -> Reply:
    whole = views if len(views) == len(names) else ()
    waits = (r.at - halt.since(name) for name, r in zip(names, reached, strict=True))
    seconds = max(waits).total_seconds()
    beside = {h.id: h for v in whole for h in v.halts if h.verb > halt.verb}
    rows = [
        (clock_time(stage.at), clipped(f"{name} {stage.note or 'nothing rested'}", 22))
        for name, stage in zip(names, reached, strict=True)
    ]
    return Reply(
        f"{HALTED} Stopped {scope(whole, halt.scope)}, confirmed in {took(seconds)}",
        table=a_table((Column("UTC", right=False), Column("cancels", right=False)), rows[-7:]),
        text=f"Not done: {left_alone([*beside.values()], whole)}.",
        choices=after_stop(whole, halt.scope),
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
