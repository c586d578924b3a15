"""`quarterdeck say` and `quarterdeck stop`: a word to a desk that runs, and the brake beside it.

Standard library only and few imports, so that an answer takes a blink and a broken installation
can still be stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import select
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

from chatbot.state import StateFolder, locate
from trading.errors import Refused, StoreError

VERSION = 1
LONGEST_ADDRESS = 107
"""Bytes that the kernel takes as the name of a unix socket."""
STOP_ANSWER, KILL_WAIT = 3.0, 5.0
"""Seconds until a desk that does not answer `/stop` counts as hung, and for it to be gone."""


class Exit(IntEnum):
    DONE = 0
    FAILED = 1
    """Refused, or something broke."""
    USAGE = 2
    NOBODY = 3
    CONFIRM = 4
    """Nothing was done yet: a confirmation is asked for."""


_EXITS = {"done": Exit.DONE, "confirm": Exit.CONFIRM}


class NobodyThere(Refused):
    """No process listens on the folder's socket."""


class NoAnswer(Refused):
    """A process listens, and did not answer in time."""


def say(arguments: Sequence[str]) -> int:
    """Say one line to the desk, print its answer, and return how it went as an exit code."""
    asked = _say_parser().parse_args(arguments)
    try:
        folder = _folder(asked)
    except Refused as refusal:
        return _complain(str(refusal), Exit.USAGE)
    try:
        answer = ask(folder.socket, " ".join(asked.text), timeout=asked.timeout)
    except NobodyThere:
        return _complain(_nobody(folder), Exit.NOBODY)
    except NoAnswer as silence:
        return _complain(
            f"The desk on {folder.path} did not answer. {silence}\n"
            "Ask again, or brake: quarterdeck stop",
            Exit.FAILED,
        )
    except Refused as refusal:
        return _complain(str(refusal), Exit.FAILED)
    plain = answer.pop("plain", None) or _bare(answer)
    _print(json.dumps(answer, ensure_ascii=False) if asked.json else plain)
    return _EXITS.get(answer.get("outcome", ""), Exit.FAILED)


def stop(arguments: Sequence[str]) -> int:
    """Halt the desk whatever state it is in: the latch file first, then the desk, then by force."""
    asked = _stop_parser().parse_args(arguments)
    try:
        folder = _folder(asked)
    except Refused as refusal:
        return _complain(str(refusal), Exit.USAGE)
    if not folder.path.is_dir():
        return _complain(
            f"No desk has run on {folder.path}: nothing to stop, and nothing was latched.\n"
            "Name the folder with --state, or its bot.toml with --config.",
            Exit.NOBODY,
        )
    reason = " ".join(asked.reason.split())
    latched = _latch(folder, reason)
    try:
        answer = ask(folder.socket, f"/stop all {reason}".rstrip(), timeout=asked.timeout)
    except (NobodyThere, NoAnswer) as silence:
        return _without_answer(folder, silence, latched=latched, kill=asked.kill)
    except Refused as refusal:
        return _complain(str(refusal), Exit.FAILED)
    _print(answer.get("plain") or _bare(answer))
    return _EXITS.get(answer.get("outcome", ""), Exit.FAILED)


# -- the socket ---------------------------------------------------------------------------


def ask(path: Path, text: str, *, timeout: float) -> dict[str, Any]:
    """Send one line and return the answer: a reply as JSON, with its terminal text as `plain`.

    *timeout* is in seconds, for each step.  Raises `NobodyThere`, `NoAnswer`, or `Refused` when
    the desk may not be spoken to.
    """
    request = {"v": VERSION, "id": os.urandom(8).hex(), "text": text, "plain": True}
    line = json.dumps(request, ensure_ascii=False).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            with address(path) as name:
                connection.connect(name)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise NobodyThere(f"Nobody listens on {path}.") from None
        except PermissionError:
            raise Refused(f"{path} belongs to another user. Nothing was sent.") from None
        except OSError as error:  # its queue is full: it does not take calls any more
            raise NoAnswer(f"It takes no calls: {error.strerror or error}.") from error
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


def _bare(answer: dict[str, Any]) -> str:
    return "\n".join(str(answer[part]) for part in ("title", "text") if answer.get(part))


# -- the brake ----------------------------------------------------------------------------


