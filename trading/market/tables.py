"""Candles from files: parquet, feather and text, one file for all symbols or a folder of files.

Columns, in any case and order: `open`, `high`, `low`, `close`, `volume`; a time, which is when the
bar OPENS; and a `symbol`, unless the file's name has it (`BTC_USDT-1m.feather`).  How one file is
read: `files/`.  Here its bars become rows of a panel, next to those of other files.

A bar that is missing is a gap, and stays one (NaN).  Bars twice, in disorder or off the grid are
refused with their line: nobody can say which of them is true.  Newest first is an order, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles, Panel
from trading.market.files.amounts import amounts
from trading.market.files.moments import milliseconds
from trading.market.files.names import has_quote, meant, named, parse_symbol, span
from trading.market.files.sheets import ENDINGS, PRICES, Sheet, is_read, read_sheet
from trading.types import Symbol

__all__ = ["Read", "parse_symbol", "read", "read_candles", "span"]

_MOST_PLACES = 100_000_000
"""Symbols times bars; more would not fit into the memory of a small machine."""
_HOUR = 3_600_000
_NO_CANDLES = re.compile(r"(mark|index|premium|funding)", re.IGNORECASE)
"""Words in the names of files that stand beside candles and are none of a market."""
_SHOWN = 8
"""Symbols or files that are named in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Candles, and what is to be said about how they were found."""

    candles: Candles
    notes: tuple[str, ...] = ()
    """Sentences without a full stop: what was taken for what, and what was left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """What one file holds of one symbol, oldest first; `sheet` and `rows` say where, for people."""

    sheet: Sheet
    symbol: Symbol
    opens_at: NDArray[np.int64]
    """Milliseconds since 1970."""
    rows: NDArray[np.int64]
    prices: Mapping[str, Panel]

    @property
    def source(self) -> str:
        return self.sheet.source

    @property
    def apart(self) -> int:
        """What all distances between its bars are multiples of, in ms; 0: it has one bar."""
        return int(np.gcd.reduce(np.diff(self.opens_at)))

    @property
    def opens(self) -> str:
        return _clock(int(self.opens_at[0]))


def read_candles(
    path: Path, *, timeframe: timedelta | None = None, symbols: Sequence[Symbol] | None = None
) -> Candles:
    """Return the candles in *path*: see `read`."""
    return read(path, timeframe=timeframe, symbols=symbols).candles


def read(
    path: Path, *, timeframe: timedelta | None = None, symbols: Sequence[Symbol] | None = None
) -> Read:
    """Return the candles in *path*, of *symbols* in their order, or of all there are.

    *timeframe*: None takes what the data has.  Raises `ValueError`, sentences for the operator.
    """
    notes: list[str] = []
    parts = [part for file in _files(path, symbols, notes) for part in _rows(file, symbols, notes)]
    parts = _of_one_length(parts, timeframe, notes)
    _refuse_missing(path, parts, symbols)
    wanted = tuple(symbols) if symbols is not None else tuple(sorted({p.symbol for p in parts}))
    step = _step(parts, timeframe, path)
    for part in parts:
        _refuse_odd_times(part, step)
        _refuse_odd_prices(part)
    _refuse_other_moments(parts, step)
    return Read(candles=_panel(parts, wanted, step), notes=tuple(dict.fromkeys(notes)))


# -- files ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    alone: bool
    """It was named itself, not found in a folder."""


def _files(path: Path, wanted: Sequence[Symbol] | None, notes: list[str]) -> Iterator[_File]:
    if not path.exists():
        raise ValueError(f"There is no {path}")
    if not path.is_dir():
        if not is_read(path):
            raise ValueError(
                f"{path} is not one of {', '.join(ENDINGS)}. Text with candles is read as .csv"
            )
        yield _File(path, alone=True)
        return
    there = (file for file in path.iterdir() if not file.name.startswith("."))
    found = sorted(file for file in there if file.is_file() and is_read(file))
    if not found:
        folders = sorted(each.name for each in path.iterdir() if each.is_dir())
        inner = f"; it holds the folders {', '.join(folders[:_SHOWN])}" if folders else ""
        raise ValueError(f"{path} holds no file that ends in {', '.join(ENDINGS)}{inner}")
    for file in found:
        says = named(file.name)
        if says.symbol is not None and _NO_CANDLES.search(file.name):
            notes.append(f"{file.name} was left out: its name says that it holds no candles")
        elif says.has_quote and wanted is not None and says.symbol not in wanted:
            continue  # of hundreds of files few are wanted
        else:
            yield _File(file, alone=False)


