"""A machine that fails on demand: a small disk, modes that hold for root too, limits of a process.

Nothing of ours is replaced: the kernel itself says no.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_OBEY = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
for override in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if libc.prctl(24, override, 0, 0, 0) and os.geteuid() == 0:  # PR_CAPBSET_DROP
        raise OSError(ctypes.get_errno(), "prctl")
os.execvp(sys.argv[1], sys.argv[1:])
"""
OBEYING_MODES = (sys.executable, "-c", _OBEY)
"""Runs what follows without root's right to write where nobody may."""

_SPACE = ("unshare", "--user", "--map-root-user", "--mount")
_MOUNT = 'mount -t tmpfs -o size="$2" none "$1" && chmod 700 "$1" && echo mounted && exec cat'


@cache
def can_mount() -> bool:
    """Whether this machine lets anybody mount in a namespace of their own."""
    if not all(map(shutil.which, ("unshare", "nsenter", "mount"))):
        return False
    tried = [*_SPACE, "mount", "-t", "tmpfs", "none", "/tmp"]  # in its own namespace
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


class SmallDisk:
    """A disk of *size* bytes at *place*, seen only by those that run `under` it."""

    def __init__(self, place: Path, size: int) -> None:
        place.mkdir(exist_ok=True)
        command = [*_SPACE, "sh", "-c", _MOUNT, "sh", str(place), str(size)]
        self._keeper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == b"mounted\n"
        self.path = Path(f"/proc/{self._keeper.pid}/root{place}")
        """How it is seen from outside."""
        self.under = (
            *("nsenter", f"--target={self._keeper.pid}", "--user", "--mount"),
            *("--preserve-credentials", "env", f"--chdir={place.parent}"),
        )
        self._place = place

    @property
    def free(self) -> int:
        place = os.statvfs(self.path)
        return place.f_bavail * place.f_frsize

    def fill(self) -> None:
        """Take all that is left."""
        with (self.path / "filler").open("wb", buffering=0) as filler:
            while self.free:
                filler.write(bytes(self.free))

    def clear(self) -> None:
        (self.path / "filler").unlink()

    def make_read_only(self) -> None:
        """Only before it is in use: the kernel refuses while a file is open for writing."""
        subprocess.run([*self.under, "mount", "-o", "remount,ro", str(self._place)], check=True)

    def close(self) -> None:
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.close()
        self._keeper.stdout.close()
        self._keeper.wait()


@contextmanager
def limited(pid: int, what: int, most: int) -> Iterator[None]:
    """Process *pid* may have no more than *most* of *what*, one of `resource.RLIMIT_...`."""
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (most, before[1]))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it has ended
            resource.prlimit(pid, what, before)


def first_free_descriptor(pid: int) -> int:
    """With that as its limit, process *pid* can open nothing more, and keeps what it has."""
    taken = {int(entry) for entry in os.listdir(f"/proc/{pid}/fd")}  # noqa: PTH208  # names only
    return next(number for number in range(len(taken) + 1) if number not in taken)
