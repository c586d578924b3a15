"""What is executed as text is what SQLAlchemy would have written."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects import sqlite

from storage.statements import KINDS, RowKind


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.table.name)
@pytest.mark.parametrize("size", [1, 4, 64])
def test_many_rows_are_written_as_sqlalchemy_would_write_them(kind: RowKind, size: int) -> None:
    rows: list[dict[str, None]] = [dict.fromkeys(kind.columns)] * size
    whole = kind.conflict(sqlite.insert(kind.table).inline().values(rows))
    dialect = sqlite.dialect()
    assert kind.sql(dialect, size) == str(whole.compile(dialect=dialect))
