"""Keeps a state folder to its user: who may look in, and what its files really are.

Standard library only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def first_link(folder: Path) -> Path | None:
    """The first of the files in *folder* that is a link, or has a second name; None without any.

    Backups are looked at by nobody, and may be links.
    """
    return next((path for path in map(Path, _entries(folder)) if is_link(path)), None)


def is_link(path: Path) -> bool:
    """Whether *path* is a link, or a file with a second name.  No file is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISLNK(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink > 1)


def closed(folder: Path) -> Iterator[str]:
    """Close *folder* and all in it to others, and say so: a sentence if anything was open."""
    was = stat.S_IMODE(folder.stat().st_mode)
    if was & _OTHERS:
        folder.chmod(0o700)
        yield f"{folder} was open to others (mode {was:04o}); from now on it is yours alone."
    opened = [entry for entry in _entries(folder) if _mode(entry) & _OTHERS]
    for entry in opened:
        Path(entry.path).chmod(_mode(entry) & ~_OTHERS)
    if opened:
        first = f"{opened[0].name} (mode {_mode(opened[0]):04o})"
        rest = f" and {len(opened) - 1} more" if len(opened) > 1 else ""
        yield f"In {folder}: {first}{rest} could be opened by others; from now on only by you."


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Of the folder, and of the folders of logs and pictures in it."""
    with os.scandir(folder) as found:
        for entry in sorted(found, key=lambda entry: entry.name):
            yield entry
            if entry.is_dir(follow_symlinks=False) and entry.name != "backups":
                yield from _entries(Path(entry.path))


def _mode(entry: os.DirEntry[str]) -> int:
    return stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
