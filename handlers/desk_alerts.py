"""How the days of a trader and the troubles of the machine read in a chat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from handlers.chart import EquityChart
from handlers.charts import equity_chart
from handlers.describe import describe
from handlers.format import (
    MONTHS,
    clock_time,
    duration,
    exact,
    gain,
    gained,
    long_duration,
    minute,
    money,
    percent,
    plural,
    took,
)
from handlers.reply import Choice, Level, Reply
from handlers.words import DONE, LOOK, REFUSED, clipped, mode, person, sentence, whom
from trading import events
from trading.types import ZERO, Trade

STATUS, STOP = Choice("Status", "/status"), Choice("Stop", "/stop")
RISK, RESUME = Choice("Risk", "/risk"), Choice("Resume", "/resume")

COUNTED = {
    "PeriodEnded": ("report", "reports"),
    "StillAlive": ("sign of life", "signs of life"),
    "VenueBack": ("venue back", "venues back"),
    "ScanSlow": ("slow scan", "slow scans"),
    "TraderRestarted": ("restarted", "restarted"),
    "PriceReached": ("price reached", "prices reached"),
    "RuleRestored": ("rule restored", "rules restored"),
    "SettingsReloaded": ("settings reloaded", "settings reloaded"),
    "SettingsRefused": ("settings refused", "settings refused"),
    "LoopLagged": ("loop lag", "loop lags"),
    "ChatLost": ("chat lost", "chats lost"),
    "ChatBack": ("chat back", "chats back"),
}
"""What a burst counts them as: one, several."""

# -- limits and reports -------------------------------------------------------------------


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
def _(event: events.PeriodEnded) -> Reply:
    share = percent(event.profit / event.start if event.start > 0 else None)
    result = f"{mode(event.mode)}: {gained(event.profit, event.quote)} ({share})"
    won = sum(t.profit > ZERO for t in event.trades)
    count = f"{plural(len(event.trades), 'trade')}, {won} won" if event.trades else "no trades"
    stats = Choice("Stats", "/stats week" if event.kind == "week" else "/stats")
    if event.kind == "week":
        return Reply(
            f"Week {_days(event.first, event.last)} {result}, {count}",
            text=" ".join([f"Equity {money(event.equity)}.", *_extremes(event.trades)]),
            choices=(stats,),
            chart=_picture(event, f"Equity, {_days(event.first, event.last)}"),
        )
    return Reply(
        f"Day {_day(event.first)} {result}, equity {money(event.equity)}",
        text=" ".join([sentence(count), *_extremes(event.trades)]),
        choices=(stats,),
        chart=_picture(event, f"Equity, {_day(event.first)}"),
    )


def _picture(event: events.PeriodEnded, title: str) -> EquityChart | None:
    if event.curve is None:
        return None
    return equity_chart(title, event.quote, event.curve, event.trades)


def _extremes(trades: Sequence[Trade]) -> list[str]:
    if not trades:
        return []
    fees = f"fees {money(sum((t.fees for t in trades), ZERO))}."
    ranked = sorted(trades, key=lambda t: t.profit)
    best, worst = ranked[-1], ranked[0]
    if len(trades) == 1:
        return [f"{_result(best)}, {fees}"]
    return [f"Best {_result(best)}, worst {_result(worst)}, {fees}"]


def _result(trade: Trade) -> str:
    return f"{trade.symbol.base} {gain(trade.profit)}"


def _day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]}"


def _days(first: date, last: date) -> str:
    """As in `6-12 Oct`, or `29 Sep-5 Oct`."""
    begin = str(first.day) if first.month == last.month else _day(first)
    return f"{begin}-{_day(last)}"


@describe.register
def _(event: events.StillAlive) -> Reply:
    scans, errors = plural(event.scans, "scan"), plural(event.errors, "error")
    until = f"{minute(event.next_at)}\u00a0UTC"
    since = duration(event.since)
    return Reply(f"Alive {since}: {scans}, {errors}. Next {until}; silence means down.")


# -- the venue and the scans --------------------------------------------------------------


@describe.register
def _(event: events.VenueLost) -> Reply:
    if event.refused_until is not None:
        return Reply(
            f"{LOOK} Venue refuses us until {clock_time(event.refused_until)} UTC "
            f"{mode(event.mode)}",
            text="Too many requests. Nothing is sent to it before that; what rests there stays "
            "and may fill.",
            choices=(STATUS, STOP),
            level=Level.URGENT,
        )
    return Reply(
        f"{LOOK} Venue lost {duration(event.silent)} ago {mode(event.mode)}",
        text="Nothing reaches it now; what rests there stays and may fill. Asking on.",
        choices=(STATUS, STOP),
        level=Level.URGENT,
    )


@describe.register
def _(event: events.VenueBack) -> Reply:
    return Reply(
        f"{DONE} Venue back after {long_duration(event.gap)} {mode(event.mode)}",
        text="Orders that had no answer are asked about, stops repaired.",
        choices=(STATUS, Choice("Orders", "/orders")),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.ScanSlow) -> Reply:
    limit = took(event.limit)
    return Reply(
        f"{LOOK} Slow scan: {took(event.seconds)}, limit {limit}. Exits ran on time.",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.TraderCrashed) -> Reply:
    return Reply(
        f"{LOOK} {whom(event.trader, event.mode)} crashed, reference {event.reference}",
        text="Positions stay guarded by their stops at the venue; no entries meanwhile. "
        f"Started again in {duration(event.again_in)}.",
        choices=(STATUS, STOP),
        level=Level.CRITICAL,
        reference=event.reference,
    )


@describe.register
def _(event: events.TraderRestarted) -> Reply:
    return Reply(
        f"{DONE} {whom(event.trader, event.mode)} runs again, after {long_duration(event.after)}",
        text="It goes on with the books it had; stops and exits are watched again.",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


# -- what somebody asked to be told -------------------------------------------------------


@describe.register
def _(event: events.PriceReached) -> Reply:
    base = event.symbol.base
    way = "above" if event.above else "below"
    return Reply(
        f"{base} is at {exact(event.price)}, {way} {exact(event.level)}",
        text=f"{sentence(person(event.by))[:-1]} asked to be told; said once.",
        choices=(Choice("Price", f"/price {base}"), STATUS),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.RuleBroken) -> Reply:
    did = {
        "pause": "Done: no new entries. Not done: resting entries, positions and stops stay.",
        "stop": "Done: entries blocked, cancels under way. Not done: positions and stops stay.",
    }.get(event.action, "Told only: nothing was paused or stopped.")
    undo = () if event.action == "notify" else (RESUME,)
    return Reply(
        f"{LOOK} Rule {clipped(event.name, 30)}: now {_reading(event.value)}",
        text=f"{clipped(event.condition, 120)}. {did}",
        choices=(STATUS, STOP, *undo),
        level=Level.URGENT,
    )


def _reading(value: Decimal | bool) -> str:  # noqa: FBT001  # what a rule compares
    if isinstance(value, bool):
        return "true" if value else "false"
    return exact(round(value, 4).normalize())


@describe.register
def _(event: events.RuleRestored) -> Reply:
    return Reply(
        f"{DONE} Rule {clipped(event.name, 30)} no longer holds, after {duration(event.lasted)}",
        text=f"{clipped(event.condition, 120)}. What it halted stays halted until /resume.",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.AlertUnanswered) -> Reply:
    waited = duration(event.at - event.said_at)
    return Reply(
        f"{LOOK} Nobody has acknowledged an alert for {waited}",
        text=f"{clock_time(event.said_at)} UTC: {clipped(event.title, 160)}",
        choices=(Choice("Acknowledge", "/ack"), STATUS, STOP),
        level=Level.CRITICAL,
    )


# -- chats --------------------------------------------------------------------------------


@describe.register
def _(event: events.ChatLost) -> Reply:
    return Reply(
        f"{LOOK} {clipped(f'{event.chat} lost {duration(event.silent)} ago: {event.why}', 74)}",
        text=_means(event),
        choices=(STATUS, STOP),
        level=Level.URGENT,
    )


def _means(event: events.ChatLost) -> str:
    if not event.whole:
        return "Its alerts wait; the other chats hear theirs, trading goes on."
    if "another program" in event.why:
        return (
            "Commands typed there may reach it instead. Alerts still go there; trading goes on. "
            "End the other program, or give this desk a token of its own."
        )
    if "token" in event.why:
        return (
            "Commands and alerts there wait; trading goes on. "
            "They go out once the settings have a token that is taken."
        )
    return "Commands and alerts there wait; trading goes on. Tried on by itself."


@describe.register
def _(event: events.ChatBack) -> Reply:
    there = "Commands and alerts go there again." if event.whole else "Its alerts go out again."
    return Reply(
        f"{DONE} {clipped(event.chat, 40)} back after {long_duration(event.gap)}",
        text=there,
        choices=(STATUS,),
        level=Level.NOTICE,
    )


# -- settings -----------------------------------------------------------------------------

_SHOWN = 5


@describe.register
def _(event: events.SettingsReloaded) -> Reply:
    who = person(event.by)
    if not event.changes:
        return Reply(f"Settings reloaded by {who}: nothing has changed")
    if len(event.changes) == 1:
        place, _, change = event.changes[0].partition(" ")
        told = f"{place.rpartition('.')[2].replace('_', ' ')} {change}"
        return Reply(
            f"Settings reloaded by {who}: {clipped(told, 46)}",
            text=f"{clipped(place, 60)}. For new entries; what is open keeps its plan.",
        )
    return Reply(
        f"Settings reloaded by {who}: {plural(len(event.changes), 'change')}",
        text="\n".join([*_few(event.changes), "For new entries; what is open keeps its plan."]),
    )


@describe.register
def _(event: events.SettingsRefused) -> Reply:
    return Reply(
        f"{REFUSED} Settings refused, the old ones hold",
        text="\n".join(_few(event.mistakes)),
        level=Level.NOTICE,
    )


def _few(lines: Sequence[str]) -> list[str]:
    shown = [clipped(line, 72) for line in lines[:_SHOWN]]
    return [*shown, f"And {len(lines) - _SHOWN} more."] if len(lines) > _SHOWN else shown


# -- the machine --------------------------------------------------------------------------


@describe.register
def _(event: events.LoopLagged) -> Reply:
    return Reply(
        f"{LOOK} Busy: no answer for {took(event.seconds)}",
        text="Words and scans waited so long. What protects rests at the venue.",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.ClockJumped) -> Reply:
    ahead = event.by.total_seconds() > 0
    by = long_duration(abs(event.by))
    return Reply(
        f"{LOOK} The machine's clock jumped {by} {'ahead' if ahead else 'back'}",
        text="Waits are measured by another clock and go on. Days, rests and ages follow this "
        "one: look whether it is right.",
        choices=(STATUS, STOP),
        level=Level.URGENT,
    )


# -- entries ------------------------------------------------------------------------------


@describe.register
def _(event: events.EntriesBlocked) -> Reply:
    return Reply(
        f"{LOOK} No entries: {whom(event.trader, event.mode)}",
        text=f"{sentence(event.why)} Exits and stops go on. Compared again each minute.",
        choices=(STATUS, Choice("Positions", "/positions"), STOP),
        level=Level.CRITICAL,
    )


@describe.register
def _(event: events.StartDelayed) -> Reply:
    return Reply(
        f"{LOOK} Not started: {whom(event.trader, event.mode)}",
        text=f"{sentence(clipped(event.why, 240))} Nothing was changed. No entries; what rests at "
        "the venue stays, targets and time limits wait. Tried on, and told when it starts.",
        choices=(STATUS, STOP),
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
