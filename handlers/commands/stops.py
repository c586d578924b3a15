"""The verbs that tighten: pause, stop, flatten.  Each answer says what was done and what was not.

`/pause` and `/stop` take anything that follows as their reason and can therefore not be mistyped;
whom they are meant for is understood on the safe side: in doubt, everyone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from handlers import traders
from handlers.caller import Role
from handlers.command import Rest, TraderName, Traders, command
from handlers.commands.flattening import flatten_question
from handlers.commands.flattening_all import flatten_all_question
from handlers.commands.followed import flatten_all_answer, flatten_answer, followed_stop
from handlers.context import Context
from handlers.format import listed
from handlers.line import bare
from handlers.meaning import BadUsage
from handlers.reply import Choice, Reply, offer
from handlers.texts.phrases import clipped
from handlers.texts.stopped import paused, stopped
from trading.accounts.views import Halting, View
from trading.model.halt import EVERYONE

NOTHING = Rest("")
REASON_LIMIT = 200
"""Characters of a reason that are kept."""


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
    return followed_stop(ctx, reply, halting)


@command(role=Role.OPERATOR, family="Stop", rank=30, acts=True, example="all")
async def flatten(ctx: Context, trader: Traders | None = None) -> Reply:
    """Stop, then close every position at market until flat; asks first.

    trader: which trader, or all, where there are several
    """
    names = list(ctx.services.desk.traders)
    meant = trader or Traders(tuple(names))
    if trader is None and len(names) > 1:
        raise _whom_to_flatten(names)
    if len(meant) > 1:
        return _flatten_all(ctx, meant)
    (name,) = meant
    question = flatten_question(traders.view_of(ctx, TraderName(name)))

    async def act() -> Reply:
        before = traders.view_of(ctx, TraderName(name))
        halting = await _flattened(ctx, name)
        return flatten_answer(ctx, TraderName(name), halting, before)

    return ctx.services.confirmations.ask(ctx.caller, ctx.message.text, question, act)


def _flatten_all(ctx: Context, names: Sequence[str]) -> Reply:
    """One question and one halt for all; who cannot be described is flattened with the others."""

    async def act() -> Reply:
        before = traders.seen(ctx.services, names)
        return flatten_all_answer(ctx, await _flattened(ctx, EVERYONE), before)

    question = flatten_all_question(traders.seen(ctx.services, names))
    return ctx.services.confirmations.ask(ctx.caller, ctx.message.text, question, act)


async def _flattened(ctx: Context, scope: str) -> Halting:
    by = ctx.caller.signature
    return await ctx.services.desk.flatten(scope, by=by, why="/flatten", origin=ctx.caller.chat)


def _whom_to_flatten(names: Sequence[str]) -> BadUsage:
    every = Choice(f"All {len(names)}", f"/flatten {EVERYONE}")
    each = (c for name in names for c in offer(name, f"/flatten trader={name}"))
    return BadUsage(
        f"Which trader: {listed([EVERYONE, *names], 'or')}?", (every, *each), usage=False
    )


def target_of(names: Sequence[str], trader: str, reason: str, typed: str) -> Target:
    """Understand whom a pause or stop is for; in doubt everyone.

    Never refuses: a name may be given as `trader=NAME`, as the first word, or not at all.
    """
    first, _, rest = reason.partition(" ")
    wanted, why = (trader, reason) if trader else (first, rest)
    everyone = names[0] if len(names) == 1 else EVERYONE
    why, given = clipped(why, REASON_LIMIT), clipped(reason, REASON_LIMIT)
    if bare(wanted) in (EVERYONE, f"{EVERYONE}s"):
        return Target(everyone, why or typed)
    for name in names:
        if name.lower() in (wanted.lower(), bare(wanted)):
            return Target(name, why or typed)
    return Target(everyone, given or typed, _note(names, trader, first, given))


def _note(names: Sequence[str], trader: str, first: str, reason: str) -> str:
    """What was taken for what, where it could have been meant otherwise."""
    all_of_them = f"All means {listed(list(names))}." if len(names) > 1 else ""
    asked = trader or (first if get_close_matches(bare(first)[:20], names, 1) else "")
    if asked:
        return f"There is no trader {clipped(bare(asked), 20)}: so all. {all_of_them}".strip()
    kept = f"Reason: {clipped(reason, 40)}" if reason else ""
    return " ".join(filter(None, [all_of_them, kept]))


def _told(ctx: Context, target: Target, tell: Callable[[list[View]], Reply]) -> Reply:
    """The act is done; that it cannot be described must not make it look as if it were not."""
    services = ctx.services
    covered = [t for t in services.desk.traders.values() if target.scope in (EVERYONE, t.name)]
    views = list(traders.seen(services, [t.name for t in covered]).views)
    reply = tell(views if len(views) == len(covered) else [])
    if len(covered) == 1:
        return traders.addressed(ctx, covered[0].name, reply, title=False)
    return reply
