"""How a backtest and how far it is read."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from handlers.chart import EquityChart
from handlers.format import gained, percent, plural, whole_percent
from handlers.reply import Choice, Reply
from handlers.texts.figures import averages, fall, ratios, refusals, won

if TYPE_CHECKING:
    from trading.backtest.result import Summary


def result_reply(found: Summary) -> Reply:
    """Figures, picture, buttons."""
    profit = gained(Decimal(repr(round(found.profit, 2))), found.quote)
    stats = found.stats
    lines = [
        f"{found.strategy}, {plural(found.symbols, 'symbol')}",
        f"{found.begin:%d %b %H:%M} to {found.end:%d %b %H:%M} UTC",
        f"Buy and hold {_percent(found.holding_growth)}",
    ]
    lines += [won(stats.total), averages(stats.total)] if stats.total.trades else ["No trades"]
    lines.append(f"Worst drawdown {fall(stats.drawdown)}, {ratios(stats)}")
    lines.append(f"In the market {done_share(found.exposure)} of the time")
    if found.refused:
        reason, _ = refusals(found.refused)[0]
        of = f"{sum(found.refused.values()):,} of {plural(found.signals, 'signal')}"
        lines.append(f"{of} refused, most often: {reason}")
    lines += [f"Halted {halt.at:%d %b %H:%M}: {halt.why}" for halt in found.halts[:1]]
    return Reply(
        f"Backtest: {profit} ({_percent(found.growth)}) after fees",
        text="\n".join(lines),
        choices=(Choice("30 days", "/backtest 30"), Choice("Stats", "/stats")),
        chart=_chart(found),
    )


def _chart(found: Summary) -> EquityChart | None:
    if found.curve is None:
        return None
    return EquityChart(
        title=f"{found.trader}, backtest",
        quote=found.quote,
        times=found.curve.times,
        equity=found.curve.equity,
        drawdown=found.curve.drawdown,
        zone=found.curve.zone,
    )


def _percent(share: float) -> str:
    return percent(Decimal(repr(round(share, 6))))


def done_share(share: float) -> str:
    return whole_percent(Decimal(repr(round(share, 2))))
