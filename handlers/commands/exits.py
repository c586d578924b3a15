"""Moving the stop and the target of a position.  What tightens is done at once, the rest asked."""

from __future__ import annotations

from decimal import Decimal

from handlers import traders
from handlers.access import require_fresh
from handlers.caller import Role
from handlers.command import Price, TraderName, command
from handlers.confirmations import CANCEL, CONFIRM
from handlers.context import Context
from handlers.format import by_step, exact, gained, percent
from handlers.meaning import BadUsage
from handlers.reply import Choice, Level, Reply
from handlers.texts.guarded import holding_in, lacking
from handlers.texts.phrases import DONE, LOOK, base_and_side, mode, price_time
from handlers.texts.positions import check_unchanged, holding_of, price_of
from trading.accounts.views import HoldingView, View
from trading.errors import Refused
from trading.types import Symbol


@command(role=Role.OPERATOR, family="Trade", rank=30, acts=True, example="SYMBOL 120.50", held=True)
async def stop_loss(ctx: Context, symbol: Symbol, price: Price, *, trader: TraderName) -> Reply:
    """Move the stop of a position; nearer at once, farther asks first.

    symbol: as in BTC
    price: where it is to stand
    """
    holding = holding_of(traders.view_of(ctx, trader), symbol)
    await traders.require_traded(ctx, trader, symbol)
    _check_step(holding, price)
    _check_not_there(holding, "stop", holding.plan.stop, price)
    _check_stop_side(holding, price)
    if _tightens(holding, price):
        return await _move_stop(ctx, holding, price, trader)
    require_fresh("stop_loss", ctx.message, ctx.services.clock.now())

    async def act() -> Reply:
        now = holding_of(traders.view_of(ctx, trader), symbol)
        check_unchanged(holding, now)
        _check_same_stop(holding, now)
        return await _move_stop(ctx, now, price, trader)

    question = loosen_question(traders.view_of(ctx, trader), holding, price)
    question = traders.addressed(ctx, trader, question)
    return ctx.services.confirmations.ask(ctx.caller, ctx.message.text, question, act)


@command(role=Role.OPERATOR, family="Trade", rank=40, acts=True, example="SYMBOL 150.00", held=True)
async def take_profit(ctx: Context, symbol: Symbol, price: Price, *, trader: TraderName) -> Reply:
    """Move the target of a position.

    symbol: as in BTC
    price: where it is to stand
    """
    holding = holding_of(traders.view_of(ctx, trader), symbol)
    await traders.require_traded(ctx, trader, symbol)
    _check_step(holding, price)
    _check_not_there(holding, "target", holding.plan.target, price)
    _check_target_side(holding, price)
    manual = ctx.services.desk.manual(trader)
    await manual.move_target(symbol, price, by=ctx.caller.signature)
    view = traders.view_of(ctx, trader)
    reply = target_moved(view, holding, price)
    return traders.addressed(ctx, trader, reply, title=False)


async def _move_stop(ctx: Context, before: HoldingView, price: Price, trader: TraderName) -> Reply:
    symbol, by = before.position.symbol, ctx.caller.signature
    manual = ctx.services.desk.manual(trader)
    await manual.move_stop(symbol, price, by=by, origin=ctx.caller.chat)
    reply = stop_moved(traders.view_of(ctx, trader), before, price)
    return traders.addressed(ctx, trader, reply, title=False)


# -- what is refused ----------------------------------------------------------------------


def _check_step(holding: HoldingView, price: Decimal) -> None:
    if holding.rules.price(price) != price:
        base, tick = holding.position.symbol.base, exact(holding.rules.tick)
        raise Refused(f"{base} moves in steps of {tick}, so it is never at {exact(price)}")


def _check_not_there(holding: HoldingView, what: str, now: Decimal | None, price: Decimal) -> None:
    if now == price:
        told = by_step(price, holding.rules.tick)
        raise Refused(f"The {what} of {holding.position.symbol.base} is at {told} already")


def _check_stop_side(holding: HoldingView, price: Decimal) -> None:
    now = price_of(holding)
    if now is not None and (now - price) * holding.position.side.sign <= 0:
        raise _too_far(holding, f"A stop at {_told(holding, price)} would fill at once", now)


def _check_target_side(holding: HoldingView, price: Decimal) -> None:
    now = price_of(holding)
    if now is not None and (now - price) * holding.position.side.sign >= 0:
        raise _too_far(holding, f"A target of {_told(holding, price)} is reached already", now)


