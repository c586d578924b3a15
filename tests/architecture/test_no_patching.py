"""Tests use our code as it is: what they need different is a constructor's argument."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, bindings, dotted, each, files, resolved, top, tree

PATCHERS = ("unittest.mock.patch", "mock.patch", "mocker.patch")


def patches(path: Path) -> Iterator[str]:
    bound = bindings(path)
    for node in ast.walk(tree(path)):
        if is_patch(node, bound):
            yield f"line {getattr(node, 'lineno', 0)}"


def is_patch(node: ast.AST, bound: dict[str, str]) -> bool:
    match node:
        case ast.ImportFrom(module="unittest.mock", names=names):
            return any(alias.name == "patch" for alias in names)
        case ast.Attribute():
            return resolved(node, bound) in PATCHERS
        case ast.Call(func=ast.Attribute(attr="setattr" | "delattr" as method), args=[target, *_]):
            return is_monkeypatch(node.func, method) and not is_foreign(target, bound)
        case ast.Assign(targets=targets):
            return any(is_ours(target, bound) for target in targets)
    return False


def is_monkeypatch(func: ast.AST, method: str) -> bool:
    return "monkeypatch" in dotted(func).removesuffix(f".{method}").lower()


def is_foreign(target: ast.AST, bound: dict[str, str]) -> bool:
    """Whether it is plainly not ours: imported from elsewhere, or named by a foreign path."""
    if isinstance(target, ast.Constant):
        return top(str(target.value)) not in PACKAGES
    first = top(dotted(target)).removesuffix("()")
    return first in bound and top(bound[first]) not in PACKAGES


def is_ours(target: ast.AST, bound: dict[str, str]) -> bool:
    """An attribute of something imported from us is being replaced."""
    first = top(dotted(target))
    return isinstance(target, ast.Attribute) and top(bound.get(first, "")) in PACKAGES


@each(files("tests", "bench"))
def test_nothing_of_ours_is_patched(path: Path) -> None:
    assert list(patches(path)) == []


CAUGHT = [
    "from unittest.mock import patch",
    "from unittest import mock\nmock.patch('trading.model.halt.Latch')",
    "import unittest.mock\nunittest.mock.patch.object(thing, 'name')",
    "def test(monkeypatch):\n    monkeypatch.setattr('trading.clocks.SystemClock', 1)",
    "from trading import clocks\ndef test(monkeypatch):\n    monkeypatch.setattr(clocks, 'x', 1)",
    "def test(monkeypatch, desk):\n    monkeypatch.setattr(desk, 'stop', 1)",
    "from trading import clocks\nclocks.SystemClock = 1",
]
PASSED = [
    "import sys\ndef test(monkeypatch):\n    monkeypatch.setattr(sys, 'argv', [])",
    "def test(monkeypatch):\n    monkeypatch.setenv('TZ', 'UTC')",
    "def test(venue):\n    venue.faults = []",
]


@pytest.mark.parametrize("text", CAUGHT)
def test_the_rule_sees_every_way_to_patch(text: str, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(text)
    assert list(patches(tmp_path / "sample.py"))


@pytest.mark.parametrize("text", PASSED)
def test_the_rule_leaves_the_rest_alone(text: str, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(text)
    assert not list(patches(tmp_path / "sample.py"))
