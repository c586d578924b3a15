"""Times as files have them, in milliseconds since 1970: numbers of any unit, dates of any form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.market.files.sheets import Sheet, clipped

Times = NDArray[np.int64]
_DAY = 86_400_000
_SCALES: tuple[tuple[str, float, float, float], ...] = (
    ("days of a spreadsheet", 20_000, 80_000, _DAY),
    ("seconds", 1e8, 1e11, 1e3),
    ("milliseconds", 1e11, 1e14, 1.0),
    ("microseconds", 1e14, 1e17, 1e-3),
    ("nanoseconds", 1e17, 9.3e18, 1e-6),
)
"""Unit, the least number and the first that is too large, milliseconds of one.  Between 1973 and
5138 no two units can be taken for each other."""
_FIRST_OF_SHEETS = 25_569
"""1 January 1970 as spreadsheets count days."""
_CALENDARS = (("%Y%m%d", 8), ("%Y%m%d%H%M", 12), ("%Y%m%d%H%M%S", 14))
_DAYS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y",
    "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%b %d, %Y", "%B %d, %Y", "%d %b %Y",
    "%d-%b-%Y", "%d %B %Y",
)  # fmt: skip
_CLOCKS = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", " %I-%p", " %H%M%S", " %H")
_ZONE = (
    r"^(?P<when>.*\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:\s?[AaPp][Mm])?)\s*"
    r"(?P<zone>Z|(?:UTC|GMT)?[+-]\d{2}:?\d{2}|UTC|GMT)$"
)
_SAMPLE = 200


def milliseconds(sheet: Sheet) -> Times:
    """Return when each row's bar opens, by the sheet's `time` and `clock`.

    Times without a zone are UTC.  Raises `ValueError`, a sentence.
    """
    import pyarrow as pa
    from pyarrow import types

    column = _plain(sheet.columns["time"])
    clock = sheet.columns.get("clock")
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise ValueError(f"{sheet.where(row)}: a time is missing")
    if clock is not None and (told := _clocks(_plain(clock))) is not None:
        return _of_text(_joined(column, told), sheet)
    if types.is_date(column.type) or types.is_timestamp(column.type):
        return np.asarray(column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64()).to_numpy())
    if types.is_integer(column.type) or types.is_floating(column.type):
        return _of_numbers(np.asarray(column.to_numpy(zero_copy_only=False)), sheet)
    if types.is_decimal(column.type):
        return _of_numbers(np.asarray(column.cast(pa.float64()).to_numpy()), sheet)
    if types.is_string(column.type):
        return _of_text(column, sheet)
    raise ValueError(f"{sheet.source}: its times are neither numbers nor dates but {column.type}")


def _plain(column: Any) -> Any:
    """One array; texts of one kind, whatever they are encoded as."""
    import pyarrow as pa
    from pyarrow import types

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if types.is_dictionary(whole.type):
        whole = whole.cast(whole.type.value_type)
    return whole.cast(pa.string()) if types.is_large_string(whole.type) else whole


# -- numbers ----------------------------------------------------------------------------------


def _of_numbers(values: NDArray[Any], sheet: Sheet) -> Times:
    calendar = _calendar(values, sheet)
    if calendar is not None:
        return calendar
    units = np.full(len(values), -1)
    for unit, (_, least, end, _size) in enumerate(_SCALES):
        units[(values >= least) & (values < end)] = unit
    other = units != units[0]
    if other.any():
        row = int(other.argmax())
        raise ValueError(
            f"{sheet.where(row)}: its times turn from {_told(int(units[0]), values[0])} into "
            f"{_told(int(units[row]), values[row])}. Give all of them one unit"
        )
    if units[0] < 0:
        raise ValueError(
            f"{sheet.where(0)}: {values[0]:g} is no time; expected are seconds, milliseconds, "
            "microseconds or nanoseconds since 1970, or dates"
        )
    size = _SCALES[units[0]][3]
    if size == _DAY:
        return _of_spreadsheet(values)
    if values.dtype.kind in "iu" and size <= 1:
        return np.asarray(values.astype(np.int64) // round(1 / size))
    return np.asarray(np.rint(values * size), dtype=np.int64)


def _told(unit: int, value: float) -> str:
    return f"{_SCALES[unit][0] if unit >= 0 else 'no time at all'} ({value:.0f})"


def _of_spreadsheet(values: NDArray[Any]) -> Times:
    """To the minute where they are within a second of it: their fractions have few digits."""
    exact = (values.astype(np.float64) - _FIRST_OF_SHEETS) * _DAY
    minutes = np.rint(exact / 60_000) * 60_000
    near = np.abs(exact - minutes) <= 1_000  # noqa: PLR2004  # a second
    return np.asarray(np.where(near, minutes, np.rint(exact / 1_000) * 1_000), dtype=np.int64)


def _calendar(values: NDArray[Any], sheet: Sheet) -> Times | None:
    """Numbers that are dates: 20240131, 202401312359, 20240131235900."""
    import pyarrow as pa

    if values.dtype.kind not in "iu":
        return None
    for form, digits in _CALENDARS:
        least, end = 19_700_101 * 10 ** (digits - 8), 21_010_101 * 10 ** (digits - 8)
        if not ((values >= least) & (values < end)).all():
            continue
        parsed = _parsed(pa.array(values.astype(str)), form)
        if parsed is not None:
            return parsed
    return None


# -- texts ------------------------------------------------------------------------------------


def _of_text(column: Any, sheet: Sheet) -> Times:
    from pyarrow import compute

    column = compute.utf8_trim_whitespace(column)
    numbers = compute.match_substring_regex(column, r"^\d+(\.\d+)?$")
    if compute.all(numbers).as_py():
        return _of_numbers(np.array(column.to_pylist(), dtype=np.float64), sheet)
    _refuse_odd_number(column, numbers, sheet)
    column, shift = _without_zone(column, sheet)
    column = compute.replace_substring_regex(column, r"^(\d{4}.\d\d.\d\d)[Tt_](\d)", r"\1 \2")
    column = compute.replace_substring_regex(column, r"(:\d\d)[.,]0+$", r"\1")
    column = compute.replace_substring_regex(column, r"\s+", " ")
    found = list(_readings(column))
    if not found:
        row = _first_strange(column)
        raise ValueError(
            f"{sheet.where(row)}: its times are neither numbers nor dates that are known: "
            f"{clipped(str(column[row].as_py()))}. Write them as 2024-01-31 14:00:00"
        )
    return _most_even(found, sheet) - shift


def _refuse_odd_number(column: Any, numbers: Any, sheet: Sheet) -> None:
    """Raise `ValueError` where most times are numbers, and one is none."""
    are = np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=bool)
    if 2 * int(are.sum()) > len(are):
        row = int(are.argmin())
        raise ValueError(
            f"{sheet.where(row)}: {clipped(str(column[row].as_py()))} is no number, as its other "
            "times are. Lines that name the columns again, or sum up, do not belong there"
        )


def _without_zone(column: Any, sheet: Sheet) -> tuple[Any, Times | int]:
    """The times as they stand there, and how many milliseconds they are ahead of UTC."""
    from pyarrow import compute

    split = compute.extract_regex(column, _ZONE)
    if split.null_count == len(column):
        return column, 0
    if split.null_count:
        row = int(np.flatnonzero(split.is_null().to_numpy(zero_copy_only=False))[0])
        raise ValueError(
            f"{sheet.where(row)}: some of its times have a zone and others none, as "
            f"{clipped(str(column[row].as_py()))}. Give all of them one form"
        )
    when, zone = (compute.struct_field(split, name) for name in ("when", "zone"))
    coded = zone.dictionary_encode()
    ahead = np.array([_ahead(text) for text in coded.dictionary.to_pylist()], dtype=np.int64)
    return when, ahead[coded.indices.to_numpy()]


def _ahead(zone: str) -> int:
    digits = zone.upper().removeprefix("UTC").removeprefix("GMT").replace(":", "")
    if digits in {"", "Z"}:
        return 0
    minutes = int(digits[1:3]) * 60 + int(digits[3:])
    return (minutes if digits[0] == "+" else -minutes) * 60_000


def _readings(column: Any) -> Iterator[Times]:
    """Every way in which all of them can be read."""
    sample = column.take(np.linspace(0, len(column) - 1, min(_SAMPLE, len(column))).astype(int))
    for day in _DAYS:
        for clock in _CLOCKS:
            if _parsed(sample, day + clock) is None:
                continue
            parsed = _parsed(column, day + clock)
            if parsed is not None:
                yield parsed


def _parsed(column: Any, form: str) -> Times | None:
    import pyarrow as pa
    from pyarrow import compute

    parsed = compute.strptime(column, format=form, unit="ms", error_is_null=True)
    if parsed.null_count:
        return None
    times = np.asarray(parsed.cast(pa.int64()).to_numpy())
    # "%Y" takes "24", and a 31st of February becomes March: neither is what was meant.
    first, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1970, 2101))
    return times if ((times >= first * 1000) & (times < end * 1000)).all() else None


def _most_even(found: list[Times], sheet: Sheet) -> Times:
    """Of several readings (3/4: March or April) the one in which bars are as far apart as bars are.

    Raises `ValueError` where that does not tell them apart.
    """
    distinct = list({times.tobytes(): times for times in found}.values())
    if len(distinct) == 1:
        return distinct[0]
    ranked = sorted(distinct, key=_unevenness)
    if _unevenness(ranked[0]) == _unevenness(ranked[1]):
        raise ValueError(
            f"{sheet.where(0)}: which number of its dates is the day and which the month cannot "
            f"be told. Write them as 2024-01-31 14:00:00"
        )
    return ranked[0]


def _unevenness(times: Times) -> int:
    """How many distances there are between rows."""
    return len(np.unique(np.abs(np.diff(times))))


def _first_strange(column: Any) -> int:
    """The first row that cannot be read as the first one can; row 0 if that cannot be, either."""
    from pyarrow import compute

    for day in _DAYS:
        for clock in _CLOCKS:
            if _parsed(column.slice(0, 1), day + clock) is not None:
                read = compute.strptime(column, format=day + clock, unit="ms", error_is_null=True)
                return int(read.is_null().to_numpy(zero_copy_only=False).argmax())
    return 0


# -- day and time of day apart ----------------------------------------------------------------


def _clocks(clock: Any) -> Any | None:
    """Times of day as text; None: the column holds something else."""
    import pyarrow as pa
    from pyarrow import compute, types

    if types.is_time(clock.type):
        return clock.cast(pa.string())
    if types.is_integer(clock.type) and not clock.null_count:
        values = clock.to_numpy()
        if not ((values >= 0) & (values < 240_000)).all():  # noqa: PLR2004  # as 235959
            return None
        digits = 6 if values.max() > 2_400 else 4 if values.max() > 23 else 2  # noqa: PLR2004
        ends = {6: "", 4: "00", 2: "0000"}[digits]
        return pa.array([f"{value:0{digits}d}{ends}" for value in values.tolist()])
    if types.is_string(clock.type):
        trimmed = compute.utf8_trim_whitespace(clock)
        fits = compute.match_substring_regex(trimmed, r"^\d{1,2}:\d\d(:\d\d(\.\d+)?)?$")
        return trimmed if compute.all(fits).as_py() else None
    return None


def _joined(day: Any, clock: Any) -> Any:
    import pyarrow as pa
    from pyarrow import compute

    return compute.binary_join_element_wise(day.cast(pa.string()), clock, " ")
