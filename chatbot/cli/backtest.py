"""`quarterdeck backtest`: what a trader would have done with the candles of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from chatbot.cli.page import drawn, image, page, preformatted, table
from chatbot.render.pictures import Theme
from chatbot.settings import Settings, TraderSection
from chatbot.settings.trading import PaperVenueSettings
from chatbot.wiring.trading import exit_rules_of, strategy_of
from handlers.chart import EquityChart
from handlers.format import duration, gained, listed, money, percent, plural
from handlers.texts.figures import (
    averages,
    exit_name,
    extremes,
    fall,
    ratio,
    ratios,
    refusals,
    symbol_names,
    won,
)
from trading.backtest.asked import Backtest
from trading.backtest.engine import run
from trading.backtest.result import Result
from trading.backtest.rules import rules_for
from trading.context.settings import TraderSettings
from trading.errors import SettingsError
from trading.market.tables import parse_symbol, read
from trading.risk.drawdown import day_of
from trading.stats.curve import curve
from trading.stats.ratios import Ratio
from trading.stats.summary import Stats
from trading.stats.tally import Tally
from trading.strategies import settings_in_use
from trading.types import Costs, ExitReason, Mode, Trade

POINTS = 1_000
"""Of the curve on a page; its extremes are among them."""
_JUMPS = 3
"""Of prices, that are told one by one."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestArguments:
    """What the command line said."""

    trader: str
    data: Path
    begin: str = ""
    """A day, or a moment as ISO 8601; without a zone in that of the desk."""
    end: str = ""
    """The same; of a day, all of it."""
    timeframe: timedelta | None = None
    """None: the trader's."""
    symbols: str = ""
    """Comma between them, or `all` that the data has; empty: the trader's."""
    lift: Literal["never", "daily"] = "never"


def backtest(settings: Settings, asked: BacktestArguments, *, every_bar: bool = False) -> Result:
    """Run it, by the trader alone if *every_bar*.

    Raises `SettingsError`, or `ValueError` with a sentence for the operator.
    """
    return run(made(settings, asked), every_bar=every_bar)


def made(settings: Settings, asked: BacktestArguments) -> Backtest:
    """Return the backtest of that trader, its candles read.  Raises as `backtest`."""
    section = settings.traders.get(asked.trader)
    if section is None:
        known = listed([*settings.traders]) or "none"
        raise ValueError(f"There is no trader {asked.trader}; there is {known}")
    zone = settings.bot.zone
    begin, end = _moment(asked.begin, settings), _moment(asked.end, settings, whole_day=True)
    if begin is not None and end is not None and begin >= end:
        raise ValueError(f"--from {asked.begin} is not before --to {asked.end}")
    symbols = _symbols(asked.symbols, section)
    timeframe = asked.timeframe or section.bar
    found = read(asked.data, timeframe=timeframe, symbols=symbols)
    candles = found.candles
    quotes = sorted({symbol.quote for symbol in candles.symbols})
    if len(quotes) > 1:
        raise ValueError(
            f"The symbols are in {listed(quotes)}, and one account has one currency. Take those "
            f"of one, as in --symbols {candles.symbols[0]}"
        )
    return Backtest(
        trader=TraderSettings(
            name=asked.trader,
            mode=Mode.PAPER,
            symbols=candles.symbols,
            timeframe=timeframe,
            capital=section.capital,
            limits=section.limits.build(),
            exit_rules=exit_rules_of(section),
            entries=section.entries.build(),
            zone=zone,
            drawdown_alert=None,
            cycle_every=timeframe,
            replay_speed=1.0,
            universe=section.plan,
            parameters=settings_in_use(section.strategy, section.parameters),
        ),
        strategy=strategy_of(settings, asked.trader),
        candles=candles,
        rules=rules_for(candles),
        costs=_costs(settings.venues.get(section.venue)),
        begin=begin,
        end=end,
        lift=asked.lift,
        notes=found.notes,
    )


