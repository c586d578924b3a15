"""Lifting halts.  Only a person does; what would be lifted is shown first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from handlers import traders
from handlers.caller import Role
from handlers.command import EVERY_HALT, HaltId, TraderName, Traders, command
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context
from handlers.format import ago, listed, plural
from handlers.meaning import BUTTONS, BadUsage
from handlers.reply import Choice, Reply, offer
from handlers.texts.phrases import (
    clipped,
    person,
    scope,
    why,
)
from handlers.texts.resume import (
    fresh,
    halts_reply,
    next_entries,
    not_halted,
    not_lifted,
    now_line,
    resumed,
    room_line,
    still_halted,
)
from trading.accounts.views import View
from trading.errors import Refused
from trading.model.halt import EVERYONE, Halt


@command(role=Role.OPERATOR, family="Stop", rank=50, loosens=True, example="H17")
async def resume(
    ctx: Context,
    halt: HaltId | None = None,
    rebase: Literal["rebase"] | None = None,
    *,
    trader: Traders | None = None,
) -> Reply:
    """Lift a halt, or all that hold a trader back; shows them and asks first.

    `/resume all` lifts every halt of every trader.
    halt: which one, as in H17, or all; all of the trader's if left out
    rebase: an owner lets a guard measure afresh from now
    """
    desk = ctx.services.desk
    halts = _meant(ctx, halt, trader)
    covered = _covered(ctx, halts)
    if not halts:
        return not_halted(traders.seen(ctx.services, trader or desk.traders).views)
    if rebase:
        _check_rebase(ctx, halts)
    else:
        refused = {h.id: why_not for h in halts if (why_not := desk.resume_refusal(h))}
        if refused:
            ends = min(v.day_ends_in for v in covered) if covered else None
            return still_halted(halts, refused, ends)
    ids = [h.id for h in halts]
    known = {halt_id: desk.latch.asked_again(halt_id) for halt_id in ids}

    async def act() -> Reply:
        for halt_id in ids:
            since = desk.latch.asked_again(halt_id)[len(known[halt_id]) :]
            if since:
                raise Refused(
                    f"Still halted: {person(since[-1])} stopped again since you were asked"
                )
        lifted = await desk.resume(
            ids, by=ctx.caller.signature, rebase=rebase is not None, origin=ctx.caller.chat
        )
        return resumed(lifted, _covered(ctx, lifted), ctx.caller.signature)

    question = resume_question(halts, covered, rebase=rebase is not None)
    return ctx.services.confirmations.ask(ctx.caller, ctx.message.text, question, act)


@command(family="Look", rank=60)
async def halts(ctx: Context, *, trader: TraderName | None = None) -> Reply:
    """Which halts hold trading back, by whom, why, and how far they are."""
    found = [h for h in ctx.services.desk.latch.active if trader is None or h.covers(trader)]
    names = [trader] if trader else list(ctx.services.desk.traders)
    return halts_reply(found, [ctx.services.desk.views(name).view() for name in names])


# -- which --------------------------------------------------------------------------------


def _covered(ctx: Context, halts: Sequence[Halt]) -> list[View]:
    names = ctx.services.desk.traders
    return list(
        traders.seen(ctx.services, (n for n in names if any(h.covers(n) for h in halts))).views
    )


def _meant(ctx: Context, halt_id: HaltId | None, trader: Traders | None) -> list[Halt]:
    latch, names = ctx.services.desk.latch, list(ctx.services.desk.traders)
    if halt_id is not None and halt_id != EVERY_HALT:
        return [not_lifted(latch.get(halt_id), halt_id)]
    if trader is None and (halt_id is not None or len(names) == 1):
        trader = Traders(tuple(names))
    active = sorted(latch.active, key=lambda h: h.at)
    if trader is not None:
        return [h for h in active if len(trader) == len(names) or any(map(h.covers, trader))]
    if len({h.scope for h in active}) > 1:
        each = (
            c for h in active[: BUTTONS - 1] for c in offer(f"{h.id} {h.scope}", f"/resume {h.id}")
        )
        raise BadUsage(
            f"Which halt: {listed([h.id for h in active], 'or')}?",
            (*each, Choice(f"All {len(active)}", "/resume all")),
            usage=False,
        )
    return active


def _check_rebase(ctx: Context, found: Sequence[Halt]) -> None:
    if ctx.caller.role < Role.OWNER:
        raise Refused(f"/resume rebase needs owner, you are {ctx.caller.role.name.lower()}")
    manual = [h.id for h in found if not h.guard]
    if manual:
        raise Refused(f"No guard made {listed(manual)}, so there is nothing to measure afresh")


def resume_question(found: Sequence[Halt], views: Sequence[View], *, rebase: bool) -> Reply:
    """*found* are the halts to be lifted, oldest first; *views* the traders they cover."""
    oldest = found[0]
    since = ago(views[0].as_of - oldest.at) if views else "earlier"
    everyone = any(h.scope == EVERYONE for h in found)
    place = scope(views, EVERYONE if everyone else oldest.scope)
    lines = [f"Why: {clipped(why(found), 120)}."] if why(found) else []
    if len(found) > 1:
        lines.insert(0, f"Lifts {listed([h.id for h in found])}.")
    if len(views) == 1:
        view = views[0]
        staying = [h for h in view.halts if h.id not in {f.id for f in found}]
        lines += [now_line(view), fresh(view, found) if rebase else room_line(view)]
        lines.append(next_entries(view, staying))
    else:
        count = sum(len(v.holdings) for v in views)
        lines.append(f"Now: {plural(count, 'position')} open. Nothing is reopened.")
    return Reply(
        f"Resume {place}? Halted {since} by {person(oldest.by)}",
        text="\n".join(lines),
        choices=(Choice("Keep halted", CANCEL), Choice("Resume", CONFIRM)),
        as_of=views[0].as_of if views else None,
    )
