"""Two desks never trade one account, by whatever trick the second got the folder of the first."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process.desk_process import Ended, quarterdeck
from tests.process.exchange_desk import Exchange, LiveDesk, keys, live_desk

pytestmark = pytest.mark.slow


@pytest.fixture
def venue() -> Iterator[Exchange]:
    with Exchange(market="swap") as venue:
        yield venue


def is_no_socket(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if (Path(folder) / name).is_socket()}


def beside(desk: LiveDesk) -> Path:
    """Its whole folder, settings too."""
    return shutil.copytree(desk.folder, desk.folder.with_name("copy"), ignore=is_no_socket)


def in_its_place(desk: LiveDesk) -> Path:
    """It goes on on the folder that was moved away under it."""
    moved = desk.state.rename(desk.folder / "moved")
    shutil.copytree(moved, desk.state, ignore=is_no_socket)
    return desk.folder


@pytest.mark.parametrize("copied", [beside, in_its_place])
def test_a_live_desk_is_refused_on_a_copy_of_the_folder_of_one_that_runs(
    venue: Exchange, tmp_path: Path, copied: Callable[[LiveDesk], Path]
) -> None:
    with live_desk(tmp_path / "desk", venue) as desk:
        where = copied(desk)
        refused = run_shortly(where)
        assert refused.code == 1, refused
        assert f"Another live desk (pid {desk.pid}) sends orders with the mark" in refused.err
        assert "Two would trade one account. Nothing was started." in refused.err
        desk.kill()
        assert run_shortly(where).code == 0, "and now it is the only one"


def run_shortly(folder: Path) -> Ended:
    return quarterdeck("run", "--for", "0.1", cwd=folder, **keys())
