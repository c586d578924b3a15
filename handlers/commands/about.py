"""The desk itself: greeting, version, and ending the process."""

from __future__ import annotations

from collections.abc import Sequence

from handlers import traders
from handlers.caller import Role
from handlers.command import command
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context
from handlers.format import listed, plural
from handlers.reply import Choice, Level, Reply
from handlers.texts.about import ending, greeting, while_down
from handlers.texts.phrases import (
    LOOK,
    count_entries,
    entries,
    holdings_of,
    modes,
    orders_of,
    whom,
)
from trading.accounts.views import View


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


def shutdown_question(views: Sequence[View]) -> Reply:
    held, waiting = holdings_of(views), len(entries(orders_of(views)))
    stay = f"{plural(len(held), 'position')} {'stays' if len(held) == 1 else 'stay'} open"
    first = f"First {count_entries(waiting)} {'is' if waiting == 1 else 'are'} cancelled. "
    return Reply(
        f"{LOOK} End the process? {stay if held else 'No position is open'} {modes(views)}",
        text=f"{first if waiting else ''}{while_down(views)}",
        choices=(
            Choice("Cancel", CANCEL),
            Choice("Stop first", "/stop"),
            Choice("Shut down", CONFIRM),
        ),
        level=Level.NOTICE,
    )
