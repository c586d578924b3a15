"""Whether the files at a path are still those that SQLite has open.

Only looked at, by `stat`: whoever opens a database of SQLite's beside it and closes it again takes
away the locks that SQLite holds in this process.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_ENDS = ("", "-wal", "-shm")
_File = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Identity:
    """What each file of a history was when it was opened, by path."""

    files: dict[Path, _File]

    def gone(self) -> str:
        """What has become of the first that is not the same any more; empty if all are."""
        for path, opened in self.files.items():
            now = _file(path)
            if now is None:
                return f"{path.name} was deleted or moved away while the desk runs"
            if now != opened:
                return f"{path.name} was replaced while the desk runs"
        return ""


def identity_of(history: Path) -> Identity:
    """Of the files at *history* that there are; to be asked for while SQLite has them open."""
    paths = [history.with_name(f"{history.name}{end}") for end in _ENDS]
    found = {path: _file(path) for path in paths}
    return Identity({path: file for path, file in found.items() if file is not None})


def _file(path: Path) -> _File | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