def _latch(folder: StateFolder, reason: str) -> bool:
    """Write the halt down where the next start reads it.  False, and said, if that fails."""
    from storage.latch import request_stop
    from trading.clocks import SystemClock

    try:
        request_stop(
            folder.path,
            by=f"{login(os.getuid())}, terminal",
            why=reason or "quarterdeck stop",
            at=SystemClock().now(),
        )
    except (OSError, StoreError) as error:
        _print(f"⚠ The halt could not be written: {error}")
        return False
    return True


def _without_answer(folder: StateFolder, silence: Refused, *, latched: bool, kill: bool) -> int:
    written = (
        f"■ The halt is latched in {folder.path}: the next start is halted.\n"
        if latched
        else "⚠ The halt is not latched anywhere.\n"
    )
    pid = folder.holder()
    if pid is None and isinstance(silence, NobodyThere):
        _print(
            f"{written}Nobody there: no desk runs on this folder.\n"
            "Positions and what rests on a venue stay as they are."
        )
        return Exit.DONE if latched else Exit.FAILED
    _print(f"{written}⚠ The desk (pid {pid or 'unknown'}) runs and does not answer. {silence}")
    if not pid:
        _print("Its pid is not known: find it with: fuser -v " + str(folder.lock))
        return Exit.FAILED
    if not (kill or _agreed(pid)):
        _print(f"It was not killed and may still trade. To end it: kill -KILL {pid}")
        return Exit.FAILED
    return _killed(folder, pid, latched=latched)


def _agreed(pid: int) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    sys.stdout.write(f"Kill process {pid}? Positions and protective stops stay. [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _killed(folder: StateFolder, pid: int, *, latched: bool) -> int:
    """Kill the process that holds the folder, and no other that may have got its number since."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        process = None
    except OSError as error:
        return _complain(f"It could not be killed: {error.strerror}", Exit.FAILED)
    try:
        if process is not None and folder.holder() == pid:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            if not select.select([process], [], [], KILL_WAIT)[0]:
                return _complain(f"Process {pid} was killed and is not gone yet.", Exit.FAILED)
    except PermissionError:
        return _complain(f"Process {pid} belongs to another user.", Exit.FAILED)
    finally:
        if process is not None:
            os.close(process)
    _print(
        f"■ Process {pid} was killed.\n"
        "Not done: positions, resting entries and protective stops stay as they were at the venue."
    )
    return Exit.DONE if latched else Exit.FAILED


def login(uid: int) -> str:
    """What people call the user *uid*."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


# -- words --------------------------------------------------------------------------------


def _nobody(folder: StateFolder) -> str:
    return (
        f"Nobody there: no desk answers on {folder.path}.\n"
        "Positions and the stops that rest on a venue stay as they are; nothing else is watched.\n"
        "Start it: quarterdeck run"
    )


def _complain(sentence: str, code: Exit) -> Exit:
    sys.stderr.write(f"{sentence}\n")
    return code


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _folder(asked: argparse.Namespace) -> StateFolder:
    return StateFolder(asked.state.absolute() if asked.state else locate(asked.config, os.environ))


def _say_parser() -> argparse.ArgumentParser:
    parser = _parser("say", "Say one line to the desk that runs, as in: quarterdeck say /status")
    parser.add_argument("text", nargs="+", help='as in "/status" or "/close BTC 50%%"')
    parser.add_argument("--json", action="store_true", help="print the answer as one line of JSON")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds to wait (default 10)")
    parser.epilog = (
        "exit code: 0 done, 1 refused or failed, 2 wrong usage, 3 nobody there, "
        "4 a confirmation is needed"
    )
    return parser


def _stop_parser() -> argparse.ArgumentParser:
    parser = _parser("stop", "Halt the desk, dead or alive: the next start is halted")
    parser.add_argument("--reason", default="", help="kept with the halt")
    parser.add_argument(
        "--timeout",
        type=float,
        default=STOP_ANSWER,
        help="seconds until a desk that does not answer counts as hung (default 3)",
    )
    parser.add_argument("--kill", action="store_true", help="kill a process that does not answer")
    parser.epilog = (
        "exit code: 0 halted, 1 a process runs that did not confirm, 2 wrong usage, "
        "3 no such folder"
    )
    return parser


def _parser(name: str, what: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(f"quarterdeck {name}", description=what, allow_abbrev=False)
    parser.add_argument(
        "--config", type=Path, default=Path("bot.toml"), help="the settings (default ./bot.toml)"
    )
    parser.add_argument("--state", type=Path, help="the state folder itself, without settings")
    return parser
