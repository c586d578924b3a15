"""A file of candles as a table whose columns are known: parquet, feather, and text of any form.

Text may be packed, have a byte order mark, other line ends, `,` `;` `|` or tabs between its fields,
lines before the one that names the columns, or none that does.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRICES = ("open", "high", "low", "close", "volume")
TABLES = (".parquet", ".feather")
_TEXT = (".csv", ".tsv")
_PACKED: Mapping[str, str] = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
ENDINGS = (*TABLES, *_TEXT, *(text + packed for text in _TEXT for packed in _PACKED))
"""Of files that are read, in lower case; in a folder all others are left alone."""
_SEPARATORS = (",", ";", "\t", "|")
_LINES_BEFORE = 20
"""At most, before the one that names the columns."""
_NO_BAR = "the names of columns, and no bar"
_LONGEST = 60
"""Characters of a line that are repeated to people."""
_NOTHING = (
    "", "-", "--", "null", "NULL", "Null", "none", "None", "nan", "NaN", "NAN", "n/a", "N/A", "NA",
    "#N/A", "<NA>",
)  # fmt: skip

_ROLES: Mapping[str, tuple[str, ...]] = {
    "time": (
        "ts", "timestamp", "datetime", "date_time", "open_time", "opentime", "time_open",
        "open_timestamp", "time", "date", "unix", "unix_timestamp", "unix_time", "unixtime",
        "epoch", "gmt_time", "utc_time", "utc", "time_period_start", "period_start", "start",
        "start_time", "starttime", "begin", "candle_begin_time", "bar_time", "dtyyyymmdd", "t",
        "day", "unnamed_0", "index_level_0", "index", "",
    ),
    "open": ("open", "o", "open_price", "price_open", "opening_price"),
    "high": ("high", "h", "high_price", "price_high", "max"),
    "low": ("low", "l", "low_price", "price_low", "min"),
    "close": ("close", "c", "close_price", "price_close", "closing_price", "last", "price"),
    "volume": (
        "volume", "tickvol", "tick_volume", "vol", "v", "base_volume", "volume_base", "basevolume",
        "volume_from", "volumefrom", "volume_traded", "total_volume",
    ),
    "symbol": (
        "symbol", "ticker", "pair", "instrument", "instid", "inst_id", "tic", "product_id",
        "currency_pair", "coin",
    ),
}  # fmt: skip
"""What each column may be called, in plain words; the first that is there counts."""
_OF_QUOTE = re.compile(r"volume_(usd[tc]?|quote|currency|eur)")
_SPLIT = {"date": ("date", "dtyyyymmdd"), "clock": ("time", "hour")}
"""Day and time of day in columns of their own, as MetaTrader writes them."""
_UNNAMED = ("time", *PRICES)
"""Columns where nothing names them; more may follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Columns by their role; each a pyarrow column of one length."""

    source: str
    columns: Mapping[str, Any]
    """`time`, perhaps `clock` (the time of day), the five of `PRICES`, perhaps `symbol`."""
    rows: int
    first_line: int
    """Where the first row stands, as people count."""
    is_text: bool
    has_header: bool = True

    def where(self, row: int) -> str:
        """As in `candles.csv, line 4`."""
        return f"{self.source}, {'line' if self.is_text else 'row'} {row + self.first_line}"


def read_sheet(file: Path) -> Sheet:
    """Read *file*.  Raises `ValueError`, a sentence."""
    import pyarrow as pa

    try:
        if file.name.lower().endswith(TABLES):
            return _of_table(file)
        return _of_text(file)
    except (pa.ArrowException, OSError, EOFError, UnicodeError, csv.Error) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{file} cannot be read: {why}") from None


def is_read(file: Path) -> bool:
    """Whether its name says that it is one of those that are read."""
    return file.name.lower().endswith(ENDINGS)


# -- columns ----------------------------------------------------------------------------------


def _of_table(file: Path) -> Sheet:
    if file.name.lower().endswith(".parquet"):
        from pyarrow import parquet

        table = parquet.ParquetFile(file).read()
    else:
        from pyarrow import feather

        table = feather.read_table(file)
    return _sheet(file, table, roles(table.column_names), first_line=1, is_text=False)


def _sheet(
    file: Path, table: Any, found: Mapping[str, list[int]], *, first_line: int, is_text: bool,
    has_header: bool = True,
) -> Sheet:  # fmt: skip
    names = ", ".join(str(name) for name in table.column_names[:12])
    absent = [name for name in PRICES if name not in found]
    if absent:
        raise ValueError(f"{file} has no column {absent[0]}; it has {names}")
    if "time" not in found:
        raise ValueError(
            f"{file} has no column with the times at which its bars open (ts, timestamp, time, "
            f"date, open_time); it has {names}"
        )
    for role, those in found.items():
        if len(those) > 1:
            twice = listed_columns(table.column_names, those)
            raise ValueError(f"{file} has two columns for {role}: {twice}. Take one of them out")
    rows = _last_row([table.column(found[role][0]) for role in ("time", *PRICES)])
    if not rows:
        raise ValueError(f"{file} has {_NO_BAR}")
    columns = {role: table.column(those[0]).slice(0, rows) for role, those in found.items()}
    return Sheet(
        source=str(file), columns=columns, rows=rows, first_line=first_line, is_text=is_text,
        has_header=has_header,
    )  # fmt: skip


def _last_row(columns: Sequence[Any]) -> int:
    """Rows without the last ones in which nothing stands: spreadsheets write those."""
    rows = len(columns[0])
    while rows and not any(column[rows - 1].is_valid for column in columns):
        rows -= 1
    return rows


def listed_columns(names: Sequence[str], places: Sequence[int]) -> str:
    return " and ".join(repr(str(names[place])) for place in places)


def roles(names: Sequence[object]) -> dict[str, list[int]]:
    """Which column has which role: all that are called by the first name that is there."""
    plain = [re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_") for name in names]
    found: dict[str, list[int]] = {}
    for role, words in _ROLES.items():
        word = next((word for word in words if word in plain), None)
        if word is not None:
            found[role] = [place for place, name in enumerate(plain) if name == word]
    if "volume" not in found:
        of_base = [
            place
            for place, name in enumerate(plain)
            if name.startswith("volume_") and not _OF_QUOTE.match(name)
        ]
        if of_base:
            found["volume"] = of_base
    day, clock = (
        next((plain.index(w) for w in words if w in plain), None) for words in _SPLIT.values()
    )
    if day is not None and clock is not None and found["time"] in ([day], [clock]):
        found["time"], found["clock"] = [day], [clock]
    return found


# -- text -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How a text is laid out."""

    separator: str
    skipped: int
    """Lines before the names of the columns, or before the first row."""
    names: Sequence[str] | None
    """None: they stand in the text."""


