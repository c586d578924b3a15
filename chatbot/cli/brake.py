"""`quarterdeck stop`: the brake beside every chat, for a desk that lives, hangs or is dead.

Standard library only and few imports: it works where the installation is broken.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from chatbot.cli.words import Exit, bare, complain, folder_of, parser_of, show
from chatbot.folder.calling import NoAnswer, NobodyThere, ask, login
from chatbot.folder.state import StateFolder
from trading.common.text import one_line
from trading.errors import Refused, StoreError

STOP_ANSWER, KILL_WAIT = 3.0, 5.0
"""Seconds until a desk that does not answer `/stop` counts as hung, and for it to be gone."""
AGAIN_AFTER = 0.05
"""Seconds between two looks at what a desk may do at any moment."""
LONGEST_REASON = 500


def stop(arguments: Sequence[str]) -> int:
    """Halt the desk whatever state it is in: the latch file first, then the desk, then by force."""
    asked = _stop_parser().parse_args(arguments)
    try:
        folder = folder_of(asked)
    except Refused as refusal:
        return complain(str(refusal), Exit.USAGE)
    if not folder.path.is_dir():
        return complain(
            f"No desk has run on {folder.path}: nothing to stop, and nothing was latched.\n"
            "Name the folder with --state, or its bot.toml with --config.",
            Exit.NOBODY,
        )
    reason = one_line(asked.reason)[:LONGEST_REASON]
    latched = _latch(folder, reason)
    try:
        answer = _braked(folder, f"/stop all {reason}".rstrip(), timeout=asked.timeout)
    except Refused as silence:
        return _unconfirmed(folder, silence, asked, latched=latched)
    said = str(answer.get("plain") or bare(answer))
    if answer.get("outcome") != "done":
        return _unconfirmed(folder, Refused(f"It said: {said}"), asked, latched=latched)
    show(said)
    return Exit.DONE


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
        show(f"⚠ The halt could not be written: {error}")
        return False
    return True


def _braked(folder: StateFolder, text: str, *, timeout: float) -> dict[str, Any]:
    """Say a stop where stops are heard; a desk that only just begins to listen is waited for.

    Raises as `ask` does.
    """
    for _ in _looks(timeout):
        try:
            return ask(folder.brake, text, timeout=timeout)
        except NobodyThere:
            if folder.holder() is None:
                raise
    raise NoAnswer("It does not listen for stops.")


def _looks(seconds: float) -> Iterator[None]:
    """One at once, then others until *seconds* have passed."""
    pause = threading.Event()
    yield
    for _ in range(round(seconds / AGAIN_AFTER)):
        pause.wait(AGAIN_AFTER)
        yield


def _taken_over(folder: StateFolder, *, within: float) -> bool:
    """Whether the desk has found the request in the latch file: it clears it once it is halted."""
    from storage.latch import path_in, read
    from trading.model.halt import Verb

    for _ in _looks(within):
        found = read(path_in(folder.path))
        halted = any(halt.verb >= Verb.STOP for halt in found.halts)
        if halted and found.request is None and not found.damaged:
            return True
    return False


def _unconfirmed(
    folder: StateFolder, silence: Refused, asked: argparse.Namespace, *, latched: bool
) -> int:
    written = (
        f"■ The halt is latched in {folder.path}: the next start is halted.\n"
        if latched
        else "⚠ The halt is not latched anywhere.\n"
    )
    pid = folder.holder()
    if pid is None and isinstance(silence, NobodyThere):
        show(
            f"{written}Nobody there: no desk runs on this folder.\n"
            "Positions and what rests on a venue stay as they are."
        )
        return Exit.DONE if latched else Exit.FAILED
    if latched and _taken_over(folder, within=asked.timeout):
        show(
            f"■ Halted: the desk (pid {pid or 'unknown'}) has taken the stop over from its latch"
            f" file.\nNo answer came with it. {silence}\n"
            "Not done: positions stay with their protective stops; whether resting entries are"
            " cancelled, /halts tells."
        )
        return Exit.DONE
    silent = isinstance(silence, NoAnswer | NobodyThere)
    does = "does not answer" if silent else "does not confirm it"
    show(f"{written}⚠ The desk (pid {pid or 'unknown'}) runs and {does}. {silence}")
    if not pid:
        show("Its pid is not known: find it with: fuser -v " + str(folder.lock))
        return Exit.FAILED
    if not (asked.kill or _agreed(pid)):
        show(f"It was not killed and may still trade. To end it: kill -KILL {pid}")
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
        return complain(f"It could not be killed: {error.strerror}", Exit.FAILED)
    try:
        if process is not None and folder.holder() == pid:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            if not select.select([process], [], [], KILL_WAIT)[0]:
                return complain(f"Process {pid} was killed and is not gone yet.", Exit.FAILED)
    except PermissionError:
        return complain(f"Process {pid} belongs to another user.", Exit.FAILED)
    finally:
        if process is not None:
            os.close(process)
    show(
        f"■ Process {pid} was killed.\n"
        "Not done: positions, resting entries and protective stops stay as they were at the venue."
    )
    return Exit.DONE if latched else Exit.FAILED


def _stop_parser() -> argparse.ArgumentParser:
    parser = parser_of("stop", "Halt the desk, dead or alive: the next start is halted")
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