def _too_far(holding: HoldingView, why: str, now: Decimal) -> BadUsage:
    base = holding.position.symbol.base
    choices = (Choice("Position", f"/position {base}"), Choice("Close", f"/close {base}"))
    return BadUsage(f"{why}: {base} is at {_told(holding, now)}", choices, usage=False)


def _check_same_stop(asked: HoldingView, now: HoldingView) -> None:
    """A yes counts for what was shown."""
    if asked.plan.stop != now.plan.stop:
        base = asked.position.symbol.base
        moved = f"{_told(now, now.plan.stop)}, not {_told(asked, asked.plan.stop)}"
        raise Refused(f"The stop of {base} has moved since you were asked: {moved}")


def _tightens(holding: HoldingView, price: Decimal) -> bool:
    old = holding.plan.stop
    return old is None or (price - old) * holding.position.side.sign > 0


# -- what is said of it -------------------------------------------------------------------


def loosen_question(view: View, holding: HoldingView, price: Decimal) -> Reply:
    base, there = holding.position.symbol.base, holding.position.open_profit(price)
    share = there / view.equity if view.equity else None
    path = f"{_told(holding, holding.plan.stop)} to {_told(holding, price)}"
    seen = price_time(view, [holding])
    now = f"{_told(holding, price_of(holding))}, {{age}}" if seen else "unknown"
    beyond = share is not None and -share > view.limits.risk_per_trade
    most = percent(view.limits.risk_per_trade, signed=False)
    return Reply(
        f"{LOOK} Loosen {base} stop {path} {mode(view.mode)}?",
        text=f"{base_and_side(holding)} is at {now}.\nAt the stop "
        f"{gained(there, view.quote)} ({percent(share)} of equity), "
        f"not {gained(holding.at_stop, view.quote)}."
        + (f" A trade may risk {most}." if beyond else ""),
        choices=(
            Choice("Cancel", CANCEL),
            Choice(f"Move to {_told(holding, price)}"[:20], CONFIRM),
        ),
        as_of=seen,
    )


def stop_moved(view: View, before: HoldingView, price: Decimal) -> Reply:
    base = before.position.symbol.base
    now = next((h for h in view.holdings if h.position.symbol == before.position.symbol), None)
    if now is None:
        return Reply(
            f"{LOOK} {base} is closed {mode(view.mode)}",
            text="Its price came to the stop meanwhile.",
            choices=(Choice("Trades", "/trades"), Choice("Positions", "/positions")),
            level=Level.NOTICE,
        )
    old = before.plan.stop
    path = f"set to {_told(before, price)}"
    if old is not None:
        path = f"moved {_told(before, old)} to {_told(before, price)}"
    kept = "Done: it rests at the venue."
    if not now.stop_on_venue:
        kept = f"Not done: it does not rest at the venue yet. {lacking(now)}"
    return Reply(
        f"{DONE if now.stop_on_venue else LOOK} {base} stop {path} {mode(view.mode)}",
        text=f"{kept} At the stop {gained(now.at_stop, view.quote)}.",
        choices=(Choice("Position", f"/position {base}"), Choice("Positions", "/positions")),
        level=Level.INFO if now.stop_on_venue else Level.URGENT,
    )


def target_moved(view: View, before: HoldingView, price: Decimal) -> Reply:
    base, old = before.position.symbol.base, before.plan.target
    path = f"set to {_told(before, price)}"
    if old is not None:
        path = f"moved {_told(before, old)} to {_told(before, price)}"
    profit = gained(before.position.open_profit(price), view.quote)
    now = holding_in(view, before.position.symbol)
    rests = now is not None and now.target_on_venue
    kept = "it rests at the venue" if rests else "the desk watches it"
    stop = "Not done: its stop stays."
    bare = now is not None and now.plan.stop is not None and not now.stop_on_venue
    if now is not None and bare:
        stop = f"Its stop went with it. {lacking(now)}"
    return Reply(
        f"{LOOK if bare else DONE} {base} target {path} {mode(view.mode)}",
        text=f"Done: {kept}. At the target {profit}. {stop}",
        choices=(Choice("Position", f"/position {base}"), Choice("Positions", "/positions")),
    )


def _told(holding: HoldingView, price: Decimal | None) -> str:
    return by_step(price, holding.rules.tick)