def _of_text(file: Path) -> Sheet:
    import pyarrow as pa
    from pyarrow import csv as table

    text = _decoded(_unpacked(file), file)
    form = _form(text, file)
    header = form.names is None
    if header and not b"".join(text.split(b"\n", form.skipped + 1)[form.skipped + 1 :]).strip():
        raise ValueError(f"{file} has {_NO_BAR}")
    read = table.ReadOptions(
        skip_rows=form.skipped, column_names=None if form.names is None else list(form.names)
    )
    wrong: list[Any] = []

    def odd(row: Any) -> str:
        wrong.append(row)
        return "skip"

    found = table.read_csv(
        pa.BufferReader(text),
        read_options=read,
        parse_options=table.ParseOptions(delimiter=form.separator, invalid_row_handler=odd),
        convert_options=table.ConvertOptions(null_values=_NOTHING, strings_can_be_null=True),
    )
    if wrong:
        raise ValueError(_ragged(file, text, wrong[0]))
    return _sheet(
        file, found, roles(found.column_names), first_line=form.skipped + 1 + header,
        is_text=True, has_header=header,
    )  # fmt: skip


def _ragged(file: Path, text: bytes, row: Any) -> str:
    said = str(row.text)
    before = text.find(said.encode())
    line = text.count(b"\n", 0, max(0, before)) + 1
    return (
        f"{file}, line {line}: it has {row.actual_columns} fields where {row.expected_columns} are "
        f"expected: {clipped(said)}. A file that was cut off, or numbers with a decimal comma "
        "between commas, look like that: save it anew with points"
    )


def _unpacked(file: Path) -> bytes:
    import pyarrow as pa

    packed = _PACKED.get(file.suffix.lower())
    with pa.input_stream(str(file), compression=packed) as stream:
        return bytes(stream.read())


def _decoded(raw: bytes, file: Path) -> bytes:
    """As UTF-8, with plain line ends."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raw = raw.decode("utf-16").encode()
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if not raw.strip():
        raise ValueError(f"{file} is empty")
    if raw.startswith((b"PK\x03\x04", b"PAR1", b"ARROW1", b"\x1f\x8b")) or b"\x00" in raw[:4096]:
        raise ValueError(f"{file} is no text: unpack it, or give it the ending of what it is")
    if raw.lstrip()[:1] in (b"<", b"{", b"[") and not raw.lstrip()[:6].upper().startswith(
        (b"<DATE>", b"<TICKE")
    ):
        raise ValueError(f"{file} is a web page or JSON, not a table of candles: save it as CSV")
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1").encode()
    return raw


def _form(text: bytes, file: Path) -> _Form:
    lines = text[: 1 << 16].decode(errors="replace").split("\n")[: _LINES_BEFORE + 1]
    best, form = 0, None
    for skipped, line in enumerate(lines):
        for separator in _SEPARATORS:
            known = set(roles(_fields(line, separator))) - {"clock"}
            if len(known) > max(best, 2):
                best, form = len(known), _Form(separator=separator, skipped=skipped, names=None)
    if form is not None:
        return form
    for skipped, line in enumerate(lines):
        for separator in _SEPARATORS:
            fields = _fields(line, separator)
            names = _unnamed(fields)
            if names:
                return _Form(separator=separator, skipped=skipped, names=names)
    first = next(line for line in text.decode(errors="replace").split("\n") if line.strip())
    raise ValueError(
        f"{file} has no line that names its columns, and it does not begin as candles without one "
        f"do, time, open, high, low, close, volume: {clipped(first)}"
    )


def _fields(line: str, separator: str) -> list[str]:
    return next(csv.reader(io.StringIO(line), delimiter=separator), [])


def _unnamed(fields: Sequence[str]) -> list[str]:
    """Names for a row without any: time, open, high, low, close, volume; or day and time apart."""
    split = len(fields) > 1 and re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", fields[1].strip())
    known = ("date", *_UNNAMED) if split else _UNNAMED
    figures = fields[1 + bool(split) : len(known)]
    if len(fields) < len(known) or not all(map(_is_figure, figures)) or not _is_time(fields[0]):
        return []
    return [*known, *(f"column {place + 1}" for place in range(len(known), len(fields)))]


def _is_figure(field: str) -> bool:
    return re.fullmatch(r"[-+]?[\d.,]+(e[-+]?\d+)?", field.strip(), re.IGNORECASE) is not None


def _is_time(field: str) -> bool:
    return len(re.findall(r"\d", field)) > 5  # noqa: PLR2004  # the fewest digits of a day


def clipped(line: str) -> str:
    short = line.strip()
    return repr(short if len(short) <= _LONGEST else f"{short[:_LONGEST]}...")