def _symbols(said: str, section: TraderSection) -> Sequence[Any] | None:
    """None: all that the data has, among which a universe finds its own."""
    if not said:
        return section.symbols if section.universe is None else None
    return None if said == "all" else [*dict.fromkeys(map(parse_symbol, said.split(",")))]


def _costs(venue: object) -> Costs:
    """Those of a paper venue; a real one's are not known, so the paper's usual ones."""
    return venue.costs() if isinstance(venue, PaperVenueSettings) else Costs()


def _moment(said: str, settings: Settings, *, whole_day: bool = False) -> datetime | None:
    if not said:
        return None
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise ValueError(f"{said} is no day and no moment; as in 2021-05-19") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=settings.bot.zone)
    is_day = at.timetz().replace(tzinfo=None) == time() and ":" not in said
    return (at + _DAY if whole_day and is_day else at).astimezone(UTC)


def reasons(error: Exception) -> list[str]:
    """What to tell the operator."""
    if isinstance(error, SettingsError):
        return [str(mistake) for mistake in error.mistakes]
    if isinstance(error, OSError) and error.filename:
        return [f"{error.filename}: {error.strerror or error}. Name a file that can be used there"]
    return [str(error)]


# -- as text ----------------------------------------------------------------------------------


def as_text(result: Result) -> str:
    return "\n".join(_lines(result))


def _lines(result: Result) -> Iterator[str]:
    stats, quote = result.stats, result.trader.symbols[0].quote
    yield (
        f"{result.trader.name}, {result.strategy}: {_span(result)}, {len(result.times):,} bars of "
        f"{plural(len(result.trader.symbols), 'symbol')}"
    )
    yield f"{gained(Decimal(repr(round(result.profit, 2))), quote)} ({_share(result.growth)})"
    yield f"Buy and hold {_share(result.holding_growth)}, {_fallen(result.holding_stats)}"
    if stats.total.trades:
        yield from (won(stats.total), averages(stats.total), extremes(stats.total))
    else:
        yield "No trades"
    yield f"Here {_fallen(stats)}; {ratios(stats)}"
    yield (
        f"CAGR {_share_or_word(stats.cagr)}, Calmar {ratio(stats.calmar)}; in the market "
        f"{_share(result.exposure, signed=False)} of the time"
    )
    refused = sum(result.refused.values())
    yield f"{result.approved:,} signals approved, {refused:,} refused; {result.orders:,} orders"
    yield from (f"  {count:>6,}  {reason}" for reason, count in refusals(result.refused))
    yield from _warnings(result)
    yield from _about_data(result)
    for title, tallies in _groups(result):
        yield f"{title}:"
        for name, tally in tallies:
            yield f"  {name:<12}{gained(tally.profit, quote)}; {won(tally)}"


def _warnings(result: Result) -> Iterator[str]:
    for halt in result.halts[:3]:
        yield f"Halted {halt.at:%Y-%m-%d %H:%M}: {halt.why}"
    if len(result.halts) > 3:  # noqa: PLR2004  # as above
        yield f"... and {len(result.halts) - 3} halts more"
    if result.open_positions:
        yield f"{plural(len(result.open_positions), 'position')} open at the end, at market value"


def _about_data(result: Result) -> Iterator[str]:
    """What is odd about the candles; nothing where nothing is."""
    found = result.flaws
    if found.missing or found.still:
        yield (
            f"Data: {found.missing:,} of {found.bars:,} bars missing, {found.still:,} without "
            "volume"
        )
    if found.jumps:
        first = ", ".join(
            f"{jump.symbol} x {jump.times:.3g} at {jump.at:%Y-%m-%d %H:%M}"
            for jump in found.jumps[:_JUMPS]
        )
        more = "" if len(found.jumps) <= _JUMPS else f" and {len(found.jumps) - _JUMPS:,} more"
        yield (
            f"{plural(len(found.jumps), 'jump')} of 10 times and more: {first}{more}. A split or "
            "a wrong price: what was traded there is not real"
        )
    yield from result.notes


