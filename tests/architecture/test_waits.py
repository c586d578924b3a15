"""Waits against the clock, and work beside other work, are made in one place: `common/tasks.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, dotted, each, files, name, tree

HOME = "trading/common/tasks.py"
GROWS = {"chatbot/delivery/outbox.py"}
"""A chat that is added while the outbox runs gets a worker: `together` must know all at once."""
OTHERS = [path for path in files(*PACKAGES) if name(path) != HOME]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def called(node: ast.AST) -> set[str]:
    return {dotted(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}


def own_waits(module: ast.Module) -> Iterator[str]:
    """Functions that wait for whichever is first: the clock, or something else."""
    for node in ast.walk(module):
        if isinstance(node, Function):
            calls = called(node)
            if "asyncio.wait" in calls and any(c.endswith("clock.sleep") for c in calls):
                yield node.name


@each(OTHERS)
def test_who_waits_against_the_clock_uses_the_one_helper(path: Path) -> None:
    assert list(own_waits(tree(path))) == []


@each([path for path in OTHERS if name(path) not in GROWS])
def test_work_that_goes_on_together_uses_the_one_helper(path: Path) -> None:
    assert "asyncio.TaskGroup" not in called(tree(path))


@pytest.mark.parametrize(
    "timer", ["asyncio.ensure_future(self._clock.sleep(3))", "map(run, (self._clock.sleep(3), x))"]
)
def test_the_rule_sees_a_wait_of_ones_own(timer: str) -> None:
    source = f"async def pause():\n    waits = {timer}\n    await asyncio.wait(waits)"
    assert list(own_waits(ast.parse(source))) == ["pause"]


@pytest.mark.parametrize("path", sorted(GROWS))
def test_what_grows_is_there(path: str) -> None:
    assert any(name(other) == path for other in OTHERS)
