"""A start that is cut at any moment ends in words, with a true exit code, and harms nothing."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest

from tests.process import books
from tests.process.desk_process import DeskProcess, quarterdeck

pytestmark = pytest.mark.slow  # each starts a desk or two

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def listens(desk: DeskProcess) -> bool:
    """From its first lines on: before that the kernel itself ends it."""
    status = Path(f"/proc/{desk.pid}/status").read_text(encoding="ascii")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return all(int(caught.split()[1], 16) >> (number - 1) & 1 for number in ENDING)


def there(name: str) -> Callable[[DeskProcess], bool]:
    return lambda desk: (desk.state / name).exists()


MOMENTS: dict[str, Callable[[DeskProcess], bool]] = {
    "it listens": listens,
    "its folder": there("lock"),
    "its log": there("logs"),
    "its history": there("history.db"),
    "its latch": there("latch"),
    "its stop socket": there("stop.sock"),
    "its socket": there("control.sock"),
}


async def ended_in_words(desk: DeskProcess, number: signal.Signals) -> None:
    """Either there was no desk yet, or it ended as a desk does."""
    code, said = desk.wait(), desk.err.read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert desk.complaints() == []
    if code == 0:
        assert "Shutting down, by" in desk.out.read_text(encoding="utf-8")
        assert (await books.read(desk.state)).clean_exit
    else:
        assert code == 128 + number
        assert f"Ended by {number.name} before the desk had started. Nothing was sent" in said


def starts_as_ever(desk: DeskProcess) -> None:
    desk.start()
    assert "Halted" not in desk.say("/status")["title"]
    assert desk.terminate() == 0


@pytest.mark.parametrize(("moment", "number"), list(zip(MOMENTS, cycle(ENDING), strict=False)))
async def test_a_start_that_is_cut_ends_in_words(
    calm: DeskProcess, moment: str, number: signal.Signals
) -> None:
    """Each moment, and each signal twice: they are handled alike, so not every pair is tried."""
    await is_cut(calm, moment, number)
    if number is signal.SIGHUP:
        starts_as_ever(calm)


@pytest.mark.soak
@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_start_that_is_cut_at_each_moment_by_each_signal_ends_in_words(
    calm: DeskProcess, moment: str, number: signal.Signals
) -> None:
    await is_cut(calm, moment, number)
    starts_as_ever(calm)


async def is_cut(desk: DeskProcess, moment: str, number: signal.Signals) -> None:
    desk.launch()
    desk.until(lambda: listens(desk) and MOMENTS[moment](desk), "the moment")
    desk.signal(number)
    await ended_in_words(desk, number)


@pytest.mark.parametrize("seed", range(6))
async def test_a_start_that_is_cut_at_any_moment_ends_in_words(
    calm: DeskProcess, seed: int
) -> None:
    """The moment is drawn: so many looks of ours after the first, as fast as they go."""
    draw = random.Random(seed)
    number = draw.choice(ENDING)
    calm.launch()
    calm.until(lambda: listens(calm), "it listens")
    for _ in range(draw.randrange(100_000)):
        if calm.socket.exists():
            break
    calm.signal(number)
    calm.signal(number)
    await ended_in_words(calm, number)
    starts_as_ever(calm)


def test_what_is_ignored_stays_ignored(calm: DeskProcess) -> None:
    """As under `nohup`."""
    calm.under = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
    calm.start()
    calm.signal(signal.SIGHUP)
    assert calm.say("/status")["outcome"] == "done"
    assert calm.terminate() == 0


async def test_a_terminal_that_is_closed_ends_a_desk_as_a_shutdown_does(calm: DeskProcess) -> None:
    calm.start()
    calm.signal(signal.SIGHUP)
    assert calm.wait() == 0
    assert "by SIGHUP" in calm.out.read_text(encoding="utf-8")
    assert (await books.read(calm.state)).clean_exit


def test_a_start_that_waits_for_a_lock_says_why_it_ends(calm: DeskProcess) -> None:
    """Whatever it is cut in, another desk's folder is left alone."""
    calm.start()
    ended = quarterdeck("run", cwd=calm.folder)
    assert ended.code == 1
    assert f"pid {calm.pid}" in ended.err
    assert os.path.lexists(calm.socket)