def _groups(result: Result) -> Iterator[tuple[str, list[tuple[str, Tally]]]]:
    stats = result.stats
    names = symbol_names(stats.symbols)
    yield "By symbol", list(zip(names, stats.symbols.values(), strict=True))
    yield "By exit", [(_exit(reason), tally) for reason, tally in stats.reasons.items()]
    regimes = result.by_regime()
    if regimes:
        yield "By regime", list(regimes.items())


def _exit(reason: ExitReason) -> str:
    return exit_name(reason)


def _span(result: Result) -> str:
    return f"{result.begin:%Y-%m-%d %H:%M} to {result.end:%Y-%m-%d %H:%M} UTC"


def _share(share: float, *, signed: bool = True) -> str:
    return percent(Decimal(repr(round(share, 8))), signed=signed)


def _share_or_word(of: Ratio) -> str:
    return of.word if of.value is None else _share(of.value)


def _fallen(stats: Stats) -> str:
    deepest = stats.drawdown
    if deepest is None:
        return "drawdown unknown"
    return f"worst drawdown {fall(deepest)}, {duration(deepest.lasted)} long"


# -- as a page --------------------------------------------------------------------------------


def as_page(result: Result, picture: bytes | None) -> str:
    """One page of HTML that needs nothing else."""
    return page(
        f"Backtest of {result.trader.name}, {result.strategy}",
        preformatted(_summary(result)),
        image(picture, "Equity and drawdown"),
        *(table(name, _HEAD, map(_row, tallies)) for name, tallies in _groups(result)),
        table("Trades", _TRADE_HEAD, map(_trade_row, result.trades)),
    )


def chart(result: Result) -> EquityChart:
    """Equity and drawdown, in no more points than a picture shows."""
    last = day_of(result.end, result.trader.zone)
    found = curve(result.book, first=None, last=last, most=POINTS)
    if found is None:
        raise ValueError("There is no bar to draw")
    return EquityChart(
        title=f"{result.trader.name} {result.strategy}",
        quote=result.trader.symbols[0].quote,
        times=found.times,
        equity=found.equity,
        drawdown=found.drawdown,
        zone=found.zone,
    )


_HEAD = ("", "trades", "won", "profit", "fees", "per trade", "profit factor")
_TRADE_HEAD = ("closed, UTC", "symbol", "side", "quantity", "entry", "exit", "profit", "ended by")


def _summary(result: Result) -> Iterable[str]:
    lines = list(_lines(result))
    return lines[: lines.index("By symbol:")]


def _row(item: tuple[str, Tally]) -> Sequence[str]:
    name, tally = item
    each = "" if tally.expectancy is None else money(tally.expectancy)
    factor = ratio(tally.profit_factor)
    sums = (money(tally.profit), money(tally.fees))
    return (name, f"{tally.trades:,}", f"{tally.wins:,}", *sums, each, factor)


def _trade_row(trade: Trade) -> Sequence[str]:
    return (
        f"{trade.closed_at:%Y-%m-%d %H:%M}", str(trade.symbol), trade.side.held,
        f"{trade.quantity:f}", f"{trade.entry_price:f}", f"{trade.exit_price:f}",
        money(trade.profit), _exit(trade.reason),
    )  # fmt: skip


def write_page(result: Result, file: Path, *, theme: Theme) -> None:
    """Write the page, with its picture if one can be drawn.  Raises `OSError`."""
    file.write_text(as_page(result, drawn(chart(result), theme)), "utf-8")


def timeframe_of(said: str) -> timedelta | None:
    """`1m`, `15m`, `1h`, `1d`; nothing stays nothing.  Raises `ValueError` for anything else."""
    if not said:
        return None
    sizes: Mapping[str, timedelta] = {
        "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": _DAY,
    }  # fmt: skip
    count, unit = said[:-1], said[-1:]
    if unit not in sizes or not count.isdecimal() or not int(count):
        raise ValueError(f"{said} is no timeframe; as in 1m, 15m, 1h or 1d")
    return int(count) * sizes[unit]
