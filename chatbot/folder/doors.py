"""Keeps a state folder to its user: who may look in, and what its files really are.

Standard library only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OURS = {stat.S_IFREG, stat.S_IFDIR, stat.S_IFSOCK}


Stray = tuple[str, str]
"""What keeps a path from being a file of ours, and what to do about it."""


def first_stray(folder: Path) -> Stray | None:
    """Of the files in *folder*.

    Backups are looked at by nobody, and may be links.
    """
    return next(filter(None, (stray(Path(entry)) for entry in _entries(folder))), None)


def stray(path: Path) -> Stray | None:
    """None where there is a file of ours, or nothing."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFLNK or (kind == stat.S_IFREG and found.st_nlink > 1):
        said = "is a link, or has a second name: what is written there would be written elsewhere"
        return f"{path} {said}", "put the file itself in its place"
    if kind not in _OURS:
        said = "is a pipe or a device: whoever opens it may wait for ever"
        return f"{path} {said}", "take it away, or put the file itself in its place"
    return None


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
