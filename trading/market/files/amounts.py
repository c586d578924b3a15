"""Prices and volumes as files have them: numbers, or texts with a decimal comma or thousands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trading.market.candles import Panel
from trading.market.files.sheets import PRICES, Sheet, clipped

_AROUND = "[$€£\u00a5 '\u00a0\u202f_]"
"""What may stand in a number and says nothing."""
_MANY = r"^(.*[0-9.,])\s?([KkMmBb])$"
_EXPONENTS: Mapping[str, str] = {"k": "e3", "m": "e6", "b": "e9"}
_GROUPED: Mapping[str, str] = {
    mark: rf"^[-+]?[0-9]{{1,3}}(\{mark}[0-9]{{3}})+$" for mark in (",", ".")
}
_OTHER: Mapping[str, str] = {",": ".", ".": ","}


def amounts(sheet: Sheet) -> dict[str, Panel]:
    """Return the five columns of prices and volume; what is missing is NaN.

    Raises `ValueError`, a sentence.
    """
    columns = {name: _column(sheet.columns[name], name) for name in PRICES}
    texts = [each for each in columns.values() if not isinstance(each, np.ndarray)]
    numbers = [each for each in columns.values() if isinstance(each, np.ndarray)]
    has_points = any((each != np.rint(each))[np.isfinite(each)].any() for each in numbers)
    mark = _decimal_mark(texts, sheet, has_points=has_points) if texts else "."
    return {
        name: each if isinstance(each, np.ndarray) else _of_texts(each, name, mark, sheet)
        for name, each in columns.items()
    }


def _column(column: Any, name: str) -> Any:
    """Numbers as an array of NumPy; or texts still to be read, without what says nothing."""
    import pyarrow as pa
    from pyarrow import compute, types

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if types.is_dictionary(whole.type):
        whole = whole.cast(whole.type.value_type)
    if types.is_float32(whole.type) or types.is_float16(whole.type):
        whole = whole.cast(pa.string()).cast(pa.float64())  # 0.1 is meant, not 0.10000000149
    if not (types.is_string(whole.type) or types.is_large_string(whole.type)):
        values = whole.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return np.asarray(values, dtype=np.float64)
    bare = compute.replace_substring_regex(whole.cast(pa.string()), _AROUND, "")
    return _written_out(bare) if name == "volume" else bare


def _written_out(texts: Any) -> Any:
    """With `12.3K` as `12.3e3`."""
    from pyarrow import compute

    if not compute.any(compute.match_substring_regex(texts, _MANY)).as_py():
        return texts
    for unit, exponent in _EXPONENTS.items():
        texts = compute.replace_substring_regex(texts, f"(?i)^(.*[0-9.,]){unit}$", rf"\1{exponent}")
    return texts


def _of_texts(texts: Any, name: str, mark: str, sheet: Sheet) -> Panel:
    import pyarrow as pa
    from pyarrow import compute

    plain = compute.replace_substring(texts, _OTHER[mark], "")
    plain = compute.replace_substring(plain, mark, ".")
    plain = compute.if_else(compute.equal(plain, ""), pa.scalar(None, pa.string()), plain)
    try:
        values = plain.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        row, text = _first_odd(plain.to_pylist())
        raise ValueError(
            f"{sheet.where(row)}: the column {name} holds what is no number: {clipped(text)}"
        ) from None
    return np.asarray(values, dtype=np.float64)


def _first_odd(texts: Sequence[str | None]) -> tuple[int, str]:
    import pyarrow as pa

    for row, text in enumerate(texts):
        try:
            pa.scalar(text, pa.string()).cast(pa.float64())
        except pa.ArrowInvalid:
            return row, text or ""
    return 0, texts[0] or ""


def _decimal_mark(columns: Sequence[Any], sheet: Sheet, *, has_points: bool) -> str:
    """The mark before the decimals, `.` or `,`, by what the texts of *columns* show.

    *has_points*: other columns have decimals after a point.  Raises `ValueError` where 1,234 may be
    a thousand or one, and where the marks stand as in no number.
    """
    import pyarrow as pa
    from pyarrow import compute

    texts = pa.concat_arrays(list(columns)).drop_null()
    with_comma = _matching(texts, ",")
    mark = _mark_of(texts, with_comma, has_points=has_points)
    if not mark:
        raise ValueError(
            f"{sheet.source}: whether {with_comma[0]} has thousands or decimals cannot be told. "
            "Write its numbers with a point and without thousands"
        )
    # What stands between thousands stands before the decimals, after each three digits.
    grouped = _matching(texts, rf"\{_OTHER[mark]}")
    whole = compute.replace_substring_regex(grouped, rf"\{mark}.*$|[eE].*$", "")
    odd = compute.invert(compute.match_substring_regex(whole, _GROUPED[_OTHER[mark]]))
    if compute.any(odd).as_py():
        raise ValueError(
            f"{sheet.source}: {clipped(grouped.filter(odd)[0].as_py())} does not fit to its other "
            f"numbers, which have a {'comma' if mark == ',' else 'point'} before the decimals"
        )
    return mark


def _mark_of(texts: Any, with_comma: Any, *, has_points: bool) -> str:
    """Empty: it cannot be told."""
    if not len(with_comma):
        return "," if len(_matching(texts, r"\..*\.")) else "."
    if has_points or len(_matching(with_comma, ",.*,")):
        return "."
    both = _matching(with_comma, r"\.")
    if len(both):
        return max(",.", key=both[0].as_py().rfind)
    with_point = _matching(texts, r"\.")
    if len(with_point):
        return "," if len(_matching(with_point, _GROUPED["."])) == len(with_point) else "."
    return "" if len(_matching(with_comma, _GROUPED[","])) == len(with_comma) else ","


def _matching(texts: Any, pattern: str) -> Any:
    from pyarrow import compute

    return texts.filter(compute.match_substring_regex(texts, pattern))
