"""The desk itself: greeting, version, and ending the process."""

from __future__ import annotations

from collections.abc import Sequence

from handlers import traders
from handlers.caller import Caller, Role
from handlers.command import command
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context
from handlers.format import listed, plural
from handlers.reply import Choice, Level, Reply
from handlers.texts.phrases import (
    LOOK,
    WAIT,
    count_entries,
    entries,
    holdings_of,
    modes,
    orders_of,
    whom,
)
from trading.accounts.views import View
from trading.model.halt import Verb
from trading.types import Mode


@command(family="Talk", rank=10)
async def start(ctx: Context) -> Reply:
    """Who you are here, and whether trading is on. Starts nothing."""
    return greeting(ctx.services.name, ctx.caller, traders.views(ctx.services))


@command(family="Desk", rank=20)
async def version(ctx: Context) -> Reply:
    """Which version runs, and which traders."""
    names = [whom(v.name, v.mode) for v in traders.views(ctx.services)]
    return Reply(
        f'Quarterdeck {ctx.services.version} "{ctx.services.name}"',
        text=f"Traders: {listed(names)}." if names else "No trader yet.",
        choices=(Choice("Status", "/status"),),
    )


@command(role=Role.OWNER, family="Desk", rank=30, acts=True)
async def shutdown(ctx: Context) -> Reply:
    """Cancel entries, then end the process; positions stay. Asks first."""

    async def act() -> Reply:
        views = traders.views(ctx.services)
        ctx.services.desk.shutdown(by=ctx.caller.signature)
        return ending(views, ctx.caller.signature)

    question = shutdown_question(traders.views(ctx.services))
    return ctx.services.confirmations.ask(ctx.caller, ctx.message.text, question, act)


def greeting(name: str, caller: Caller, views: Sequence[View]) -> Reply:
    return Reply(
        f'Quarterdeck "{name}" {modes(views)}'.rstrip(),
        text=f"You are {caller.name}, {caller.role.name.lower()}. "
        f"Trading is {_state(views)}; /start starts nothing.",
        choices=(
            Choice("Status", "/status"),
            Choice("Positions", "/positions"),
            Choice("Help", "/help"),
            Choice("Stop", "/stop"),
        ),
    )


def _state(views: Sequence[View]) -> str:
    halted = [v for v in views if v.halt]
    if not views or not all(v.ready for v in views):
        return "starting"
    if not halted:
        return "on"
    if len(halted) < len(views):
        return f"halted for {listed([v.name for v in halted])}"
    paused = all(v.halt is not None and v.halt.verb is Verb.PAUSE for v in halted)
    return "paused" if paused else "halted"


def shutdown_question(views: Sequence[View]) -> Reply:
    held, waiting = holdings_of(views), len(entries(orders_of(views)))
    stay = f"{plural(len(held), 'position')} {'stays' if len(held) == 1 else 'stay'} open"
    first = f"First {count_entries(waiting)} {'is' if waiting == 1 else 'are'} cancelled. "
    return Reply(
        f"{LOOK} End the process? {stay if held else 'No position is open'} {modes(views)}",
        text=f"{first if waiting else ''}{_while_down(views)}",
        choices=(
            Choice("Cancel", CANCEL),
            Choice("Stop first", "/stop"),
            Choice("Shut down", CONFIRM),
        ),
        level=Level.NOTICE,
    )


def _while_down(views: Sequence[View]) -> str:
    stops = sum(h.stop_on_venue for h in holdings_of(views))
    bare = [h.position.symbol.base for h in holdings_of(views) if not h.stop_on_venue]
    unwatched = f" Unprotected while down: {listed(bare)}." if bare else ""
    count = plural(stops, "stop")
    if any(v.mode is Mode.LIVE for v in views):
        return f"{_stay_there(views, stops)}{unwatched}"
    are = "is" if stops == 1 else "are"
    quiet = f"{count} {are} kept; paper fills nothing until the next start."
    return f"{quiet}{unwatched} Chats go silent."


def _stay_there(views: Sequence[View], stops: int) -> str:
    """What goes on at a real venue, and what waits."""
    targets = sum(h.target_on_venue for h in holdings_of(views))
    stay = "stays" if stops + targets == 1 else "stay"
    kept = [plural(stops, "stop"), *([plural(targets, "target")] if targets else [])]
    waiting = any(h.plan.target and not h.target_on_venue for h in holdings_of(views))
    rest = "targets and trailing wait" if waiting or not targets else "trailing waits"
    return f"{listed(kept)} {stay} on the venue; {rest}, unwatched."


def ending(views: Sequence[View], by: str) -> Reply:
    held = len(holdings_of(views))
    stay = f"{plural(held, 'position')} {'stays' if held == 1 else 'stay'} open"
    return Reply(
        f"{WAIT} Shutting down {modes(views)}, by {by}",
        text=f"Done: the process was asked to end.\n"
        f"Not done: {stay if held else 'no position was open'}.",
        level=Level.NOTICE,
    )
