"""Candles from files: parquet, CSV and feather, one file for all symbols or a folder of files.

Columns, in any case and order: `open`, `high`, `low`, `close`, `volume`; a time (`ts`,
`timestamp`, `time`, `date`, `datetime`, or one without a name), which is when the bar OPENS; and a
`symbol`, unless the file's name begins with it (`BTC_USDT-1m.feather`).  Whole numbers are times
since 1970, in seconds to nanoseconds by their size; times without a zone are UTC.

A bar that is missing is a gap, and stays one (NaN).  Bars twice, out of order or off the grid are
refused with their line: nobody can say which of them is true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles, Panel
from trading.types import Symbol

PRICES = ("open", "high", "low", "close", "volume")
TIMES = ("ts", "timestamp", "time", "datetime", "date", "open_time", "unnamed: 0", "")
ENDINGS = (".parquet", ".csv", ".csv.gz", ".feather")
QUOTES = ("USDT", "USDC", "BUSD", "FDUSD", "USD", "EUR", "BTC", "ETH")
"""Of symbols that are written in one word, as in BTCUSDT."""
_MOST_PLACES = 100_000_000
"""Symbols times bars; more would not fit into the memory of a small machine."""
_UNITS = ((10**11, 1000.0), (10**14, 1.0), (10**17, 1e-3))
"""Below such a number a time counts in seconds, milliseconds, microseconds; else nanoseconds."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """What one file holds of one symbol; `lines` say where, for people."""

    source: str
    symbol: Symbol
    opens_at: NDArray[np.int64]
    """Milliseconds since 1970."""
    lines: NDArray[np.int64]
    prices: dict[str, Panel]


def read_candles(
    path: Path, *, timeframe: timedelta | None = None, symbols: Sequence[Symbol] | None = None
) -> Candles:
    """Return the candles in *path*, of *symbols* in their order, or of all there are.

    *timeframe*: None takes what the data has.  Raises `ValueError`, sentences for the operator.
    """
    parts = [part for file in _files(path) for part in _read(file, symbols)]
    if not parts:
        named = f" of {symbols[0]}" if symbols else ""
        raise ValueError(f"{path} has no candles{named}")
    wanted = tuple(symbols) if symbols is not None else tuple(sorted({p.symbol for p in parts}))
    there = {part.symbol for part in parts}
    missing = [symbol for symbol in wanted if symbol not in there]
    if missing:
        held = ", ".join(str(s) for s in sorted(there)[:8]) or "none that is wanted"
        raise ValueError(f"{path} has no candles of {missing[0]}; it has {held}")
    step = _step(parts, timeframe, path)
    for part in parts:
        _refuse_odd_times(part, step)
        _refuse_odd_prices(part)
    _refuse_other_moments(parts, step)
    return _panel(parts, wanted, step)


def parse_symbol(text: str) -> Symbol:
    """`BTC/USDT`, `BTC_USDT`, `BTC-USDT`, `BTC/USDT:USDT` or `BTCUSDT`.

    Raises `ValueError` for anything else.
    """
    name = text.strip().upper().partition(":")[0].replace("_", "/").replace("-", "/")
    if "/" in name:
        return Symbol.parse(name)
    for quote in QUOTES:
        if name.endswith(quote) and len(name) > len(quote):
            return Symbol.parse(f"{name.removesuffix(quote)}/{quote}")
    if name.isalnum():
        return Symbol(name, "USD")  # a share: AAPL
    raise ValueError(f"{text!r} is not a symbol")


def span(step: timedelta) -> str:
    """`1m`, `15m`, `1h`, `1d`, as timeframes are written."""
    seconds = int(step.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


# -- files ------------------------------------------------------------------------------------


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.name.endswith(ENDINGS))
        if not found:
            raise ValueError(f"{path} holds no file that ends in {', '.join(ENDINGS)}")
        return found
    if not path.exists():
        raise ValueError(f"There is no {path}")
    if not path.name.endswith(ENDINGS):
        raise ValueError(f"{path} is not one of {', '.join(ENDINGS)}")
    return [path]


def _read(file: Path, wanted: Sequence[Symbol] | None) -> Iterator[_Rows]:
    import pyarrow as pa

    try:
        table = _table(file)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        why = str(error).splitlines()[0]
        raise ValueError(f"{file} cannot be read: {why}") from None
    names = {str(name).strip().lower(): index for index, name in enumerate(table.column_names)}
    absent = [name for name in PRICES if name not in names]
    if absent:
        raise ValueError(f"{file} has no column {absent[0]}")
    time = next((name for name in TIMES if name in names), None)
    if time is None:
        raise ValueError(f"{file} has no column with times: {', '.join(TIMES[:5])}")
    opens_at = _milliseconds(table.column(names[time]), file)
    prices = {name: _floats(table.column(names[name]), name, file) for name in PRICES}
    first_line = 2 if ".csv" in file.name else 1
    for symbol, places in _places(table, names, file, wanted):
        yield _Rows(
            source=str(file),
            symbol=symbol,
            opens_at=opens_at[places],
            lines=places + first_line,
            prices={name: values[places] for name, values in prices.items()},
        )


def _table(file: Path) -> Any:
    if file.name.endswith(".parquet"):
        from pyarrow import parquet

        return parquet.read_table(file)
    if file.name.endswith(".feather"):
        from pyarrow import feather

        return feather.read_table(file)
    from pyarrow import csv

    return csv.read_csv(file)


def _places(
    table: Any, names: dict[str, int], file: Path, wanted: Sequence[Symbol] | None
) -> Iterator[tuple[Symbol, NDArray[np.int64]]]:
    """The rows of each symbol."""
    if "symbol" not in names:
        named = re.split(r"[-.]", file.name)[0]
        symbol = parse_symbol(named)
        if wanted is not None and len(wanted) == 1:
            symbol = wanted[0]  # one file, one symbol: it can only be this one
        if wanted is None or symbol in wanted:
            yield symbol, np.arange(table.num_rows)
        return
    encoded = table.column(names["symbol"]).combine_chunks().dictionary_encode()
    codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False))
    for code, text in enumerate(encoded.dictionary.to_pylist()):
        symbol = parse_symbol(str(text))
        if wanted is None or symbol in wanted:
            yield symbol, np.flatnonzero(codes == code)


def _milliseconds(column: Any, file: Path) -> NDArray[np.int64]:
    import pyarrow as pa
    from pyarrow import types

    is_date = types.is_date(column.type) or types.is_timestamp(column.type)
    try:
        if is_date:
            column = column.cast(pa.timestamp("ms"), safe=False)
        values = column.cast(pa.int64()).to_numpy()
    except pa.ArrowException:
        raise ValueError(f"{file}: its times are neither numbers nor dates") from None
    if values.dtype.kind != "i" or not len(values):
        raise ValueError(f"{file}: a time is missing")
    if is_date:
        return np.asarray(values, dtype=np.int64)
    largest = int(values.max())
    factor = next((f for limit, f in _UNITS if largest < limit), 1e-6)
    return np.asarray(values if factor == 1.0 else values * factor, dtype=np.int64)


def _floats(column: Any, name: str, file: Path) -> Panel:
    import pyarrow as pa

    try:
        values = column.cast(pa.float64()).to_numpy()
    except pa.ArrowException:
        raise ValueError(f"{file}: the column {name} holds what is no number") from None
    return np.asarray(values, dtype=np.float64)


# -- what is refused --------------------------------------------------------------------------


def _size(step: timedelta) -> int:
    return int(step.total_seconds() * 1000)


def _clock(part: _Rows) -> str:
    return f"{datetime.fromtimestamp(int(part.opens_at[0]) / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _apart(part: _Rows) -> int:
    """What all distances between its bars are multiples of, in ms; 0: it has one bar."""
    return int(np.gcd.reduce(np.diff(part.opens_at)))


def _step(parts: Sequence[_Rows], timeframe: timedelta | None, path: Path) -> timedelta:
    steps = [np.diff(part.opens_at) for part in parts]
    positive = [int(each[each > 0].min()) for each in steps if (each > 0).any()]
    if not positive:
        raise ValueError(f"{path} has one bar only")
    found = timedelta(milliseconds=min(positive))
    if timeframe is not None and found != timeframe:
        raise ValueError(f"{path} has candles of {span(found)}, and {span(timeframe)} is wanted")
    return found


def _refuse_odd_times(part: _Rows, step: timedelta) -> None:
    steps = np.diff(part.opens_at)
    for wrong, what in ((steps == 0, "stands there twice"), (steps < 0, "comes after a later bar")):
        if wrong.any():
            _refuse(part, int(wrong.argmax()) + 1, what)
    off = (part.opens_at - part.opens_at[0]) % int(step.total_seconds() * 1000) != 0
    if off.any():
        _refuse(part, int(off.argmax()), f"lies between two bars of {span(step)}")


def _refuse_other_moments(parts: Sequence[_Rows], step: timedelta) -> None:
    """Bars that share a column close at one moment: else one symbol would see another's future."""
    size = _size(step)
    first = next(part for part in parts if _apart(part) == size)
    for part in parts:
        apart = _apart(part)
        if (int(part.opens_at[0]) - int(first.opens_at[0])) % size:
            raise ValueError(
                f"The bars of {span(step)} of {first.symbol} open at {_clock(first)}, those of "
                f"{part.symbol} at {_clock(part)} ({first.source}, {part.source}). Side by side "
                "one would see the other's future: take them one by one, as in --symbols "
                f"{part.symbol}, or give them bars that open together"
            )
        if apart > size:
            raise ValueError(
                f"{part.source} has bars of {span(timedelta(milliseconds=apart))} of "
                f"{part.symbol}, {first.source} of {span(step)} of {first.symbol}. Side by side "
                "the shorter ones would see the future in the longer ones: give them one length"
            )


