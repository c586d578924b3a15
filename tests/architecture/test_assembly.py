"""How the trader is put together: what a part is made of fits in a glance, and no part is a hub."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

from tests.architecture.source import ROOT, dotted, files, name, tree

Node = TypeVar("Node", bound=ast.AST)

MOST = 10
"""So many things a class of `trading/` may be made of."""
EXCEPT: dict[str, str] = {}
"""Classes that take more, each with its reason."""
BAGS = {"DeskParts", "TraderParts"}
"""All that a trader stands on.  Whoever unpacks them builds traders, and hands out single parts."""
BUILDERS = {"trading/assembly.py", "trading/backtest/drive.py"}


def test_what_a_part_is_made_of_fits_in_a_glance() -> None:
    every = [cls for path in files("trading") for cls in classes(path)]
    many = {cls.name: len(made_of(cls)) for cls in every if len(made_of(cls)) > MOST}
    assert many.keys() <= EXCEPT.keys(), many


def test_the_parts_are_seen() -> None:
    """Or the test above would count nothing."""
    found = {c.name: made_of(c) for path in files("trading") for c in classes(path)}
    assert {"settings", "orders", "cycles"} <= {*found["Trader"]}
    assert {"orders", "context", "latch"} <= {*found["RestingEntries"]}, "a dataclass of parts"
    assert found["Order"] == [], "a value is made of facts, and of as many as there are"


def test_nobody_is_handed_all_that_there_is() -> None:
    others = [path for path in files("trading") if name(path) not in BUILDERS]
    assert [name(p) for p in others if BAGS & {n.id for n in _nodes(p, ast.Name)}] == []


def test_what_every_event_of_a_trader_says_is_written_once() -> None:
    about = {"at", "trader", "mode"}
    found = [name(path) for path in files("trading") if any(about <= k for k in _keys(path))]
    assert found == ["trading/context/trader.py"]


# -- what classes are made of -----------------------------------------------------------------


def classes(path: Path) -> Iterator[ast.ClassDef]:
    return _nodes(path, ast.ClassDef)


def made_of(cls: ast.ClassDef) -> list[str]:
    """What its constructor is given; of a dataclass, the parts among its fields."""
    for node in cls.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return [arg.arg for arg in (*node.args.args[1:], *node.args.kwonlyargs)]
    if not _is_dataclass(cls):
        return []
    return [field for field, kind in _fields(cls) if _names(kind) & parts()]


@cache
def parts() -> frozenset[str]:
    """Classes that do something: ports, those with a constructor of their own, and dataclasses
    that hold such."""
    every = [cls for path in files("trading") for cls in classes(path)]
    doing = {c.name for c in every if _is_port(c) or _has_constructor(c)}
    while True:
        more = {
            c.name
            for c in every
            if _is_dataclass(c) and any(_names(kind) & doing for _, kind in _fields(c))
        }
        if more <= doing:
            return frozenset(doing)
        doing |= more


def _is_port(cls: ast.ClassDef) -> bool:
    return "Protocol" in {dotted(base) for base in cls.bases}


def _has_constructor(cls: ast.ClassDef) -> bool:
    is_error = any(dotted(base).endswith(("Error", "Exception")) for base in cls.bases)
    return not is_error and any(
        isinstance(node, ast.FunctionDef) and node.name == "__init__" for node in cls.body
    )


def _is_dataclass(cls: ast.ClassDef) -> bool:
    return any(dotted(each).startswith("dataclass") for each in cls.decorator_list)


def _fields(cls: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for node in cls.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.annotation


def _names(annotation: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}


def _keys(path: Path) -> Iterator[set[object]]:
    """Of each dict that is written out."""
    for node in _nodes(path, ast.Dict):
        yield {key.value for key in node.keys if isinstance(key, ast.Constant)}


def _nodes(path: Path, kind: type[Node]) -> Iterator[Node]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, kind))


# -- what people do -----------------------------------------------------------------------------

SHOWN_TOO = {"orders", "losses"}
"""Figures are called so as well: events and views have them."""


def test_what_people_do_to_a_trader_goes_through_one_door() -> None:
    """What can be said asks `desk.manual(...)`: a part of a trader is nobody's to call from there.

    There every act by hand is found, and what may be asked of it before.
    """
    parts = parts_of_a_trader() - SHOWN_TOO
    assert {"exits", "aside", "enforcer", "protection"} <= parts
    found = {name(path): reached(path, parts) for path in files("handlers")}
    assert {path: places for path, places in found.items() if places} == {}
    assert any(reached(path, parts) for path in files("trading/operators")), "or it sees none"


def parts_of_a_trader() -> set[str]:
    """Names of what a trader hands out of `execution/` and `safety/`."""
    (trader,) = (c for c in classes(ROOT / "trading/trader.py") if c.name == "Trader")
    acting = {
        alias.name
        for node in _nodes(ROOT / "trading/trader.py", ast.ImportFrom)
        if (node.module or "").startswith(("trading.execution", "trading.safety"))
        for alias in node.names
    }
    init = next(n for n in trader.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    taken = {arg.arg for arg in init.args.kwonlyargs if dotted(arg.annotation or arg) in acting}
    shown = {
        node.name
        for node in trader.body
        if isinstance(node, ast.FunctionDef) and node.returns and dotted(node.returns) in acting
    }
    return taken | shown


def reached(path: Path, parts: set[str]) -> list[str]:
    """As in `desk.traders[trader].exits`: wherever one of *parts* is taken from a trader."""
    return [
        f"{node.lineno}: {node.attr}" for node in _nodes(path, ast.Attribute) if node.attr in parts
    ]
