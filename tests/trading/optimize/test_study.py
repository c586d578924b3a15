"""Studies that several processes share: on PostgreSQL, on SQLite, and when one of them is killed.

PostgreSQL is a real one, from the wheel `pgserver`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from trading.optimize.spaces import Dimension, Value
from trading.optimize.study import OtherStudy, Score, Studies, Study, masked

X = Dimension(name="x", kind=int, low=0, high=100)
WORKER = """
import sys
from trading.optimize.spaces import Dimension
from trading.optimize.study import Score, Studies

X = Dimension(name="x", kind=int, low=0, high=100)
url, seed, wanted = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def measure(values):
    if wanted == 0:  # hang in the midst of a try
        print(values["x"], flush=True)
        sys.stdin.read()
    return Score(value=-abs(values["x"] - 42), sharpe=0.1)

study = Studies(url, heartbeat=1).study("shared", (X,), about={"data": 1}, seed=seed)
print("ready", flush=True)
sys.stdin.readline()
mine = 0
while not mine or study.count() < wanted or not wanted:  # one at least, however slow its start
    study.once(measure)
    mine += 1
print(mine)
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The address of an empty database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the home of its sockets is not set
        pgserver = pytest.importorskip("pgserver", reason="it has no wheel for this Python")
        folder = tempfile.mkdtemp()  # short: it holds a socket
        server = pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture(params=["postgres", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study.db"
    server: str = request.getfixturevalue("postgres")
    name = f"q{abs(hash(request.node.nodeid)) % 10**9}"
    _psql(server, f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")


def _psql(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


@contextmanager
def worker(url: str, *, seed: int, wanted: int) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, url, str(seed), str(wanted)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@contextmanager
def opened(url: str = "", *, about: Mapping[str, object] | None = None) -> Iterator[Study]:
    with Studies(url, heartbeat=1) as studies:
        yield studies.study("shared", (X,), about=about or {"data": 1}, seed=3)


def near_42(values: Mapping[str, Value]) -> Score:
    return Score(value=-abs(float(values["x"]) - 42), sharpe=0.1)


@pytest.mark.slow
def test_two_processes_that_begin_at_once_share_one_study(url: str) -> None:
    with worker(url, seed=1, wanted=14) as one, worker(url, seed=2, wanted=14) as other:
        workers = (one, other)
        assert [line(process) for process in workers] == ["ready", "ready"]
        for process in workers:
            go(process)
        tries = [int(line(process)) for process in workers]
    with opened(url) as study:
        assert all(tries)
        assert sum(tries) == study.count() >= 14
        best = study.best()
        assert best is not None
        assert best.score.value == max(near_42(each.values).value for each in study.tried())


@pytest.mark.slow
def test_the_try_of_a_killed_process_is_made_by_another(url: str) -> None:
    with worker(url, seed=1, wanted=0) as killed:
        assert line(killed) == "ready"
        go(killed)
        left = int(line(killed))
        killed.kill()
        killed.wait()
    tried: list[Value] = []

    def measure(values: Mapping[str, Value]) -> Score:
        tried.append(values["x"])
        return near_42(values)

    with opened(url) as study:
        while left not in tried:
            study.once(measure)
        assert len(tried) == study.count()


def test_in_memory_a_study_finds_what_is_best() -> None:
    with opened() as study:
        study.suggest_first({"x": 42})
        for _ in range(5):
            study.once(near_42)
        best = study.best()
    assert best is not None
    assert (best.values, best.score.value) == ({"x": 42}, 0.0)


def test_the_same_settings_are_one_try_however_often_they_come() -> None:
    study = Studies().study(
        "twice", (Dimension(name="x", kind=bool, low=0, high=1),), about={}, seed=1
    )
    for _ in range(8):
        study.once(lambda values: Score(value=float(values["x"]), sharpe=0.0))
    assert study.count() == 8
    assert len(study.tried()) == 2


def test_settings_that_contradict_each_other_are_tries_without_a_figure() -> None:
    with opened() as study:
        for _ in range(3):
            study.once(lambda values: None)
        assert (study.count(), study.tried(), study.best()) == (3, [], None)


def test_a_study_about_something_else_is_not_joined(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    other = pytest.raises(OtherStudy, match="The study shared is there, and was made with other")
    with opened(url), other, opened(url, about={"data": 2}):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:s3cr%40t@127.0.0.1:1/studies",
        "postgresql+nosuchdriver://anna:s3cr%40t@127.0.0.1:1/studies",
        "no url at all, s3cr%40t",
        "sqlite:////no/such/folder/s3cr@t.db",
    ],
)
def test_a_storage_that_cannot_be_opened_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"^The storage ") as told:
        Studies(url)
    assert "s3cr" not in str(told.value)
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


def test_a_password_is_masked_as_it_is_written_and_as_it_is_meant() -> None:
    url = "postgresql://anna:s3cr%40t@db/studies"
    assert masked(f"no {url}, s3cr%40t or s3cr@t", url) == "no ***, *** or ***"
