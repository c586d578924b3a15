"""The desk as a process at its own pace trades what `quarterdeck backtest` says, to the cent.

Nobody moves a clock here: bars close in the midst of a second, fills come a moment later, and the
machine may be late.  What rests for whole bars must end with the same bar all the same.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.process import books
from tests.process.conftest import NewDesk
from tests.process.desk_process import quarterdeck
from trading.market.recording import Recording, crash_of_may_2021
from trading.types import Trade

MINUTE = timedelta(minutes=1)
PACE = {"QUARTERDECK__FEEDS__CRASH__SPEED": "1800"}
"""Thirty bars a second: the eight hours of the recording last 16 s."""
TRADERS = {
    "no rest between two entries": {"LIMITS__SYMBOL_REST": "0s"},
    "every rest a whole number of bars, every kind of exit": {
        "LIMITS__SYMBOL_REST": "1m",
        "LIMITS__SYMBOL_REST_AFTER_STOP": "3m",
        "LIMITS__LOSS_STREAK": "2",
        "LIMITS__LOSS_STREAK_REST": "5m",
        "LIMITS__ENTRY_SPACING": "2m",
        "LIMITS__ENTRIES_PER_HOUR": "12",
        "PARAMETERS__FAST": "3",
        "PARAMETERS__SLOW": "8",
        "EXITS__TIME_LIMIT": "12m",
        "EXITS__TRAIL_R": "1.5",
        "EXITS__BREAK_EVEN": "true",
        "EXITS__PARTIALS": '[{"share": 0.5, "at_r": 1}]',
    },
    "orders that rest, and are too large for a bar": {
        "LIMITS__SYMBOL_REST": "0s",
        "LIMITS__LOSS_STREAK_REST": "0s",
        "PARAMETERS__FAST": "3",
        "PARAMETERS__SLOW": "8",
        "ENTRIES__STYLE": "limit",
        "ENTRIES__MAX_AGE": "4m",
        "VENUES__PAPER__PARTICIPATION": "0.0001",
    },
}


def set_up(changes: Mapping[str, str]) -> dict[str, str]:
    """As settings by environment."""
    return PACE | {
        f"QUARTERDECK__{'' if key.startswith('VENUES') else 'TRADERS__MAJORS__'}{key}": value
        for key, value in changes.items()
    }


def written(recording: Recording, path: Path) -> Path:
    """Its candles as a file that an operator might have."""
    candles = recording.candles
    with path.open("w", newline="", encoding="utf-8") as opened:
        lines = csv.writer(opened)
        lines.writerow(("ts", "symbol", "open", "high", "low", "close", "volume"))
        for column, closed in enumerate(candles.times.tolist()):
            for row, symbol in enumerate(candles.symbols):
                panels = (candles.open, candles.high, candles.low, candles.close, candles.volume)
                figures = [repr(float(panel[row, column])) for panel in panels]
                lines.writerow((closed - 60_000, str(symbol), *figures))
    return path


def seen(trades: Sequence[Trade]) -> list[tuple[object, ...]]:
    return sorted(
        (
            *(str(t.symbol), t.side.held, str(t.reason)),
            *(t.opened_at, t.closed_at, t.profit.quantize(Decimal("0.01"))),
        )
        for t in trades
    )


def promised(trades: list[dict[str, str]]) -> list[tuple[object, ...]]:
    moment = datetime.fromisoformat
    return sorted(
        (
            *(t["symbol"], t["side"], t["reason"]),
            *(moment(t["opened_at"]), moment(t["closed_at"])),
            Decimal(t["profit"]).quantize(Decimal("0.01")),
        )
        for t in trades
    )


@pytest.mark.slow
@pytest.mark.parametrize("named", TRADERS)
async def test_a_process_at_its_own_pace_trades_as_its_backtest(
    named: str, new_desk: NewDesk, tmp_path: Path
) -> None:
    recording = crash_of_may_2021()
    environ = set_up(TRADERS[named])
    desk = new_desk(**environ).start()
    desk.alerts("FeedEnded")  # the end of the recording
    assert desk.terminate() == 0
    left = await books.read(desk.state)
    assert books.faults(left) == []

    done = quarterdeck(
        *("backtest", "--trader", "majors", "--json"),
        *("--data", written(recording, tmp_path / "candles.csv")),
        *("--from", recording.start.astimezone(UTC).isoformat()),
        cwd=tmp_path, **environ,
    )  # fmt: skip
    assert done.code == 0, done.err
    expected = promised(json.loads(done.out)["trades"])
    assert len(expected) > 10
    assert seen(left.trades) == expected
    assert all(trade.rest_from == trade.closed_at for trade in left.trades)
