"""Taking over the venue's figures where nothing explains the difference: an owner's decision."""

from __future__ import annotations

from handlers import traders
from handlers.caller import Role
from handlers.command import TraderName, command
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context
from handlers.format import gained, money
from handlers.reply import Choice, Level, Reply
from handlers.words import DONE, LOOK, whom
from trading.views import Gap, View


@command(role=Role.OWNER, family="Desk", rank=85, acts=True, loosens=True)
async def accept_books(ctx: Context, *, trader: TraderName) -> Reply:
    """Take over the venue's wallet where no trade explains the difference; asks first.

    Entries wait while the two differ. Day, week and drawdown are then measured without it.
    """
    desk_trader = ctx.services.desk.traders[trader]
    gap = await desk_trader.books.gap()

    async def act() -> Reply:
        by, origin = ctx.caller.signature, ctx.caller.chat
        accepted = await desk_trader.books.accept(gap, by=by, origin=origin)
        return accepted_reply(traders.view_of(ctx, trader), accepted)

    question = accept_question(traders.view_of(ctx, trader), gap)
    return ctx.services.confirmations.ask(ctx.caller, ctx.message.text, question, act)


def accept_question(view: View, gap: Gap) -> Reply:
    return Reply(
        f"{LOOK} Accept the venue's wallet: {whom(view.name, view.mode)}?",
        text=f"Venue {money(gap.venue)}, ours {money(gap.ours)}: "
        f"{gained(gap.amount, view.quote)} that no trade explains.\n"
        "Day, week and drawdown will be measured without it; entries are allowed again.",
        choices=(Choice("Cancel", CANCEL), Choice("Accept", CONFIRM)),
    )


def accepted_reply(view: View, gap: Gap) -> Reply:
    rest = f" Not done: entries wait, {view.rest}." if view.rest else ""
    halted = " Not done: it stays halted." if view.halt else ""
    return Reply(
        f"{DONE} Venue's wallet accepted: {whom(view.name, view.mode)}",
        text=f"Done: ours is {money(gap.venue)} too, {gained(gap.amount, view.quote)}; no trade "
        f"shows it.{rest}{halted} Nothing was sent.",
        choices=(Choice("Balance", "/balance"), Choice("Status", "/status")),
        level=Level.NOTICE,
    )
