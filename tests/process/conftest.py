"""Each desk that a test starts is ended with it, and must not have complained."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process.desk_process import SHIPPED, DeskProcess

NewDesk = Callable[..., DeskProcess]

# What is ignored when the tests begin, as in the background of a script, would be ignored by every
# desk.  What is caught is not inherited.
for number in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


@pytest.fixture
def new_desk(tmp_path: Path) -> Iterator[NewDesk]:
    """Makes the desk of this test's folder; the settings as shipped unless it brings others."""
    made: list[DeskProcess] = []

    def make(settings: str = SHIPPED, **environ: str) -> DeskProcess:
        made.append(DeskProcess(tmp_path, settings, **environ))
        return made[-1]

    yield make
    for desk in made:
        desk.kill()
    for desk in made:
        assert desk.complaints() == []


@pytest.fixture
def calm(new_desk: NewDesk) -> DeskProcess:
    """A desk as shipped whose market stands all but still."""
    return new_desk(QUARTERDECK__FEEDS__CRASH__SPEED="0.001")
