"""How the state of a trader, or of several, reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache, partial

from handlers.format import (
    ago,
    amount,
    clock_time,
    duration,
    gain,
    listed,
    moment,
    number,
    percent,
    plural,
    points,
    took,
)
from handlers.reply import Choice, Column, Level, Reply, offer
from handlers.texts import doubts
from handlers.texts.guarded import trouble, worst
from handlers.texts.phrases import (
    HALTED,
    LOOK,
    PAUSED,
    WAIT,
    apart,
    apart_notes,
    clipped,
    count_entries,
    entries,
    mode,
    modes,
    person,
    price_age,
    protective,
    sentence,
    stale,
    stale_note,
    targets,
    total,
    unknown,
)
from handlers.texts.screen import TABLE_ROWS, a_table, fitting, most_rows
from handlers.texts.status_rows import StatusRows
from trading.accounts.views import Cycle, View
from trading.market.doubts import DoubtKind
from trading.model.halt import Halt, Stage, Verb
from trading.ports import FeedState

COLUMNS = (Column(right=False), Column(), Column())


def as_it_is(reply: Reply) -> Reply:
    return reply


DOUBTS = 2
"""Of prices, that a state tells with all that was said."""
_NO_CHATS: Mapping[str, str] = {}
"""Chat platforms by name, with what is wrong with each: there are none."""

# -- one trader ---------------------------------------------------------------------------


def one(
    view: View,
    addressed: Callable[[Reply], Reply] = as_it_is,
    chats: Mapping[str, str] = _NO_CHATS,
) -> Reply:
    """As much as a screen holds: first lines that matter less give way, then rows."""
    most = min(len(view.holdings), TABLE_ROWS)
    least = min(most, FEW)
    drafts = _Drafts(view, chats)

    def draft(rows: int, spared: int) -> Reply:
        return addressed(drafts.of(rows, spared))

    return (
        most_rows(partial(draft, spared=0), most, least)
        or most_rows(partial(draft, spared=1), least, least)
        or most_rows(partial(draft, spared=2), least, min(least, 1))
        or draft(min(least, 1), 3)
    )


FEW = 3
"""Rows that are worth more than the scan and the drawdown."""
_CHATS_KEPT = {3: 1}
"""When nothing else is left to spare: the title names the others."""


class _Drafts:
    """One status at several lengths; what they have in common is written once."""

    def __init__(self, view: View, chats: Mapping[str, str]) -> None:
        self._chats = chat_lines(chats)
        self._above = cache(partial(_above, view))
        self._below = cache(partial(_below, view, chats))
        self._rows = StatusRows(view)
        self._bare = Reply(
            title(view, chats),
            choices=_choices(view),
            level=max(level(view), chat_level(chats)),
            as_of=view.as_of,
        )

    def of(self, rows: int, spared: int) -> Reply:
        """With so many *rows*, and so many of the lines above and below *spared*."""
        lead = [*self._chats[: _CHATS_KEPT.get(spared)], *self._above(spared)]
        return replace(
            self._bare,
            lead="\n".join(lead),
            table=a_table(COLUMNS, self._rows.at_most(rows)),
            text="\n".join(self._below(spared)),
        )


def _choices(view: View) -> tuple[Choice, ...]:
    if not view.halts:
        return _CHOICES
    return tuple(c for c in _HALTED_CHOICES if view.holdings or c.command not in _NEED_POSITIONS)


def title(view: View, chats: Mapping[str, str] = _NO_CHATS) -> str:
    """The state in a sentence; what is worst comes first."""
    word = f"Trading {mode(view.mode)}"
    if view.halt:
        return halted_title(view, view.halt)
    if not view.ready:
        return starting_title(view)
    trouble = troubles(view)
    if trouble:
        return f"{LOOK} {word}, {trouble[0]}"
    if lost(chats):
        return f"{LOOK} {word}, {_need(lost(chats))}"
    return f"{word}, {_all_is_well(view)}"


def _all_is_well(view: View) -> str:
    if view.feed is FeedState.ENDED:
        return "the feed has ended"
    return "entries rest" if view.rest else "nothing needs you"


def starting_title(view: View) -> str:
    if view.delayed:
        return f"{LOOK} Not started {mode(view.mode)}: its books cannot be compared"
    return f"{WAIT} Starting: books are being compared with the venue"


def halted_title(view: View, halt: Halt) -> str:
    symbol, word = (PAUSED, "Paused") if halt.verb is Verb.PAUSE else (HALTED, "Halted")
    since = ago(view.as_of - halt.at)
    return f"{symbol} {word} {mode(view.mode)} {since} by {person(halt.by)}"


def troubles(view: View) -> list[str]:
    """What a person should look at, worst first."""
    count = len(unknown(view.orders))
    found = [
        trouble(view),
        venue_word(view),
        _not_traded(view),
        f"no entries: {clipped(view.blocked, 60)}" if view.blocked else "",
        _no_price(view),
        *(clipped(doubts.clause(each), 60) for each in view.doubts if each.needs_look),
        f"{plural(count, 'order')} unknown" if count else "",
        f"{plural(view.unsaved, 'fact')} not saved yet" if view.unsaved else "",
    ]
    return [each for each in found if each]


def _not_traded(view: View) -> str:
    names = [h.position.symbol.base for h in apart(view)]
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'} not traded" if names else ""


def _no_price(view: View) -> str:
    if view.feed is FeedState.STALE:
        return f"feed lost, last price {ago(price_age(view))}"
    return stale_note(view) if stale(view) and view.feed is not FeedState.ENDED else ""


def lost(chats: Mapping[str, str]) -> list[str]:
    """The chat platforms, and single chats, that something is wrong with."""
    return [name for name, problem in chats.items() if problem]


def _need(names: list[str]) -> str:
    """As in `Telegram needs you`, or `3 chats need you`."""
    if len(names) > 2:  # noqa: PLR2004  # two names fit a title
        return f"{len(names)} chats need you"
    return f"{listed(names)} {'needs' if len(names) == 1 else 'need'} you"


def chat_lines(chats: Mapping[str, str]) -> list[str]:
    """As in `Telegram: its token is refused`."""
    return [clipped(f"{name}: {chats[name]}", 76) for name in lost(chats)]


def chat_level(chats: Mapping[str, str]) -> Level:
    return Level.URGENT if lost(chats) else Level.INFO


def level(view: View) -> Level:
    if view.halt:
        return Level.NOTICE if view.halt.verb is Verb.PAUSE else Level.CRITICAL
    return Level.URGENT if troubles(view) or view.delayed else Level.INFO


def _above(view: View, spared: int) -> list[str]:
    if view.halt:
        return [*_starting(view), blocked(view, view.halt), *_concerns(view), _open_halted(view)]
    drawdown = percent(None if view.drawdown is None else -view.drawdown)
    limit = percent(-view.limits.max_drawdown)
    return [
        *_starting(view),
        *_concerns(view),
        equity_line(view),
        *([] if spared > 1 else [f"Drawdown {drawdown}, halt at {limit}"]),
        _open(view),
    ]


def _starting(view: View) -> list[str]:
    if view.ready:
        return []
    if view.delayed:
        return [f"{sentence(clipped(view.delayed, 160))} Entries and exits wait; tried on."]
    if view.halt:
        return ["Starting: books are being compared with the venue."]
    return ["Entries wait."]


def blocked(view: View, halt: Halt) -> str:
    """What a halt has done so far, as in `Entries blocked; 2 of 2 cancelled, confirmed.`"""
    resting = len(entries(view.orders))
    if halt.verb is Verb.PAUSE:
        return f"No new entries; {count_entries(resting)} may still fill."
    for reached in halt.stages_of(view.name):
        if reached.stage is Stage.CANCELS_CONFIRMED:
            if not reached.note:
                return "Entries blocked; cancels confirmed."
            return f"Entries blocked; {reached.note.replace('/', ' of ')} cancelled, confirmed."
    return f"Entries blocked; cancels not confirmed: {count_entries(resting)} may fill."


def _concerns(view: View) -> list[str]:
    """One sentence for each thing that is not as it should be, worst first."""
    found = [*_not_flat(view), *worst(view), *apart_notes(view), *not_entered(view)]
    waiting = " and ".join(h.position.symbol.base for h in stale(view))
    if waiting and view.feed is FeedState.LIVE:
        there = "it is" if len(stale(view)) == 1 else "they are"
        waits = "on paper its stop waits too" if there == "it is" else "on paper stops wait too"
        kept = waits if view.replay_speed or view.mode.value == "paper" else "stops stay"
        found.append(f"No {waiting} entries until {there} back; {kept}.")
    if view.feed is FeedState.STALE:
        found.append("No entries until the feed is back.")
    found += [doubts.line(each) for each in view.doubts[:DOUBTS] if each.needs_look]
    if view.unsaved:
        found.append("What is not saved is kept in memory; trading goes on.")
    if view.rest:
        found.append(sentence(f"No entries for now: {view.rest}"))
    return found


def not_entered(view: View) -> list[str]:
    """Of the symbols that the settings name, and that nobody trades, as one sentence."""
    held = {h.position.symbol for h in view.holdings}
    names = [symbol.base for symbol in view.untraded if symbol not in held]
    if not names:
        return []
    shown = [*names[:4], *([f"{len(names) - 4} more"] if len(names) > 4 else [])]  # noqa: PLR2004  # names that fit a line
    return [f"Not traded, so not entered: {listed(shown)}."]


def _not_flat(view: View) -> list[str]:
    """What keeps a flatten from its end, as the venue has said again and again."""
    for halt in view.halts:
        blocked = [r for r in halt.stages_of(view.name) if r.stage is Stage.FLAT_BLOCKED]
        if blocked and not halt.is_flat(view.name):
            return [sentence(f"Not flat: {clipped(blocked[-1].note, 160)}")]
    return []


def equity_line(view: View) -> str:
    if view.equity is None:
        known = amount(view.known_equity, view.quote)
        return f"Equity unknown; {known} {ago(view.as_of - view.known_equity_at)}"
    share = percent(view.today_share)
    change = "unknown" if view.today is None else f"{gain(view.today)} ({share})"
    return f"Equity {amount(view.equity, view.quote)}, today {change}"


def _open(view: View) -> str:
    count = f"Open {len(view.holdings)} of {view.limits.max_positions}"
    return f"{count}, P&L {gain(view.open_profit)}:" if view.holdings else count


def _open_halted(view: View) -> str:
    if not view.holdings:
        return "Open 0."
    stops = plural(len(protective(view.orders)), "protective stop")
    rest = "rests" if len(protective(view.orders)) == 1 else "rest"
    count = f"Open {len(view.holdings)}, P&L {gain(view.open_profit)}"
    return f"{count}; {stops} {rest}; exits go on."


def _below(view: View, chats: Mapping[str, str], spared: int) -> list[str]:
    lines = [equity_line(view)] if view.halt else [_resting(view)]
    lines += [] if spared else [scan_line(view)]
    lines += [health_line(view, chats), *replay_line(view)]
    return [*lines, f"As of {clock_time(view.as_of)} UTC"]


def _resting(view: View) -> str:
    waiting, stops = len(entries(view.orders)), len(protective(view.orders))
    aims = len(targets(view.orders))
    if not waiting and not stops and not aims:
        return "Resting: nothing"
    if aims:
        kinds = (count_entries(waiting), plural(stops, "stop"), plural(aims, "target"))
        return f"Resting: {', '.join(kinds)}"
    return f"Resting: {count_entries(waiting)}, {plural(stops, 'protective stop')}"


def scan_line(view: View) -> str:
    if view.last_cycle is None:
        return f"No scan yet, one every {duration(view.cycle_every)}"
    last = f"{ago(view.as_of - view.last_cycle.at)} in {took(view.last_cycle.seconds)}"
    if view.feed is FeedState.ENDED:
        return f"Last scan {last}"
    return f"Scan {last}, next in {duration(until_scan(view, view.last_cycle))}"


def until_scan(view: View, last: Cycle) -> timedelta:
    return max(timedelta(0), last.at + view.cycle_every - view.as_of)


def health_line(view: View, chats: Mapping[str, str] = _NO_CHATS) -> str:
    """As in `Feed 1 s, venue, Telegram, Discord: ok`; what is not well has words of its own."""
    told = [feed_word(view)]
    well = [name for name, problem in chats.items() if not problem]
    venue = venue_word(view)
    if venue:
        told.append(venue)
    else:
        well.insert(0, "venue")
    if not well:
        return ", ".join(told)
    if view.feed is FeedState.LIVE and not venue:
        return f"{', '.join([*told, *well])}: ok"
    return f"{', '.join(told)}; {', '.join(well)}: ok"


def venue_word(view: View) -> str:
    """What is wrong with the venue, as in `venue silent 6 s`; empty: it answers."""
    if view.refused_until is not None:
        return refused(view.refused_until)
    return "" if view.venue_silent is None else f"venue silent {duration(view.venue_silent)}"


def refused(until: datetime) -> str:
    """Of a venue that takes nothing from us for a while."""
    return f"venue refuses us until {clock_time(until)}\u00a0UTC"


def feed_word(view: View) -> str:
    if view.feed is FeedState.ENDED:
        return "Feed ended: no more candles"
    if view.feed is FeedState.STALE:
        return f"Feed lost, last price {ago(price_age(view))}"
    return f"Feed {duration(price_age(view))}{_by(view)}"


def _by(view: View) -> str:
    """The sources whose prices count, as in ` by binance and bybit`."""
    wrong = {doubt.source for doubt in view.doubts if doubt.kind in _NO_PRICES}
    well = [name for name in view.sources if name not in wrong]
    return f" by {listed(well)}" if well else ""


_NO_PRICES = (DoubtKind.SILENT, DoubtKind.ACCUSED)


def replay_line(view: View) -> list[str]:
    if view.replay_speed is None:
        return []
    return [f"Replay {moment(view.market)}, {number(Decimal(str(view.replay_speed)), 0)}x"]


# -- several ------------------------------------------------------------------------------


def several(
    views: tuple[View, ...],
    chats: Mapping[str, str] = _NO_CHATS,
    dressed: Callable[[Reply], Reply] = as_it_is,
) -> Reply:
    """One line per trader; the worst of them in the title."""
    return fitting(lambda rows: dressed(_several(views, chats, rows)), len(views))


def _several(views: tuple[View, ...], chats: Mapping[str, str], rows: int) -> Reply:
    shown = sorted(views, key=lambda v: not needs_look(v))[:rows]
    return Reply(
        _several_title(views, chats),
        lead="\n".join(chat_lines(chats)),
        table=a_table(_SEVERAL_COLUMNS, [_line(v) for v in shown]),
        text="\n".join([_together(views), f"As of {clock_time(views[0].as_of)} UTC"]),
        choices=(
            *(c for v in shown[:3] for c in offer(v.name, f"/status trader={v.name}")),
            Choice("Stop all", "/stop"),
            REFRESH,
        ),
        level=max(chat_level(chats), *(level(v) for v in views)),
        as_of=views[0].as_of,
    )


def _several_title(views: tuple[View, ...], chats: Mapping[str, str]) -> str:
    count = f"{len(views)} traders {modes(views)}"
    loud = [v.name for v in views if needs_look(v)]
    if loud:
        few = len(loud) < 3  # noqa: PLR2004  # two names fit a title
        return f"{LOOK} {count}, {_need(loud) if few else f'{len(loud)} need you'}"
    if lost(chats):
        return f"{LOOK} {count}, {_need(lost(chats))}"
    starting = [v.name for v in views if not v.ready]
    if starting:
        one_of_them = len(starting) == 1
        who, books = (starting[0], "its") if one_of_them else (str(len(starting)), "their")
        return f"{WAIT} {count}, {who} still compare{'s' * one_of_them} {books} books"
    return f"{count}, nothing needs you"


def needs_look(view: View) -> bool:
    return bool(view.halts or view.delayed or troubles(view))


def state_word(view: View) -> str:
    if view.halt:
        return "paused" if view.halt.verb is Verb.PAUSE else "halted"
    if view.delayed:
        return "look"
    if not view.ready:
        return "starting"
    if troubles(view):
        return "look"
    return "ended" if view.feed is FeedState.ENDED else "trading"


def _line(view: View) -> tuple[str, ...]:
    day = points(view.today_share)
    return clipped(view.name, 10), state_word(view), str(len(view.holdings)), day


def _together(views: tuple[View, ...]) -> str:
    if len({v.quote for v in views}) > 1:
        return f"Open {sum(len(v.holdings) for v in views)}"
    equity = amount(total([v.equity for v in views]), views[0].quote)
    return f"Equity {equity}, today {gain(total([v.today for v in views]))}"


_SEVERAL_COLUMNS = (
    Column(right=False),
    Column(right=False),
    Column("open"),
    Column("today\u00a0%"),
)
REFRESH = Choice("Refresh", "/status")
_CHOICES = (
    Choice("Positions", "/positions"),
    Choice("Stats", "/stats"),
    Choice("Pause", "/pause"),
    Choice("Stop", "/stop"),
    REFRESH,
)
_NEED_POSITIONS = ("/positions", "/flatten")
_HALTED_CHOICES = (
    Choice("Positions", "/positions"),
    Choice("Halts", "/halts"),
    Choice("Flatten", "/flatten"),
    Choice("Resume", "/resume"),
)
