"""Candles from files: parquet, feather and text, one file for all symbols or a folder of files.

Columns, in any case and order: `open`, `high`, `low`, `close`, `volume`; a time, which is when the
bar OPENS; and a `symbol`, unless the file's name has it (`BTC_USDT-1m.feather`).  How one file is
read: `files/`.  Here its bars become rows of a panel, next to those of other files.

A bar that is missing is a gap, and stays one (NaN).  Bars twice, in disorder or off the grid are
refused with their line: nobody can say which of them is true.  Newest first is an order, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trading.market.candles import Candles
from trading.market.files.amounts import amounts
from trading.market.files.bars import BarRows, clock, in_ms, refuse_flaws
from trading.market.files.moments import milliseconds
from trading.market.files.names import has_quote, length_said, meant, named_of, parse_symbol, span
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
    files, others = _files(path, symbols, notes)
    parts = [part for file in files for part in _rows(file, symbols, notes, others)]
    parts = _of_one_length(parts, timeframe, notes)
    _refuse_missing(path, parts, symbols, others, notes)
    wanted = tuple(symbols) if symbols is not None else tuple(sorted({p.symbol for p in parts}))
    step = _step(parts, timeframe, path)
    refuse_flaws(parts, step)
    for part in parts:
        said = length_said(part.name)
        if said not in {"", span(step), f"{in_ms(step) // 60_000}m"}:
            notes.append(f"{part.name} says {said}, and holds bars of {span(step)}")
    return Read(candles=_panel(parts, wanted, step), notes=tuple(dict.fromkeys(notes)))


# -- files ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _TableFile:
    path: Path
    alone: bool
    """It was named itself, not found in a folder."""


def _files(
    path: Path, wanted: Sequence[Symbol] | None, notes: list[str]
) -> tuple[list[_TableFile], set[Symbol]]:
    """Those to read, and the symbols that others are named after."""
    if not path.exists():
        raise ValueError(f"There is no {path}")
    if not path.is_dir():
        if not is_read(path):
            raise ValueError(
                f"{path} is not one of {', '.join(ENDINGS)}. Text with candles is read as .csv"
            )
        return [_TableFile(path, alone=True)], set()
    there = (file for file in path.iterdir() if not file.name.startswith("."))
    found = sorted(file for file in there if file.is_file() and is_read(file))
    if not found:
        folders = sorted(each.name for each in path.iterdir() if each.is_dir())
        inner = f"; it holds the folders {', '.join(folders[:_SHOWN])}" if folders else ""
        raise ValueError(f"{path} holds no file that ends in {', '.join(ENDINGS)}{inner}")
    kept, others = list[_TableFile](), set[Symbol]()
    for file in found:
        says = named_of(file)
        if says.symbol is not None and _NO_CANDLES.search(file.name):
            notes.append(f"{file.name} was left out: its name says that it holds no candles")
        elif says.symbol and says.has_quote and wanted is not None and says.symbol not in wanted:
            others.add(says.symbol)  # of hundreds of files few are wanted
        else:
            kept.append(_TableFile(file, alone=False))
    return kept, others


def _rows(
    file: _TableFile, wanted: Sequence[Symbol] | None, notes: list[str], others: set[Symbol]
) -> Iterator[BarRows]:
    import pyarrow as pa

    sheet = read_sheet(file.path)
    places = dict(_places(sheet, file, wanted, notes, others))
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
        yield BarRows(
            sheet=sheet, symbol=symbol, opens_at=times, rows=rows,
            prices={name: values[rows] for name, values in prices.items()},
        )  # fmt: skip


def _places(
    sheet: Sheet, file: _TableFile, wanted: Sequence[Symbol] | None, notes: list[str],
    others: set[Symbol],
) -> Iterator[tuple[Symbol, NDArray[np.int64]]]:  # fmt: skip
    """The rows of each symbol that is wanted."""
    if "symbol" not in sheet.columns:
        symbol = _named(file, wanted, notes, others)
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


def _named(
    file: _TableFile, wanted: Sequence[Symbol] | None, notes: list[str], others: set[Symbol]
) -> Symbol | None:
    """Whose candles a file holds that does not say it itself; None: it is not wanted."""
    says, only = named_of(file.path), wanted[0] if wanted and len(wanted) == 1 else None
    if says.symbol is not None:
        found = meant(says.symbol, wanted, has_quote=says.has_quote)
        if found != says.symbol:
            notes.append(f"{file.path.name} was taken as {found}: it names no currency")
        if wanted is None or found in wanted or file.alone:
            return found
        others.add(found)
        return None
    several = " and ".join(says.several)
    if only is not None and (not several or {str(only), only.base} & {*says.several}):
        why = f"its name has {several}" if several else "neither name nor column tells"
        notes.append(f"{file.path.name} was taken as {only}: {why}")
        return only
    untold = f"its name has {several}, and" if several else "neither its name nor"
    tells = "no column has a symbol" if several else "a column has a symbol"
    if not file.alone and wanted is not None:
        notes.append(f"{file.path.name} was left out: {untold} {tells}")
        return None
    raise ValueError(
        f"Whose candles are in {file.path}? {untold[0].upper()}{untold[1:]} {tells}. Call it as in "
        "BTC_USDT-1h.csv, or name one symbol, as in --symbols BTC/USDT"
    )


# -- one length, all symbols ------------------------------------------------------------------


def _of_one_length(
    parts: Sequence[BarRows], timeframe: timedelta | None, notes: list[str]
) -> list[BarRows]:
    """Those of the *timeframe*, where a symbol is there in several; oldest first for each."""
    kept: list[BarRows] = []
    for symbol in dict.fromkeys(part.symbol for part in parts):
        those = [part for part in parts if part.symbol == symbol]
        fitting = [p for p in those if timeframe is not None and p.apart == in_ms(timeframe)]
        if fitting and len(fitting) < len(those):
            others = (part for part in those if part not in fitting and part.apart)
            notes.extend(f"{part.name} was left out: bars of {part.length}" for part in others)
            those = [part for part in those if part in fitting or not part.apart]
        kept += _one_after_the_other(those)
    return kept


def _one_after_the_other(parts: Sequence[BarRows]) -> list[BarRows]:
    """A symbol whose bars are spread over files, as by months.  Raises `ValueError`, a sentence."""
    ordered = sorted(parts, key=lambda part: int(part.opens_at.min()))
    for before, part in pairwise(ordered):
        if before.apart and part.apart and before.apart != part.apart:
            raise ValueError(
                f"{part.symbol} is in {before.source} with bars of {before.length}, and in "
                f"{part.source} with bars of {part.length}. Name one of the two files, or say "
                f"which bars are meant, as in --timeframe {part.length}"
            )
        if part.opens_at.min() <= before.opens_at.max():
            raise ValueError(
                f"{part.symbol} is in {before.source} and in {part.source}, both at "
                f"{clock(int(part.opens_at.min()))}. Name the file that is meant, or take the "
                "other one out of the folder"
            )
    return ordered


def _step(parts: Sequence[BarRows], timeframe: timedelta | None, path: Path) -> timedelta:
    apart = [part.apart for part in parts if part.apart]
    if not apart:
        raise ValueError(
            f"{path} has one bar only of {parts[0].symbol}, at {parts[0].opens}: from one bar "
            "nothing can be told"
        )
    found = timedelta(milliseconds=min(apart))
    if timeframe is not None and found != timeframe:
        raise ValueError(
            f"{path} has candles of {span(found)}, and {span(timeframe)} is wanted. To take them "
            f"as they are: --timeframe {span(found)}"
        )
    return found


def _refuse_missing(
    path: Path, parts: Sequence[BarRows], wanted: Sequence[Symbol] | None, others: set[Symbol],
    notes: Sequence[str],
) -> None:  # fmt: skip
    there = sorted({part.symbol for part in parts} | others)
    missing = [symbol for symbol in wanted or () if symbol not in there]
    if missing:
        several = "" if len(missing) == 1 else f" and {len(missing) - 1} more"
        none = f"{path} has no candles of {missing[0]}{several}"
        if not there:
            raise ValueError(". ".join([none, *notes[:_SHOWN]]))
        said = ",".join(map(str, there[:_SHOWN]))
        raise ValueError(
            f"{none}; it has {_told(there)}{_by(parts, others)}. To take what it has: "
            f"--symbols {said}"
        )
    if not parts:
        raise ValueError(". ".join([f"{path} has no candles", *notes[:_SHOWN]]))


def _by(parts: Sequence[BarRows], others: set[Symbol]) -> str:
    """How it is known whose candles they are, where no column says it."""
    if any("symbol" in part.sheet.columns for part in parts):
        return ""
    if others or len(parts) > 1:
        return ", by names of files"
    return f", by the {named_of(Path(parts[0].source)).by}"


def _told(symbols: Sequence[Symbol]) -> str:
    more = f" and {len(symbols) - _SHOWN} more" if len(symbols) > _SHOWN else ""
    return ", ".join(map(str, symbols[:_SHOWN])) + more


# -- the panel --------------------------------------------------------------------------------


def _panel(parts: Iterable[BarRows], symbols: tuple[Symbol, ...], step: timedelta) -> Candles:
    long, parts = in_ms(step), list(parts)
    first = min(int(part.opens_at[0]) for part in parts)
    last = max(int(part.opens_at[-1]) for part in parts)
    bars = (last - first) // long + 1
    if bars * len(symbols) > _MOST_PLACES:
        raise ValueError(
            f"{len(symbols)} symbols over {bars} bars of {span(step)} are too much at once: take "
            "fewer symbols, as in --symbols BTC/USDT, or a shorter file"
        )
    panels = {name: np.full((len(symbols), bars), np.nan) for name in PRICES}
    for part in parts:
        row, columns = symbols.index(part.symbol), (part.opens_at - first) // long
        gap = np.isnan(part.prices["close"])
        for name, values in part.prices.items():
            panels[name][row, columns] = np.where(gap, np.nan, values)
    times = np.arange(bars, dtype=np.int64) * long + first + long
    return Candles(
        symbols=symbols, times=times, open=panels["open"], high=panels["high"],
        low=panels["low"], close=panels["close"], volume=panels["volume"],
    )  # fmt: skip
