"""One live desk of a mark per machine, whatever folder it runs on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from chatbot.folder.mark import DeskMark
from trading.errors import Refused

HOLDING = """
import os, sys
from chatbot.folder.mark import DeskMark
held = DeskMark(sys.argv[1])
held.hold()
print(flush=True)
sys.stdin.read()
"""
SQUATTING = """
import os, socket, sys
os.setuid(65534)
name = socket.socket(socket.AF_UNIX)
name.bind(f"\\0quarterdeck/{sys.argv[2]}/{sys.argv[1]}")
name.listen()
print(flush=True)
sys.stdin.read()
"""


def another(code: str, mark: str) -> subprocess.Popen[bytes]:
    """A process that has done what *code* says, and stays."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, mark, str(os.geteuid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"\n"
    return process


async def held_for_a_moment(mark: str) -> None:
    desk = DeskMark(mark)
    desk.hold()
    await desk.release()


@pytest.fixture
def mark() -> str:
    """Of nobody else: tests run side by side."""
    return f"test-{os.getpid()}"


async def test_the_second_of_a_mark_is_refused_until_the_first_has_ended(mark: str) -> None:
    first, second = DeskMark(mark), DeskMark(mark)
    first.hold()
    with pytest.raises(Refused, match=rf"Another live desk \(pid {os.getpid()}\).*Nothing was"):
        second.hold()
    await second.release()
    await held_for_a_moment(f"{mark}-other")

    await first.release()

    second.hold()
    await second.release()


async def test_it_ends_with_its_process_however_that_ends(mark: str) -> None:
    with another(HOLDING, mark) as desk:
        with pytest.raises(Refused, match=rf"pid {desk.pid}\)"):
            DeskMark(mark).hold()
        desk.kill()
    await held_for_a_moment(mark)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_a_stranger_who_takes_the_name_keeps_nobody_from_starting(mark: str) -> None:
    with another(SQUATTING, mark) as stranger:
        await held_for_a_moment(mark)
        stranger.kill()
