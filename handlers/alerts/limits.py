"""How limits read in a chat, and what holds entries back."""

from __future__ import annotations

from handlers.alerts.parts import FLATTEN, POSITIONS, RISK, STATUS, STOP
from handlers.format import amount, gain, gained, money, percent
from handlers.reply import Choice, Level, Reply
from handlers.texts.describe import describe
from handlers.texts.phrases import DONE, LOOK, mode, sentence, whom
from trading import events
from trading.common.words import minute as first_minute


@describe.register
def _(event: events.DrawdownReached) -> Reply:
    worth = f"{money(event.equity)} of peak {amount(event.peak, event.quote)}"
    floor = money(event.peak * (1 - event.limit))
    return Reply(
        f"{LOOK} Drawdown {percent(-event.drawdown)} {mode(event.mode)}: {worth}",
        text=f"3 reads in a row, {{age}}. Halt at {percent(-event.limit)} ({floor}). "
        f"Open P&L {gain(event.open_profit)}.",
        choices=(POSITIONS, Choice("Pause", "/pause"), STOP, FLATTEN),
        level=Level.URGENT,
        as_of=event.at,
    )


@describe.register
def _(event: events.CooldownBegan) -> Reply:
    until = f"{first_minute(event.until)}\u00a0UTC"
    return Reply(
        f"No entries until {until} {mode(event.mode)}: {event.why}",
        text="A rest, not a halt: it ends by itself. Exits go on.",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.LimitNear) -> Reply:
    used = int(event.lost * 100 / event.limit)  # never more than it is
    loss = {"day": "Daily loss", "week": "Weekly loss"}.get(event.kind, event.kind.capitalize())
    both = f"{gain(-event.lost)} of {gained(-event.limit, event.quote)}"
    return Reply(
        f"{LOOK} {loss} at {used}\u00a0% of its limit: {both}",
        choices=(RISK, STOP),
        level=Level.URGENT,
    )


@describe.register
def _(event: events.EntriesBlocked) -> Reply:
    return Reply(
        f"{LOOK} No entries: {whom(event.trader, event.mode)}",
        text=f"{sentence(event.why)} Exits and stops go on. Compared again each minute.",
        choices=(STATUS, Choice("Positions", "/positions"), STOP),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.EntriesFreed) -> Reply:
    return Reply(
        f"{DONE} Entries again: {whom(event.trader, event.mode)}",
        text=f"It was held back: {event.was}.",
        choices=(STATUS,),
        level=Level.NOTICE,
    )
