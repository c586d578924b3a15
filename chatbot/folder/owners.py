"""Who else may write a file: whoever writes the settings commands the desk.

Standard library only.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path


def writers(path: Path) -> str:
    """Who may write *path* but us and root, with what to do; empty if nobody.  Raises `OSError`."""
    found = path.stat()
    if found.st_uid not in (os.geteuid(), 0):
        return f"its owner, {user(found.st_uid)}: chown {user(os.geteuid())} {path}"
    if found.st_mode & stat.S_IWOTH:
        return f"everybody: chmod o-w {path}"
    if found.st_mode & stat.S_IWGRP and not _is_private(found.st_gid, found.st_uid):
        return f"its group: chmod g-w {path}"
    around = path.absolute().parent
    if around.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
        return f"everybody, as its folder may: chmod o-w {around}"
    return ""


def user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _is_private(gid: int, uid: int) -> bool:
    """Whether the group is its owner's own, as many systems make one for everybody."""
    try:
        owner, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    return gid == owner.pw_gid and set(group.gr_mem) <= {owner.pw_name}
