"""The sources as the rules see them: files, trees, and what they import."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("chatbot", "handlers", "storage", "trading")


def files(*folders: str) -> list[Path]:
    """Every Python file below *folders*, in a fixed order (xdist needs one)."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    """As in `trading/risk/gate.py`."""
    return path.relative_to(ROOT).as_posix()


def each(paths: Iterable[Path]) -> pytest.MarkDecorator:
    """Run the test once for each of *paths*, given to it as `path`."""
    return pytest.mark.parametrize("path", list(paths), ids=name)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[str]:
    """Full names of the modules that *path* imports, inside functions and by name too."""
    for node in ast.walk(tree(path)):
        yield from imported_by(node, path)


def imported_by(node: ast.AST, path: Path) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, level=0) if module:
            yield module
        case ast.ImportFrom(module=module, level=level) if level:
            home = path.relative_to(ROOT).parts[:-level]
            yield ".".join([*home, module] if module else home)
        case ast.Call(func=func, args=[ast.Constant(value=str(module)), *_]) if dotted(func) in {
            "importlib.import_module",
            "import_module",
            "__import__",
        }:
            yield module


def bindings(path: Path) -> dict[str, str]:
    """Names that imports bind in *path*, with what they stand for: `dt` -> `datetime.datetime`."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                bound[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return bound


def dotted(node: ast.AST) -> str:
    """`a.b.c` for such an expression, with `()` where something is called; else empty."""
    match node:
        case ast.Name(id=identifier):
            return identifier
        case ast.Attribute(value=value, attr=attribute):
            inner = dotted(value)
            return f"{inner}.{attribute}" if inner else ""
        case ast.Call(func=func):
            inner = dotted(func)
            return f"{inner}()" if inner else ""
    return ""


def resolved(node: ast.AST, bound: dict[str, str]) -> str:
    """As `dotted`, with the first name replaced by what it was imported as."""
    first, dot, rest = dotted(node).partition(".")
    called = "()" if first.endswith("()") else ""
    first = first.removesuffix("()")
    return f"{bound.get(first, first)}{called}{dot}{rest}"


def top(module: str) -> str:
    return module.partition(".")[0]
