"""How the books and the account at the venue read in a chat, above all where they differ."""

from __future__ import annotations

from handlers.alerts.parts import ORDERS, POSITIONS, STATUS, STOP
from handlers.format import amount, exact, gained, listed, money
from handlers.reply import Choice, Level, Reply
from handlers.texts.describe import describe
from handlers.texts.phrases import LOOK, clipped, mode, person, sentence, whom
from trading import events


@describe.register
def _(event: events.BooksDiffered) -> Reply:
    both = f"ours {exact(event.ours)}, venue {exact(event.venue)}"
    return Reply(
        f"{LOOK} Books differ on {event.symbol.base} {mode(event.mode)}: {both}",
        text=sentence(event.done),
        choices=(POSITIONS, ORDERS, STOP),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.ForeignOrderSeen) -> Reply:
    return Reply(
        f"{LOOK} An order that is not ours: {event.symbol.base} {mode(event.mode)}",
        text=f"Its id is {clipped(event.order_id, 40)}. Reported, untouched.",
        choices=(ORDERS,),
        level=Level.URGENT,
    )


@describe.register
def _(event: events.OrdersFound) -> Reply:
    """What a lost history knew, as far as the venue tells it."""
    base, count = event.symbol.base, event.orders
    held = f"{exact(abs(event.held))} {base}" if event.held else "nothing"
    side = {1: "long ", -1: "short "}.get(int(event.held.compare(0)), "")
    ours = "Ours, and history lacked it." if count == 1 else "Ours, and history lacked them."
    lines = [f"{ours} Taken over: {side}{held}, as fills prove."]
    if event.stop is not None and event.stop_made:
        lines.append(f"No stop rested: one is set at {exact(event.stop)}.")
    elif event.stop is not None:
        lines.append(f"Its stop is the one that rests, {exact(event.stop)}.")
    if event.lost:
        lines.append(f"Lost, and not watched any more: {listed(event.lost)}.")
    found = "1 order" if count == 1 else f"{count} orders"
    return Reply(
        f"{LOOK} Found at the venue: {found} of {base} {mode(event.mode)}",
        text=" ".join(lines),
        choices=(POSITIONS, ORDERS, STOP),
        level=Level.CRITICAL if event.held else Level.URGENT,
    )


@describe.register
def _(event: events.OrdersUnproven) -> Reply:
    return Reply(
        f"{LOOK} Not proven to be ours: {event.symbol.base} {mode(event.mode)}",
        text=f"{sentence(event.what)} Left alone. Entries wait, and it is not called flat, until "
        "an owner has looked and says /accept_books.",
        choices=(POSITIONS, ORDERS, Choice("Accept books", "/accept_books")),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.OrdersAccepted) -> Reply:
    return Reply(
        f"{LOOK} Not ours from now on: {whom(event.trader, event.mode)}, by {person(event.by)}",
        text="\n".join(f"{sentence(what)}" for what in event.what)
        + "\nLeft alone: the desk does not watch, move or cancel it.",
        choices=(ORDERS, STATUS),
        level=Level.URGENT,
    )


@describe.register
def _(event: events.ForeignHoldingSeen) -> Reply:
    base = event.symbol.base
    return Reply(
        f"{exact(event.quantity)} {base} on the account {mode(event.mode)} that are not ours",
        text="Left alone, and never sold. Said once.",
        choices=(POSITIONS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.FundingBooked) -> Reply:
    what = "received" if event.amount > 0 else "paid"
    worth = amount(abs(event.amount), event.symbol.quote)
    return Reply(f"Funding {what} on {event.symbol.base} {mode(event.mode)}: {worth}")


@describe.register
def _(event: events.TransferSeen) -> Reply:
    what = "came in" if event.amount > 0 else "went out"
    return Reply(
        f"{amount(abs(event.amount), event.quote)} {what} {mode(event.mode)}",
        text="It lies beside the money of this trader: equity, day and drawdown stay as they are.",
    )


@describe.register
def _(event: events.LiquidationBooked) -> Reply:
    where = "" if event.symbol is None else f" on {event.symbol.base}"
    return Reply(
        f"{LOOK} Liquidation{where} {mode(event.mode)}: {gained(event.amount, event.quote)}",
        text="The venue closed by force. It is booked as a loss.",
        choices=(POSITIONS, STATUS, STOP),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.DustLeft) -> Reply:
    worth = amount(event.worth, event.symbol.quote)
    return Reply(
        f"Dust left: {exact(event.quantity)} {event.symbol.base} {mode(event.mode)}, {worth}",
        text="Too small for the venue to sell. It stays there, "
        "and left our books at the last price.",
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.BalanceAccepted) -> Reply:
    return Reply(
        f"{LOOK} Venue's wallet accepted: {whom(event.trader, event.mode)}, "
        f"{gained(event.amount, event.quote)}, by {person(event.by)}",
        text=f"Wallet {money(event.wallet)}, in both. No trade explains it: day, week and drawdown "
        "are measured without it.",
        choices=(Choice("Balance", "/balance"), STATUS),
        level=Level.URGENT,
    )