def _rows(file: _File, wanted: Sequence[Symbol] | None, notes: list[str]) -> Iterator[_Rows]:
    import pyarrow as pa

    sheet = read_sheet(file.path)
    places = dict(_places(sheet, file, wanted, notes))
    if not places:
        return
    try:
        opens_at, prices = milliseconds(sheet), amounts(sheet)
    except pa.ArrowException as error:
        raise ValueError(f"{file.path} cannot be read: {str(error).splitlines()[0]}") from None
    for symbol, rows in places.items():
        times = opens_at[rows]
        if len(rows) > 1 and (np.diff(times) <= 0).all():
            rows, times = rows[::-1], times[::-1]  # noqa: PLW2901  # newest first
        yield _Rows(
            sheet=sheet, symbol=symbol, opens_at=times, rows=rows,
            prices={name: values[rows] for name, values in prices.items()},
        )  # fmt: skip


def _places(
    sheet: Sheet, file: _File, wanted: Sequence[Symbol] | None, notes: list[str]
) -> Iterator[tuple[Symbol, NDArray[np.int64]]]:
    """The rows of each symbol that is wanted."""
    if "symbol" not in sheet.columns:
        symbol = _named(file, wanted, notes)
        if symbol is not None:
            yield symbol, np.arange(sheet.rows)
        return
    encoded = sheet.columns["symbol"].combine_chunks().dictionary_encode()
    if encoded.null_count:
        row = int(np.flatnonzero(encoded.is_null().to_numpy(zero_copy_only=False))[0])
        raise ValueError(f"{sheet.where(row)}: a symbol is missing")
    codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False))
    found: dict[Symbol, list[int]] = {}
    for code, text in enumerate(map(str, encoded.dictionary.to_pylist())):
        try:
            symbol = meant(parse_symbol(text), wanted, has_quote=has_quote(text))
        except ValueError as error:
            raise ValueError(f"{sheet.source}: {error}") from None
        found.setdefault(symbol, []).append(code)
    fitting = [symbol for symbol in found if wanted is None or symbol in wanted]
    for symbol in fitting or (found if file.alone else ()):  # what else there is, is told
        yield symbol, np.flatnonzero(np.isin(codes, found[symbol]))


def _named(file: _File, wanted: Sequence[Symbol] | None, notes: list[str]) -> Symbol | None:
    """Whose candles a file holds that does not say it itself; None: it is not wanted."""
    says, only = named(file.path.name), wanted[0] if wanted and len(wanted) == 1 else None
    if says.symbol is not None:
        found = meant(says.symbol, wanted, has_quote=says.has_quote)
        if found != says.symbol:
            notes.append(f"{file.path.name} was taken as {found}: it names no currency")
        if wanted is None or found in wanted or file.alone:
            return found
        return None
    if only is not None:
        notes.append(f"{file.path.name} was taken as {only}: neither name nor column tells")
        return only
    if not file.alone and wanted is not None:
        notes.append(f"{file.path.name} was left out: neither its name nor a column has a symbol")
        return None
    raise ValueError(
        f"Whose candles are in {file.path}? Neither its name nor a column says it. Call it as in "
        "BTC_USDT-1h.csv, or name one symbol, as in --symbols BTC/USDT"
    )


# -- one length, all symbols ------------------------------------------------------------------


def _of_one_length(
    parts: Sequence[_Rows], timeframe: timedelta | None, notes: list[str]
) -> list[_Rows]:
    """One part for each symbol: that of the *timeframe*, where there are several."""
    kept: list[_Rows] = []
    for symbol in dict.fromkeys(part.symbol for part in parts):
        those = [part for part in parts if part.symbol == symbol]
        fitting = [p for p in those if timeframe is not None and p.apart == _size(timeframe)]
        if fitting and len(fitting) < len(those):
            others = (part for part in those if part not in fitting and part.apart)
            notes.extend(f"{_name(part)} was left out: bars of {_length(part)}" for part in others)
            those = [part for part in those if part in fitting or not part.apart]
        kept += [_one_after_the_other(those)]
    return kept


