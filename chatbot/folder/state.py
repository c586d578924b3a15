"""The state folder: all that a desk keeps, held by one process at a time.

Standard library only: `quarterdeck say` and `quarterdeck stop` find their desk with it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import threading
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from chatbot.folder import doors
from chatbot.folder.calling import listener_pid
from chatbot.folder.owners import user
from trading.errors import Refused

VARIABLE = "QUARTERDECK__BOT__STATE_DIR"
DEFAULT = "state"
LATCH = "latch"
"""What a fresh start takes along: a halt is lifted by a person only.  `storage.latch.NAME`."""
PROOFS = "proofs.json"
"""Likewise, as it is about exchanges.  `chatbot.folder.proofs.PROOFS`."""
LOCK = "lock"
_LOCK_TRIES, _LOCK_PAUSE = 5, 0.05
_SET_ASIDE = "set-aside"
"""Names the folders whose database may still hold halts to be taken over."""


class StateFolder:
    """One desk's folder.  `hold` makes it ours; until then it is only a place with names in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notices: tuple[str, ...] = ()
        """What was changed to keep others out."""
        self._held: tuple[int, ...] = ()

    @property
    def socket(self) -> Path:
        return self.path / "control.sock"

    @property
    def brake(self) -> Path:
        """Where stops are heard, and nothing else."""
        return self.path / "stop.sock"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def lock(self) -> Path:
        return self.path / LOCK

    def __enter__(self) -> Self:
        self.hold()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.release()

    def hold(self) -> None:
        """Create the folder if need be and lock it.

        Raises `Refused` when another desk runs on it, or when it cannot be written.
        """
        try:
            self._finish_fresh_start()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._refuse_strangers()
            self._held = self._locked_in_time()
            self._refuse_listeners()
            self._finish_moving_the_latch()
            _refuse(doors.first_stray(self.path))
            self.notices = (*doors.closed(self.path),)
        except BlockingIOError:
            raise Refused(
                f"Another desk (pid {self._pid() or 'unknown'}) runs on {self.path}. "
                "Nothing was started."
            ) from None
        except Refused:
            self.release()
            raise
        except OSError as error:
            self.release()
            raise Refused(
                f"The state folder {self.path} cannot be used: {_plain(error)}. "
                "Nothing was started; [bot] state_dir names another."
            ) from error

    def release(self) -> None:
        for handle in self._held:
            os.close(handle)  # and with it its lock; the file stays, so that nobody races for it
        self._held = ()

    def holder(self) -> int | None:
        """The pid of the desk that runs on this folder; 0 if it is not known, None if none runs."""
        held = any(_is_locked(path) for path in (self.path, self.lock))
        return self._pid() if held else None

    def _pid(self) -> int:
        """As its lock tells, or if that was removed, its sockets; 0 if nothing does."""
        told = (_pid_in(self.lock), *(listener_pid(s) for s in (self.brake, self.socket)))
        return next(filter(None, told), 0)

    def _locked_in_time(self) -> tuple[int, ...]:
        """Whoever asks for the `holder` has the locks, too, for an instant."""
        pause = threading.Event()
        for _ in range(_LOCK_TRIES):
            with suppress(BlockingIOError):
                return _locked(self.path)
            pause.wait(_LOCK_PAUSE)
        return _locked(self.path)

    def _refuse_strangers(self) -> None:
        """Before anything is opened: what belongs to another user is not ours to use."""
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            raise Refused(
                f"The state folder {self.path} belongs to another user, {user(owner)}: start as "
                "that user, or name another folder with [bot] state_dir. Nothing was started."
            )
        _refuse(doors.stray(self.lock))

    def _finish_moving_the_latch(self) -> None:
        """A fresh start that died behind its moves has left the old folder a name of ours."""
        for aside in self.not_taken_over:
            old = aside / LATCH
            with suppress(FileNotFoundError):
                if old.samefile(self.path / LATCH):
                    old.unlink()

    def _refuse_listeners(self) -> None:
        """A desk whose locks were taken away, or do not reach this machine, still listens."""
        for path in (self.brake, self.socket):
            pid = listener_pid(path)
            if pid is not None:
                raise Refused(
                    f"Another desk (pid {pid or 'unknown'}) listens on {path}. Nothing was started."
                )

    def set_aside(self, at: datetime) -> Path | None:
        """Start anew: move the folder away under the date *at*, keep the place and every halt.

        Only while held.  Returns where the old one is now, or None if there was nothing in it.
        A crash at any moment leaves either the old folder in place or the new one, complete.
        Raises `Refused` when that is not possible; the old folder is then still in place.
        """
        if not self._held:
            raise RuntimeError("a folder is set aside by whoever holds it")
        if {entry.name for entry in self.path.iterdir()} <= {self.lock.name}:
            return None
        aside = _unused(self.path.with_name(f"{self.path.name}.{at:%Y-%m-%dT%H%M}"))
        try:
            held = self._prepare(aside)
            self.path.rename(aside)
            self._next.rename(self.path)
            (aside / LATCH).unlink(missing_ok=True)  # it has moved
            _sync(self.path.parent)
        except OSError as error:
            raise Refused(
                f"{self.path} could not be set aside: {_plain(error)}. Nothing was started."
            ) from error
        self.release()
        self._held = held
        return aside

    @property
    def not_taken_over(self) -> tuple[Path, ...]:
        """Folders set aside whose database was not yet asked for active halts."""
        _refuse(doors.stray(self.path / _SET_ASIDE))
        try:
            names = (self.path / _SET_ASIDE).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return ()
        return tuple(self.path.with_name(name) for name in names)

    def halts_taken_over(self) -> None:
        """To be called once the halts of `not_taken_over` are durable here."""
        (self.path / _SET_ASIDE).unlink(missing_ok=True)

    @property
    def _next(self) -> Path:
        return self.path.with_name(f"{self.path.name}.next")

    def _prepare(self, aside: Path) -> tuple[int, ...]:
        """Lay the new folder out beside the old one, locked, with the halts in it."""
        if self._next.exists():
            shutil.rmtree(self._next)  # of a fresh start that ended before it moved anything
        self._next.mkdir(mode=0o700)
        with suppress(FileNotFoundError):
            # Not a copy: what `quarterdeck stop` writes at this very moment must not be lost.
            (self._next / LATCH).hardlink_to(self.path / LATCH)
        with suppress(FileNotFoundError):
            shutil.copy2(self.path / PROOFS, self._next / PROOFS)
        waiting = [*(folder.name for folder in self.not_taken_over), aside.name]
        (self._next / _SET_ASIDE).write_text("\n".join(waiting) + "\n", encoding="utf-8")
        _sync(self._next / _SET_ASIDE)
        held = _locked(self._next)
        _sync(self._next)
        return held

    def _finish_fresh_start(self) -> None:
        """Put the new folder in place if a fresh start died between its two moves."""
        if not self.path.exists() and self._next.exists():
            self._next.rename(self.path)


