"""Taking over what the venue has where nothing explains or proves it: an owner's decision."""

from __future__ import annotations

from handlers import traders
from handlers.caller import Role
from handlers.command import TraderName, command
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context
from handlers.format import gained, money
from handlers.reply import Choice, Level, Reply
from handlers.texts.phrases import DONE, LOOK, sentence, whom
from trading.accounts.views import Gap, View


@command(role=Role.OWNER, family="Desk", rank=85, acts=True, loosens=True)
async def accept_books(ctx: Context, *, trader: TraderName) -> Reply:
    """Take over what our books and the venue's differ in, where nothing proves it; asks first.

    The venue's wallet becomes ours; orders with our tag that prove nothing become a stranger's.
    Entries wait, and nothing is called flat, while the books differ.
    """
    acceptance = ctx.services.desk.acceptance(trader)
    gap = await acceptance.gap()

    async def act() -> Reply:
        by, origin = ctx.caller.signature, ctx.caller.chat
        accepted = await acceptance.accept(gap, by=by, origin=origin)
        return accepted_reply(traders.view_of(ctx, trader), accepted)

    question = accept_question(traders.view_of(ctx, trader), gap)
    return ctx.services.confirmations.ask(ctx.caller, ctx.message.text, question, act)


def accept_question(view: View, gap: Gap) -> Reply:
    lines = []
    if gap.amount:
        lines.append(
            f"Venue {money(gap.venue)}, ours {money(gap.ours)}: "
            f"{gained(gap.amount, view.quote)} that no trade explains. Day, week and drawdown will "
            "be measured without it."
        )
    lines += map(sentence, gap.unproven)
    if gap.unproven:
        lines.append("It will be a stranger's: the desk will not watch, move, cancel or close it.")
    what = "books" if gap.unproven else "wallet"
    return Reply(
        f"{LOOK} Accept the venue's {what}: {whom(view.name, view.mode)}?",
        text="\n".join([*lines, "Entries are allowed again."]),
        choices=(Choice("Cancel", CANCEL), Choice("Accept", CONFIRM)),
    )


def accepted_reply(view: View, gap: Gap) -> Reply:
    rest = f" Not done: entries wait, {view.rest}." if view.rest else ""
    halted = " Not done: it stays halted." if view.halt else ""
    done = []
    if gap.amount:
        worth = gained(gap.amount, view.quote)
        done.append(f"ours is {money(gap.venue)} too, {worth}; no trade shows it")
    if gap.unproven:
        count = len(gap.unproven)
        done.append(f"{count} order{'s' if count > 1 else ''} with our tag left to you")
    what = "books" if gap.unproven else "wallet"
    return Reply(
        f"{DONE} Venue's {what} accepted: {whom(view.name, view.mode)}",
        text=f"Done: {'; '.join(done)}.{rest}{halted} Nothing was sent.",
        choices=(Choice("Balance", "/balance"), Choice("Status", "/status")),
        level=Level.NOTICE,
    )