def _one_after_the_other(parts: Sequence[_Rows]) -> _Rows:
    """A symbol whose bars are spread over files, as by months.  Raises `ValueError`, a sentence."""
    ordered = sorted(parts, key=lambda part: int(part.opens_at.min()))
    whole = ordered[0]
    for part in ordered[1:]:
        lengths = {p.apart for p in (whole, part) if p.apart}
        if len(lengths) > 1:
            raise ValueError(
                f"{part.symbol} is in {whole.source} with bars of {_length(whole)}, and in "
                f"{part.source} with bars of {_length(part)}. Name one of the two files, or say "
                f"which bars are meant, as in --timeframe {_length(part)}"
            )
        if part.opens_at.min() <= whole.opens_at.max():
            raise ValueError(
                f"{part.symbol} is in {whole.source} and in {part.source}, both at "
                f"{_clock(int(part.opens_at.min()))}. Name the file that is meant, or take the "
                "other one out of the folder"
            )
        whole = replace(
            whole,
            opens_at=np.concatenate([whole.opens_at, part.opens_at]),
            rows=np.concatenate([whole.rows, part.rows]),
            prices={n: np.concatenate([whole.prices[n], part.prices[n]]) for n in PRICES},
        )
    return whole


def _refuse_missing(path: Path, parts: Sequence[_Rows], wanted: Sequence[Symbol] | None) -> None:
    there = sorted({part.symbol for part in parts})
    missing = [symbol for symbol in wanted or () if symbol not in there]
    if missing:
        several = "" if len(missing) == 1 else f" and {len(missing) - 1} more"
        others = _told(there) if there else "none that is wanted"
        if there and not any("symbol" in part.sheet.columns for part in parts):
            others += ", by the name of the file" if len(parts) == 1 else ", by names of files"
        said = ",".join(map(str, there[:_SHOWN])) if there else "all"
        raise ValueError(
            f"{path} has no candles of {missing[0]}{several}; it has {others}. To take what it "
            f"has: --symbols {said}"
        )
    if not parts:
        raise ValueError(f"{path} has no candles")


def _told(symbols: Sequence[Symbol]) -> str:
    more = f" and {len(symbols) - _SHOWN} more" if len(symbols) > _SHOWN else ""
    return ", ".join(map(str, symbols[:_SHOWN])) + more


# -- what is refused --------------------------------------------------------------------------


def _step(parts: Sequence[_Rows], timeframe: timedelta | None, path: Path) -> timedelta:
    steps = [np.diff(part.opens_at) for part in parts]
    positive = [int(each[each > 0].min()) for each in steps if (each > 0).any()]
    if not positive:
        raise ValueError(
            f"{path} has one bar only of {parts[0].symbol}, at {parts[0].opens}: from one bar "
            "nothing can be told"
        )
    found = timedelta(milliseconds=min(positive))
    if timeframe is not None and found != timeframe:
        raise ValueError(
            f"{path} has candles of {span(found)}, and {span(timeframe)} is wanted. To take them "
            f"as they are: --timeframe {span(found)}"
        )
    return found


