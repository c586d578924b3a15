"""Only trading/clocks.py reads the machine's time; everything else is given a clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, bindings, each, files, name, resolved, tree

READS = {
    *(f"datetime.datetime.{method}" for method in ("now", "utcnow", "today")),
    "datetime.date.today",
    *(f"time.{clock}" for clock in ("time", "monotonic", "perf_counter", "process_time")),
    *(f"time.{clock}_ns" for clock in ("time", "monotonic", "perf_counter", "process_time")),
    *(f"time.{function}" for function in ("gmtime", "localtime", "ctime")),
}


def readings(path: Path) -> Iterator[str]:
    bound = bindings(path)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            read = resolved(node, bound)
            if read in READS or is_loop_time(read):
                yield f"line {node.lineno}: {read}"


def is_loop_time(read: str) -> bool:
    """`loop.time`, `self._loop.time`, `asyncio.get_running_loop().time`."""
    owner, _, method = read.rpartition(".")
    return method == "time" and owner.rpartition(".")[2].removesuffix("()").endswith("loop")


@each(p for p in files(*PACKAGES) if name(p) != "trading/clocks.py")
def test_only_the_clocks_read_the_time(path: Path) -> None:
    assert list(readings(path)) == []


CAUGHT = [
    "from datetime import datetime\ndatetime.now()",
    "from datetime import UTC, datetime as dt\nstamp = dt.now(UTC)",
    "import datetime\ndatetime.datetime.utcnow()",
    "import datetime as d\nd.date.today()",
    "from datetime import date\nread = date.today",
    "import time\ndef f():\n    return time.monotonic()",
    "from time import perf_counter as tick\ntick()",
    "import time as t\nt.time_ns()",
    "import asyncio\nasyncio.get_running_loop().time()",
    "class A:\n    def f(self):\n        return self._loop.time()",
]
PASSED = [
    "def f(clock):\n    return clock.now(), clock.monotonic()",
    "from datetime import datetime\ndef f(at: datetime):\n    return at.time(), at.date()",
    "import time\ntime.strftime('%H', given)",
]


@pytest.mark.parametrize("text", CAUGHT)
def test_the_rule_sees_every_way_to_read_the_time(text: str, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(text)
    assert len(list(readings(tmp_path / "sample.py"))) == 1


@pytest.mark.parametrize("text", PASSED)
def test_the_rule_leaves_given_times_alone(text: str, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(text)
    assert list(readings(tmp_path / "sample.py")) == []
