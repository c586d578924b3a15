"""The real process, started as an operator starts it, on the settings that come with it."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import perf_counter, sleep

from chatbot.folder.calling import NoAnswer, NobodyThere, ask

SETTINGS = Path(__file__).parents[1] / "bot.toml"
SOCKET = "control.sock"
LONGEST = 60.0
"""Seconds after which a desk that has not answered never will."""


@dataclass(frozen=True, slots=True)
class Running:
    process: subprocess.Popen[bytes]
    state: Path
    began: float
    """By `perf_counter`, just before the process was made."""

    def first_answer(self) -> float:
        """Seconds from the beginning until the socket answered `/status`."""
        wait_for_answer(self.state / SOCKET)
        return perf_counter() - self.began

    def ready(self) -> float:
        """Seconds from the beginning until a trader was ready."""
        wait_until_ready(self.state / SOCKET)
        return perf_counter() - self.began

    def rss(self) -> float:
        return resident(self.process.pid)


def resident(pid: int | str) -> float:
    """Memory in MB (10**6 bytes)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def wait_for_answer(socket: Path) -> str:
    """Ask for `/status` until there is an answer; return its title."""
    until = perf_counter() + LONGEST
    while perf_counter() < until:
        try:
            return str(ask(socket, "/status", timeout=5)["title"])
        except (NobodyThere, NoAnswer):
            sleep(0.002)
    raise TimeoutError(f"no desk answers on {socket}")


def wait_until_ready(socket: Path) -> None:
    """Wait until a trader has compared its books and trades."""
    until = perf_counter() + LONGEST
    while "Starting" in wait_for_answer(socket):
        if perf_counter() > until:
            raise TimeoutError(f"the desk on {socket} does not get ready")
        sleep(0.002)


def quarterdeck(*arguments: str | Path) -> list[str]:
    """The command line of the installed program."""
    program = shutil.which("quarterdeck", path=str(Path(sys.executable).parent))
    head = [program] if program else [sys.executable, "-m", "chatbot"]
    return [*head, *map(str, arguments)]


@contextmanager
def running(folder: Path, *, prompt: bool = False) -> Iterator[Running]:
    """A desk on *folder*, which keeps its state; with *prompt* in a terminal of its own."""
    config = folder / SETTINGS.name
    shutil.copyfile(SETTINGS, config)
    with _terminal() if prompt else nullcontext(subprocess.DEVNULL) as ends:
        began = perf_counter()
        process = subprocess.Popen(
            quarterdeck("run", "--config", config),
            stdin=ends,
            stdout=ends,
            stderr=ends,
            env={**os.environ, "TERM": "xterm", **_compiled(folder)},
            start_new_session=True,
        )
        try:
            yield Running(process, folder / "state", began)
        finally:
            _end(process)


def _compiled(folder: Path) -> dict[str, str]:
    """From its second start on a desk's code is compiled, as an operator's is."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder.parent / "bytecode")}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


@contextmanager
def _terminal() -> Iterator[int]:
    """The program's end of a terminal; at ours somebody reads, or the program would wait."""
    ours, theirs = pty.openpty()
    reader = Thread(target=_read_to_the_end, args=(ours,))
    reader.start()
    try:
        yield theirs
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)


def _read_to_the_end(terminal: int) -> None:
    with suppress(OSError):  # the other end is closed
        while os.read(terminal, 65536):
            pass