def _refuse_odd_prices(part: _Rows) -> None:
    opened, high, low, close, volume = (part.prices[name] for name in PRICES)
    stacked = np.vstack([opened, high, low, close, volume])
    there = np.isfinite(stacked)
    half = there.any(axis=0) & ~there.all(axis=0)
    if half.any():
        _refuse(part, int(half.argmax()), "has prices that are no numbers")
    if (stacked[:4] <= 0).any():
        _refuse(
            part, int((stacked[:4] <= 0).any(axis=0).argmax()), "has a price that is not above 0"
        )
    if (volume < 0).any():
        _refuse(part, int((volume < 0).argmax()), "has a volume below 0")
    odd = (high < np.maximum(opened, close)) | (low > np.minimum(opened, close))
    if odd.any():
        _refuse(part, int(odd.argmax()), "has a high or low that its open or close lies beyond")


def _refuse(part: _Rows, index: int, what: str) -> None:
    at = datetime.fromtimestamp(int(part.opens_at[index]) / 1000, UTC)
    where = f"{'line' if '.csv' in part.source else 'row'} {part.lines[index]}"
    raise ValueError(f"{part.source}, {where}: {part.symbol} at {at:%Y-%m-%d %H:%M:%S} {what}")


# -- the panel --------------------------------------------------------------------------------


def _panel(parts: Sequence[_Rows], symbols: tuple[Symbol, ...], step: timedelta) -> Candles:
    size = int(step.total_seconds() * 1000)
    first = min(int(part.opens_at[0]) for part in parts)
    last = max(int(part.opens_at[-1]) for part in parts)
    bars = (last - first) // size + 1
    if bars * len(symbols) > _MOST_PLACES:
        raise ValueError(
            f"{len(symbols)} symbols over {bars} bars of {span(step)} are too much at once"
        )
    panels = {name: np.full((len(symbols), bars), np.nan) for name in PRICES}
    filled: dict[Symbol, str] = {}
    for part in parts:
        if part.symbol in filled:
            raise ValueError(f"{part.symbol} is in {filled[part.symbol]} and in {part.source}")
        filled[part.symbol] = part.source
        row, columns = symbols.index(part.symbol), (part.opens_at - first) // size
        for name, values in part.prices.items():
            panels[name][row, columns] = values
    times = np.arange(bars, dtype=np.int64) * size + first + size
    return Candles(
        symbols=symbols, times=times, open=panels["open"], high=panels["high"],
        low=panels["low"], close=panels["close"], volume=panels["volume"],
    )  # fmt: skip
