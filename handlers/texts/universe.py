"""How it reads who may be entered, joins, leaves, and why somebody is out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handlers.format import ago, duration, listed, plural
from handlers.reply import Choice, Column, Level, Reply
from handlers.texts.phrases import LOOK, clipped, mode, our_time, sentence
from handlers.texts.screen import a_table
from trading.accounts.views import View
from trading.common import words
from trading.cycle.universe import UniverseStatus
from trading.market.universe import DEPTH, SPREAD, Drift, MarketStats, Universe
from trading.types import Symbol

STATUS, UNIVERSE = Choice("Status", "/status"), Choice("Universe", "/universe")
_NAMED = 3
"""Symbols that are named in a line; the rest is counted."""
_REASON = 23
"""Columns of a reason in a table."""
STAYS = "What is open there goes on to its exit."
_TIERS = (Column(right=False), Column("in", gap=1), Column("least volume"))


def fixed_reply(view: View, symbols: Sequence[Symbol]) -> Reply:
    return Reply(
        f"{plural(len(symbols), 'symbol')}, a fixed list {mode(view.mode)}",
        text=f"{clipped(listed([s.base for s in symbols]), 200)}.\n"
        f"A universe finds them by itself: [traders.{view.name}.universe] in bot.toml.",
        choices=(STATUS,),
        as_of=view.as_of,
    )


def universe_reply(view: View, found: UniverseStatus) -> Reply:
    of = found.universe
    rows = [
        (f"{t.number} {t.name}", str(_count(of, t.number)), words.short(t.min_volume))
        for t in of.tiers
    ]
    moving = [] if found.stale else [*_coming(found), *_going(found)]
    lines = [*_trouble(found), *moving, *_open(view, found)]
    return Reply(
        _title(view, found),
        table=a_table(_TIERS, rows),
        text="\n".join([*lines, *_outside(found), *_surveyed(view, found)]),
        choices=(
            Choice("In", "/universe in"),
            Choice("Out", "/universe out"),
            Choice("Refresh", "/universe"),
        ),
        level=Level.URGENT if found.age is not None and found.stale else Level.INFO,
        as_of=view.as_of,
    )


def _title(view: View, found: UniverseStatus) -> str:
    if found.age is None:
        return f"{LOOK} No survey yet {mode(view.mode)}: nothing is entered"
    if found.stale:
        age = duration(our_time(view, found.age))
        return f"{LOOK} The last survey is {age} old {mode(view.mode)}"
    return f"{plural(_size(found.universe), 'symbol')} in the universe {mode(view.mode)}"


def _trouble(found: UniverseStatus) -> list[str]:
    told = [f"The last try failed: {clipped(found.problem, 80)}."] if found.problem else []
    if found.stale and found.age is not None:
        go_on = [s.base for s in found.plan.listed if found.universe.tier(s) is not None]
        others = f"; {clipped(listed(go_on), 40)} go on" if go_on else ""
        told.append(f"Nothing that was discovered is entered{others}. Exits go on.")
    return told


def _coming(found: UniverseStatus) -> list[str]:
    of, said = found.universe, list[str]()
    for symbol, drift in of.drifts.items():
        if drift.better and not of.never_trades(symbol):
            does = "joins" if of.tier(symbol) is None else "rises to"
            said.append(f"{symbol.base} {does} tier {drift.worst} {_in_cycles(of, drift)}")
    return [f"{some(said)}."] if said else []


def _going(found: UniverseStatus) -> list[str]:
    of, said = found.universe, list[str]()
    for symbol, drift in of.drifts.items():
        if not drift.better and of.tier(symbol) is not None:
            does = "leaves" if drift.worst is None else f"falls to tier {drift.worst}"
            why = of.lacks(symbol, found.scan, own=True) if found.scan else ""
            reason = f", {why}" if why else ""
            said.append(f"{symbol.base} {does} {_in_cycles(of, drift)}{reason}")
    return [f"{some(said)}."] if said else []


def _in_cycles(of: Universe, drift: Drift) -> str:
    left = of.cycles - drift.cycles
    return f"in {plural(left, 'survey')}" if left > 0 else "when there is room"


def _open(view: View, found: UniverseStatus) -> list[str]:
    """Positions whose symbol has left: they are managed to their end."""
    left = [h.position.symbol for h in view.holdings]
    left = [symbol for symbol in left if found.universe.tier(symbol) is None]
    if not left:
        return []
    return [f"Open, though out: {some(s.base for s in left)}; exits go on."]


def _outside(found: UniverseStatus) -> list[str]:
    out = _out(found)
    if not out or found.scan is None:
        return []
    first = out[0]
    why = found.universe.why_not(first, found.scan)
    return [f"Out: {len(out):,} of {len(found.scan.stats):,}; {first.base}, {why}."]


def _surveyed(view: View, found: UniverseStatus) -> list[str]:
    of = "of the recording" if view.replay_speed is not None else ""
    every = f"every {duration(found.plan.every)} {of}".rstrip()
    if found.age is None:
        return [sentence(f"{every} one is made"), *_by_volume_alone(found)]
    when = "" if found.stale else f"Surveyed {ago(our_time(view, found.age))}, {every}."
    return [*([when] if when else []), *_by_volume_alone(found)]


def _by_volume_alone(found: UniverseStatus) -> list[str]:
    """What could not be measured, and so did not count."""
    if found.scan is None:
        return []
    asked = [t for t in found.universe.tiers if t.max_spread_bps or t.min_depth]
    missing = [name for name in (SPREAD, DEPTH) if name not in found.scan.measured]
    if not asked or not missing:
        return []
    are = "is" if len(missing) == 1 else "are"
    return [f"{sentence(listed(missing))[:-1]} {are} not recorded: volume decides alone."]


def member_rows(found: UniverseStatus) -> list[tuple[str, ...]]:
    of = found.universe
    members = [s for s in of.members if of.tier(s) is not None]
    members.sort(key=lambda s: (of.members[s], -_volume(found, s), s))
    return [(_name(s), str(of.members[s]), *_figures(_stats(found, s))) for s in members]


def _figures(stats: MarketStats | None) -> tuple[str, str]:
    volume, spread = (None, None) if stats is None else (stats.volume, stats.spread_bps)
    return (
        "unknown" if volume is None else words.short(volume),
        "unknown" if spread is None else words.bps(spread),
    )


def outsider_rows(found: UniverseStatus) -> list[tuple[str, ...]]:
    of = found.universe
    return [(_name(s), clipped(of.why_not(s, found.scan), _REASON)) for s in _out(found)]


def _out(found: UniverseStatus) -> list[Symbol]:
    """The largest volume first: who is nearest; last who never gets in."""
    of, known = found.universe, found.scan.stats if found.scan else {}
    out = [s for s in known if of.tier(s) is None]
    return sorted(out, key=lambda s: (of.never_trades(s), -_volume(found, s), s))


def _stats(found: UniverseStatus, symbol: Symbol) -> MarketStats | None:
    return found.scan.stats.get(symbol) if found.scan else None


def _volume(found: UniverseStatus, symbol: Symbol) -> float:
    stats = _stats(found, symbol)
    return 0.0 if stats is None or stats.volume is None else float(stats.volume)


def _name(symbol: Symbol) -> str:
    return clipped(symbol.base, 8)


def _count(of: Universe, tier: int) -> int:
    return sum(of.tier(symbol) == tier for symbol in of.members)


def _size(of: Universe) -> int:
    return sum(of.tier(symbol) is not None for symbol in of.members)


def some(names: Iterable[str]) -> str:
    every = list(names)
    hidden = len(every) - _NAMED
    return "; ".join(every[:_NAMED]) + (f"; {hidden} more" if hidden > 0 else "")
