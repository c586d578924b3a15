"""Folders stand on floors: no circle among the rooms of a package, its direct children.

A module at the root of a package is a room as well.  What is imported inside a function, or for
its types alone, counts: whoever reads one room has to read the other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, ROOT, files, imported_by, name, tree

Rooms = Mapping[str, frozenset[str]]
"""What each room imports of the others."""

ABOVE_TRADER = ("trading/assembly.py", "trading/desk.py", "trading/operators/", "trading/backtest/")


@pytest.mark.parametrize("package", PACKAGES)
def test_no_circle_among_the_rooms(package: str) -> None:
    assert circle(rooms_of(package)) == []


def test_a_circle_is_found() -> None:
    rooms = {"safety": frozenset({"trader"}), "trader": frozenset({"desk"})}
    assert circle(rooms) == []
    assert circle(rooms | {"desk": frozenset({"safety"})}) != []


def test_the_rooms_are_seen() -> None:
    """Or the tests above would find no circle in nothing."""
    assert {"execution", "accounts"} <= rooms_of("trading")["safety"]
    assert "trader" in rooms_of("trading")["operators"]


def test_no_part_knows_the_trader_that_it_is_a_part_of() -> None:
    above = {"trader", "operators", "desk", "assembly"}
    below = [p for p in files("trading") if not name(p).startswith(ABOVE_TRADER)]
    assert [name(p) for p in below if {*imported_rooms(p, "trading")} & above] == []


def circle(rooms: Rooms) -> list[str]:
    """One after the other, the first of them once more at the end; empty: there is none."""
    try:
        TopologicalSorter(rooms).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def rooms_of(package: str) -> Rooms:
    found: dict[str, set[str]] = {}
    for path in files(package):
        room = room_of(path, package)
        if room:
            found.setdefault(room, set()).update(imported_rooms(path, package))
    return {room: frozenset(others - {room}) for room, others in found.items()}


def room_of(path: Path, package: str) -> str:
    """Empty: *path* is what the package itself says, above all its rooms."""
    first = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imported_rooms(path: Path, package: str) -> Iterator[str]:
    for module in _full_names(path):
        first, _, rest = module.partition(".")
        room = rest.partition(".")[0]
        if first == package and room in _known(package):
            yield room


@cache
def _known(package: str) -> frozenset[str]:
    return frozenset(room_of(path, package) for path in files(package))


def _full_names(path: Path) -> Iterator[str]:
    """As `source.imports`, each name that is imported from a module with it."""
    for node in ast.walk(tree(path)):
        for module in imported_by(node, path):
            if isinstance(node, ast.ImportFrom):
                yield from (f"{module}.{alias.name}" for alias in node.names)
            else:
                yield module
