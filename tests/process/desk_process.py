"""A desk as an operator runs it: a process of its own, spoken to from outside.

Nothing here looks inside.  What a dead desk has left behind is read by `tests.process.books`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from chatbot.folder.calling import NoAnswer, NobodyThere, address, ask
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "bot.toml").read_text(encoding="utf-8")
COMMAND = (sys.executable, "-m", "chatbot")
TRIES, PAUSE = 6_000, 0.02
"""How often, and after how many seconds again, a state is asked for: a bound, not a measure."""

Answer = dict[str, Any]
"""A reply as JSON; its terminal text is `plain`."""


class Timeless(AssertionError):
    """What was waited for did not come."""


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str


def environment(**changes: str) -> dict[str, str]:
    """Ours, without settings of whoever runs the tests."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith("QUARTERDECK")}
    return kept | {"PYTHONPATH": str(ROOT)} | changes


def quarterdeck(*arguments: str | Path, cwd: Path, **environ: str) -> Ended:
    """Run one command to its end, as typed."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=cwd,
        env=environment(**environ),
        text=True,
        timeout=PATIENCE,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class DeskProcess:
    """`quarterdeck run` in a folder with a bot.toml; it may die and be started again.

    Each start writes `out-N` and `err-N` beside the settings.  *environ* are settings by
    environment, for every start.
    """

    def __init__(self, folder: Path, settings: str = SHIPPED, **environ: str) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.under: tuple[str, ...] = ()
        """A command that runs it, as `nsenter ...`."""
        self._environ = environ
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "bot.toml").write_text(settings, encoding="utf-8")

    # -- its life ---------------------------------------------------------------------------

    def start(self, *arguments: str, **environ: str) -> Self:
        """Start it, and wait until its books are compared and it answers."""
        self.launch(*arguments, environ=environ)
        self.start_is_over()
        return self

    def start_is_over(self) -> Answer:
        """Wait until its books are compared; returns its status."""
        self.until(self._is_ready, "the desk is ready")
        return self.say("/status")

    def launch(
        self,
        *arguments: str,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        code: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start it and wait for nothing.  *code*: run this in place of `-m chatbot`."""
        assert self._process is None, "it runs already"
        self._starts += 1
        program = (sys.executable, "-c", code) if code else COMMAND
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = subprocess.Popen(
                [*self.under, *program, "run", *arguments],
                stdin=stdin,
                stdout=out if stdout is None else stdout,
                stderr=err,
                cwd=self.folder,
                env=environment(**self._environ, **(environ or {})),
            )
        return self._process

    def restart(self, **environ: str) -> Self:
        """Kill it if it lives, and start it again."""
        self.kill()
        return self.start(**environ)

    def kill(self) -> None:
        """As the power, or the kernel out of memory, ends it."""
        if self._process is not None:
            self._process.kill()
            self.wait()

    def terminate(self) -> int:
        """As systemd ends it; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        assert self._process is not None
        code = self._process.wait(timeout=PATIENCE)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
        return code

    @property
    def lives(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    # -- talking ----------------------------------------------------------------------------

    def say(self, text: str) -> Answer:
        """Say one line over the control socket, as `quarterdeck say` does."""
        return ask(self.socket, text, timeout=PATIENCE)

    def do(self, text: str) -> Answer:
        """Say it, and confirm when asked."""
        answer = self.say(text)
        return answer if answer["outcome"] != "confirm" else self.say(confirmation(answer))

    @contextmanager
    def saying(self, text: str) -> Iterator[Callable[[], Answer | None]]:
        """Say one line and wait for nothing.

        Yields what gives the answer later, or None if the desk died before it answered.
        """
        line = json.dumps({"v": 1, "id": os.urandom(8).hex(), "text": text}).encode() + b"\n"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            with address(self.socket) as name:
                connection.connect(name)
            connection.sendall(line)
            yield lambda: _answer(connection)

    @property
    def socket(self) -> Path:
        return self.state / "control.sock"

    def until(self, true: Callable[[], object], what: str) -> None:
        """Look again and again until *true* says yes."""
        for _ in range(TRIES):
            if true():
                return
            if not self.lives:
                break
            time.sleep(PAUSE)
        raise Timeless(f"not seen: {what}\n{self.told()}\n{self.complaints()}")

    def halt_is_saved(self) -> None:
        """Wait until its halts outlive it: the answer to a stop waits only so long for a disk."""
        unsaved = "Not saved yet"
        self.until(lambda: unsaved not in self.say("/halts")["text"], "the halt is saved")

    def _is_ready(self) -> bool:
        try:
            status = self.say("/status")
        except (NobodyThere, NoAnswer):
            return False
        return "Starting:" not in status["title"] + status["text"]

    # -- what it printed --------------------------------------------------------------------

    @property
    def out(self) -> Path:
        return self.folder / f"out-{self._starts}"

    @property
    def err(self) -> Path:
        return self.folder / f"err-{self._starts}"

    def told(self) -> list[str]:
        """The lines of the newest start, without their time: `NOTICE Started (paper) ...`."""
        lines = self.out.read_text(encoding="utf-8").splitlines()
        return [line.partition(" ")[2] for line in lines]

    def alerts(self, kind: str, *words: str, count: int = 1) -> list[str]:
        """Title and text of each alert of *kind* that has all *words*, told or waiting to be.

        Waits until there are *count*: an alert is written after the answer to what caused it.
        """
        what = " ".join([str(count), kind, *words])
        self.until(lambda: len(self.alerts_so_far(kind, *words)) >= count, what)
        return self.alerts_so_far(kind, *words)

    def alerts_so_far(self, kind: str, *words: str) -> list[str]:
        """The same without waiting: more may be under way."""
        history = f"file:{self.state / 'history.db'}?mode=ro"
        with closing(sqlite3.connect(history, uri=True)) as database:
            rows = database.execute("SELECT body FROM alerts WHERE kind = ? ORDER BY seq", [kind])
            bodies = [json.loads(body) for (body,) in rows]
        told = [f"{body['title']}\n{body['text']}".replace("\xa0", " ") for body in bodies]
        return [text for text in told if all(word in text for word in words)]

    def until_loaded(self) -> None:
        """Until the trader has all that it loads at its start, when the desk has long answered."""
        loaded = "all that the trader needs"
        self.until(lambda: any(loaded in line for line in self._logged()), "it has what it needs")

    def complaints(self) -> list[str]:
        """All that should never be there, of all starts."""
        entries = map(json.loads, self._logged())
        logged = [
            entry.get("exception") or entry["event"]
            for entry in entries
            if entry["level"] in {"error", "critical"} or "exception" in entry
        ]
        errors = [path.read_text(encoding="utf-8") for path in self.folder.glob("err-*")]
        return [*logged, *(text for text in errors if "Traceback" in text or "Warning:" in text)]

    def _logged(self) -> list[str]:
        return [
            line
            for path in self.folder.glob("state*/logs/*.jsonl")
            for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
            if line.endswith("\n")  # a kill may have cut the last one
        ]


def confirmation(answer: Answer) -> str:
    """What presses the button that says yes."""
    commands: list[str] = [choice["command"] for choice in answer["choices"]]
    return next(c for c in commands if c.startswith("/confirm "))


def _answer(connection: socket.socket) -> Answer | None:
    parts: list[bytes] = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
            if part.endswith(b"\n"):
                return dict(json.loads(b"".join(parts)))
    except ConnectionError:
        pass
    return None