def locate(config: Path, environ: Mapping[str, str]) -> Path:
    """The state folder that *config* and the environment name, as the desk itself finds it.

    A file with mistakes in it still tells its folder: a desk that runs can always be reached.
    Raises `Refused` when there is no such file to ask.
    """
    told = next((value for name, value in environ.items() if name.upper() == VARIABLE), None)
    return beside(config, told or _told_by(config))


def beside(config: Path, state_dir: str) -> Path:
    """`state_dir` is relative to the file that says it."""
    return config.absolute().parent / Path(state_dir).expanduser()


def _told_by(config: Path) -> str:
    try:
        text = config.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise Refused(
            f"{config} cannot be read: {_plain(error)}. "
            "Name it with --config, or the state folder with --state."
        ) from error
    try:
        return str(tomllib.loads(text).get("bot", {}).get("state_dir", DEFAULT))
    except (tomllib.TOMLDecodeError, AttributeError):
        said = re.search(r"""^[ \t]*state_dir[ \t]*=[ \t]*["']([^"']+)["']""", text, re.MULTILINE)
        return said[1] if said else DEFAULT


def _refuse(stray: doors.Stray | None) -> None:
    if stray:
        said, todo = stray
        raise Refused(f"{said}. {todo[0].upper()}{todo[1:]}. Nothing was started.")


def _locked(folder: Path) -> tuple[int, ...]:
    """Lock *folder* itself, which nobody can remove under us unseen, and the file with our pid.

    Returns the handles that keep them locked.  Raises `BlockingIOError` when another has them.
    """
    whole = _lock(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        file = _lock(folder / LOCK, os.O_RDWR | os.O_CREAT)
    except BaseException:
        os.close(whole)
        raise
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return whole, file


def _lock(path: Path, how: int) -> int:
    while True:
        handle = os.open(path, how | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, handle):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # the folder was set aside in between: try the one that is there now


def _is_locked(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # it may be a pipe
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _pid_in(lock: Path) -> int:
    try:
        return int(lock.read_text(encoding="ascii")) if lock.is_file() else 0
    except (OSError, ValueError):
        return 0


def _unused(path: Path) -> Path:
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plain(error: OSError) -> str:
    words = {
        errno.EROFS: "the disk is read-only",
        errno.EACCES: "permission denied",
        errno.ENOSPC: "the disk is full",
        errno.ENOTDIR: "a part of the path is a file",
        errno.EEXIST: "a file stands in its place",
        errno.ENOENT: "there is no such file",
    }
    return words.get(error.errno or 0, error.strerror or str(error))
