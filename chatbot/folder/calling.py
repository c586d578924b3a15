"""One line to the desk that runs, and its answer; who it is that listens.

Standard library only and few imports, so that an answer takes a blink and a broken installation
can still be stopped.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trading.common.text import one_line
from trading.errors import Refused

VERSION = 1
LONGEST_ADDRESS = 107
"""Bytes that the kernel takes as the name of a unix socket."""
SHORTEST_WAIT = 0.05
_CREDENTIALS = struct.Struct("3i")


class NobodyThere(Refused):
    """No process listens on the folder's socket."""


class NoAnswer(Refused):
    """A process listens, and did not answer in time."""


def ask(path: Path, text: str, *, timeout: float) -> dict[str, Any]:
    """Send one line and return the answer: a reply as JSON, with its terminal text as `plain`.

    *timeout* is in seconds, for each step.  Raises `NobodyThere`, `NoAnswer`, or `Refused` when
    the desk may not be spoken to.
    """
    request = {"v": VERSION, "id": os.urandom(8).hex(), "text": text, "plain": True}
    line = json.dumps(request, ensure_ascii=False).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            _connect(connection, path, timeout)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise NobodyThere(f"Nobody listens on {path}.") from None
        except PermissionError:
            raise Refused(f"{path} belongs to another user. Nothing was sent.") from None
        except BlockingIOError as error:
            raise NoAnswer(f"It took no calls for {timeout:g} s.") from error
        except OSError as error:
            raise NoAnswer(f"It takes no calls: {error.strerror or error}.") from error
        _refuse_impostors(connection, path)
        connection.settimeout(timeout)
        try:
            connection.sendall(line)
            return _parsed(_line(connection))
        except TimeoutError:
            raise NoAnswer(
                f"It did not answer within {timeout:g} s; what was said may still be done."
            ) from None
        except OSError as error:
            raise NoAnswer(_HUNG_UP) from error


_HUNG_UP = "It hung up before it answered; what was said may have been done."


@contextmanager
def address(path: Path) -> Iterator[str]:
    """Name the socket at *path* so that the kernel takes it, however deep its folder lies."""
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _connect(connection: socket.socket, path: Path, timeout: float) -> None:
    """Wait in the desk's queue for a place there, in turn: without this a full one is refused.

    Raises `BlockingIOError` after *timeout* seconds, and what else connecting raises.
    """
    seconds, rest = divmod(max(timeout, SHORTEST_WAIT), 1)
    timeval = struct.pack("ll", int(seconds), int(rest * 1e6))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
    with address(path) as name:
        connection.connect(name)


def uid_behind(connection: socket.socket) -> int:
    """The user at the other end, as the kernel says."""
    return behind(connection)[1]


def behind(connection: socket.socket) -> tuple[int, int]:
    """Process and user at the other end: of a desk, those that began to listen."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(told)
    return pid, uid


def _refuse_impostors(connection: socket.socket, path: Path) -> None:
    """A desk is served by us or by root; to root also by whom its folder belongs to."""
    uid = uid_behind(connection)
    trusted = {os.geteuid(), 0}
    if os.geteuid() == 0:
        trusted.add(path.parent.stat().st_uid)
    if uid not in trusted:
        raise Refused(f"{path} is served by another user, {login(uid)}. Nothing was said to it.")


def is_served(path: Path) -> bool:
    """Whether a process listens on the socket at *path*, busy or not."""
    return listener_pid(path) is not None


def listener_pid(path: Path) -> int | None:
    """The process that listens there; 0 if it is too busy to be asked, None if none does."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            with address(path) as name:
                probe.connect(name)
        except BlockingIOError:
            return 0  # its queue is full
        except OSError:
            return None
        return behind(probe)[0]


def _line(connection: socket.socket) -> bytes:
    parts: list[bytes] = []
    while part := connection.recv(65536):
        parts.append(part)
        if part.endswith(b"\n"):
            return b"".join(parts)
    raise NoAnswer(_HUNG_UP)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NoAnswer("What listens there is no desk: it did not answer in JSON.")
    return answer


def login(uid: int) -> str:
    """What people call the user *uid*."""
    try:
        return one_line(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)
