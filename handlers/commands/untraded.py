"""What is held and nobody trades: what is said of it, and booking it out, an owner's decision."""

from __future__ import annotations

from decimal import Decimal

from handlers import traders
from handlers.caller import Role
from handlers.command import TraderName, command
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context
from handlers.format import amount, by_lot, by_step, gained
from handlers.meaning import BadUsage
from handlers.reply import Choice, Level, Reply
from handlers.texts.phrases import DONE, LOOK, base_and_side, mode, sentence, what_to_do
from handlers.texts.positions import check_unchanged, holding_of
from trading.accounts.views import HoldingView, View
from trading.types import ZERO, Symbol, Trade


@command(
    role=Role.OWNER, family="Trade", rank=70, acts=True, loosens=True, example="SYMBOL", held=True
)
async def write_off(ctx: Context, symbol: Symbol, *, trader: TraderName) -> Reply:
    """Book out what is held and nobody trades any more, at nothing; asks first.

    Nothing is sold: coins stay where they are, yours alone from then on.
    symbol: as in BTC
    """
    if not await ctx.services.desk.traders[trader].untraded(symbol):
        holding_of(traders.view_of(ctx, trader), symbol)
        close = Choice("Close", f"/close {symbol.base}")
        raise BadUsage(f"{symbol.base} is traded: /close sells it", (close,), usage=False)
    manual = ctx.services.desk.manual(trader)
    await manual.look_aside()
    view = traders.view_of(ctx, trader)
    holding = holding_of(view, symbol)
    if not view.writes_off:
        raise BadUsage(what_to_do(view, holding), usage=False)

    async def act() -> Reply:
        now = traders.view_of(ctx, trader)
        check_unchanged(holding, holding_of(now, symbol))
        by, origin = ctx.caller.signature, ctx.caller.chat
        trade = await manual.write_off(symbol, by=by, origin=origin)
        reply = written_off_reply(traders.view_of(ctx, trader), holding, trade)
        return traders.addressed(ctx, trader, reply, title=False)

    question = traders.addressed(ctx, trader, write_off_question(view, holding))
    return ctx.services.confirmations.ask(ctx.caller, ctx.message.text, question, act)


def write_off_question(view: View, holding: HoldingView) -> Reply:
    size = by_lot(abs(holding.position.quantity), holding.rules.lot)
    base, paid = holding.position.symbol.base, amount(_cost(holding), view.quote)
    result = gained(holding.position.ends_at(ZERO), view.quote)
    entry = by_step(holding.position.average_price, holding.rules.tick)
    return Reply(
        f"{LOOK} Write off all {size} {base} {mode(view.mode)}?",
        text=f"{sentence(holding.untraded)}\nPaid {paid}, {entry} each. It is booked out at "
        f"nothing: {result} after fees. Equity, day and drawdown stay: they count it at 0 already."
        "\nNothing is sold. What is traded again later is yours, and not the desk's.",
        choices=(Choice("Cancel", CANCEL), Choice(f"Write off {base}"[:20], CONFIRM)),
        as_of=view.as_of,
    )


def _cost(holding: HoldingView) -> Decimal:
    return abs(holding.position.quantity) * holding.position.average_price


def written_off_reply(view: View, before: HoldingView, trade: Trade) -> Reply:
    size = by_lot(abs(before.position.quantity), before.rules.lot)
    base = before.position.symbol.base
    return Reply(
        f"{DONE} Wrote off {size} {base} {mode(view.mode)}, {gained(trade.profit, view.quote)}",
        text=f"Done: {base_and_side(before)} is out of the books. Not done: nothing was sold, and "
        "day, week and drawdown are measured without it, as before.",
        choices=(Choice("Trades", "/trades"), Choice("Status", "/status")),
        level=Level.NOTICE,
    )