def _refuse_odd_times(part: _Rows, step: timedelta) -> None:
    steps = np.diff(part.opens_at)
    for wrong, what in ((steps == 0, "stands there twice"), (steps < 0, "comes after a later bar")):
        if wrong.any():
            _refuse(part, int(wrong.argmax()) + 1, what)
    off = (part.opens_at - part.opens_at[0]) % _size(step) != 0
    if not off.any():
        return
    if _size(step) % _HOUR == 0 and not ((steps - _size(step)) % _HOUR).any():
        hours = sorted({int(at) for at in part.opens_at // _HOUR % 24})
        if len(hours) == 2:  # noqa: PLR2004  # summer and winter
            raise ValueError(
                f"{part.source}: the days of {part.symbol} begin at {hours[0]:02}:00 and at "
                f"{hours[1]:02}:00 UTC, as days of a zone with summer time do. Write them as days "
                "without a time and a zone"
            )
    _refuse(part, int(off.argmax()), f"lies between two bars of {span(step)}")


def _refuse_other_moments(parts: Sequence[_Rows], step: timedelta) -> None:
    """Bars that share a column close at one moment: else one symbol would see another's future."""
    size = _size(step)
    first = next(part for part in parts if part.apart == size)
    for part in parts:
        if (int(part.opens_at[0]) - int(first.opens_at[0])) % size:
            raise ValueError(
                f"The bars of {span(step)} of {first.symbol} open at {first.opens}, those of "
                f"{part.symbol} at {part.opens} ({first.source}, {part.source}). Side by side "
                "one would see the other's future: take them one by one, as in --symbols "
                f"{part.symbol}, or give them bars that open together"
            )
        if part.apart > size:
            raise ValueError(
                f"{part.source} has bars of {_length(part)} of {part.symbol}, {first.source} of "
                f"{span(step)} of {first.symbol}. Side by side the shorter ones would see the "
                "future in the longer ones: give them one length"
            )


def _refuse_odd_prices(part: _Rows) -> None:
    opened, high, low, close, volume = (part.prices[name] for name in PRICES)
    stacked = np.vstack([opened, high, low, close, volume])
    there = np.isfinite(stacked)
    gap = np.isnan(stacked[:4]).all(axis=0)  # nothing was traded, whatever its volume says
    half = ~gap & ~there.all(axis=0)
    if half.any():
        _refuse(part, int(half.argmax()), "has prices that are no numbers")
    not_above = (stacked[:4] <= 0).any(axis=0)
    if not_above.any():
        _refuse(part, int(not_above.argmax()), "has a price that is not above 0")
    if (volume < 0).any():
        _refuse(part, int((volume < 0).argmax()), "has a volume below 0")
    odd = (high < np.maximum(opened, close)) | (low > np.minimum(opened, close))
    if odd.any():
        guessed = "" if part.sheet.has_header else _GUESSED
        _refuse(
            part,
            int(odd.argmax()),
            f"has a high or low that its open or close lies beyond{guessed}",
        )


_GUESSED = (
    ". Nothing names its columns: they were taken as time, open, high, low, close, volume. Give "
    "it a first line with their names"
)


def _refuse(part: _Rows, index: int, what: str) -> None:
    where = part.sheet.where(int(part.rows[index]))
    raise ValueError(f"{where}: {part.symbol} at {_clock(int(part.opens_at[index]))} {what}")


# -- the panel --------------------------------------------------------------------------------


def _panel(parts: Iterable[_Rows], symbols: tuple[Symbol, ...], step: timedelta) -> Candles:
    size, parts = _size(step), list(parts)
    first = min(int(part.opens_at[0]) for part in parts)
    last = max(int(part.opens_at[-1]) for part in parts)
    bars = (last - first) // size + 1
    if bars * len(symbols) > _MOST_PLACES:
        raise ValueError(
            f"{len(symbols)} symbols over {bars} bars of {span(step)} are too much at once: take "
            "fewer symbols, as in --symbols BTC/USDT, or a shorter file"
        )
    panels = {name: np.full((len(symbols), bars), np.nan) for name in PRICES}
    for part in parts:
        row, columns = symbols.index(part.symbol), (part.opens_at - first) // size
        gap = np.isnan(part.prices["close"])
        for name, values in part.prices.items():
            panels[name][row, columns] = np.where(gap, np.nan, values)
    times = np.arange(bars, dtype=np.int64) * size + first + size
    return Candles(
        symbols=symbols, times=times, open=panels["open"], high=panels["high"],
        low=panels["low"], close=panels["close"], volume=panels["volume"],
    )  # fmt: skip


def _size(step: timedelta) -> int:
    return int(step.total_seconds() * 1000)


def _length(part: _Rows) -> str:
    return span(timedelta(milliseconds=part.apart))


def _name(part: _Rows) -> str:
    return Path(part.source).name


def _clock(milliseconds_: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds_ / 1000, UTC):%Y-%m-%d %H:%M:%S}"
