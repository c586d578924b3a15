"""What others may change is copied before it is walked across an await.

While a coroutine waits, anybody may add to a set or a dict of an object's: the walk then breaks
with `RuntimeError: Set changed size during iteration`, or, of a list, passes things over without
a word.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, each, files, tree

CHANGES = {
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem",
    "popleft", "remove", "setdefault", "update", "difference_update", "intersection_update",
    "symmetric_difference_update",
}  # fmt: skip
LOOKS = {"items", "keys", "values"}
"""Methods that show a dict as it is, without a copy."""
LAZY = {"enumerate", "filter", "islice", "map", "reversed", "zip", "chain", "iter"}
"""Functions that take from what they are given only when they are asked."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def changed(node: ast.AST) -> Iterator[str]:
    """Names of the attributes that *node* changes in place."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=name), attr=method)):
            if method in CHANGES:
                yield name
        case ast.Subscript(value=ast.Attribute(attr=name), ctx=ast.Store() | ast.Del()):
            yield name
        case ast.AugAssign(target=ast.Attribute(attr=name)):
            yield name


def names_changed(module: ast.Module) -> set[str]:
    return {name for node in ast.walk(module) for name in changed(node)}


@cache
def changed_anywhere() -> frozenset[str]:
    return frozenset(name for path in files(*PACKAGES) for name in names_changed(tree(path)))


def suspends(*nodes: ast.AST) -> bool:
    """Whether others may run in the midst of *nodes*."""
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith)
    return any(
        isinstance(n, waits) or (isinstance(n, ast.comprehension) and n.is_async)
        for node in nodes
        for n in ast.walk(node)
    )


def yielding(function: Function) -> Iterator[ast.AST]:
    """What a generator walks while it yields: who walks the generator walks that."""
    for node in ast.walk(function):
        inside = ast.walk(node) if isinstance(node, ast.For) else ()
        if isinstance(node, ast.For) and any(isinstance(n, ast.Yield) for n in inside):
            yield node.iter


class Walks:
    """The walks of one module; *shared*: attributes that something changes in place."""

    def __init__(self, module: ast.Module, shared: frozenset[str]) -> None:
        self._shared = shared
        self._functions = [n for n in ast.walk(module) if isinstance(n, Function)]
        self._generators = {f.name: list(yielding(f)) for f in self._functions}

    def found(self) -> Iterator[str]:
        for function in self._functions:
            views = self._views(function)
            for node in ast.walk(function):
                yield from self._broken(node, views)

    def _broken(self, node: ast.AST, views: Mapping[str, ast.AST]) -> Iterator[str]:
        match node:
            case ast.For(iter=walked, body=body) if suspends(*body):
                if self._is_shared(walked, views):
                    yield f"line {node.lineno}: for ... in {ast.unparse(walked)}"
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
                inner = [*parts, *node.generators[0].ifs, *node.generators[1:]]
                walked = node.generators[0].iter
                if suspends(*inner) and self._is_shared(walked, views):
                    yield f"line {node.lineno}: {ast.unparse(node)}"

    def _is_shared(self, walked: ast.AST, views: Mapping[str, ast.AST]) -> bool:
        """Whether walking it walks something shared, and no copy."""
        return any(name in self._shared for name in self._uncopied(walked, views))

    def _uncopied(self, walked: ast.AST, views: Mapping[str, ast.AST]) -> Iterator[str]:
        """Names of the attributes that are walked by walking *walked*."""
        match walked:
            case ast.Attribute(attr=name):
                yield name
            case ast.Subscript(value=ast.Attribute(attr=name), slice=index):
                yield from () if isinstance(index, ast.Slice) else (name,)
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=name), attr="get")):
                yield name
        for inner in self._inner(walked, views):
            yield from self._uncopied(inner, {})

    def _inner(self, walked: ast.AST, views: Mapping[str, ast.AST]) -> Iterator[ast.AST]:
        """What is walked by walking *walked*: what it looks at, or takes from when asked."""
        match walked:
            case ast.Name(id=name) if name in views:
                yield views[name]
            case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in LOOKS:
                yield value
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args):
                yield from args if name in LAZY else self._generators.get(name, ())
            case ast.GeneratorExp(generators=generators):
                yield from (each.iter for each in generators)
            case ast.BoolOp(values=values):
                yield from values
            case ast.IfExp(body=body, orelse=orelse):
                yield from (body, orelse)

    def _views(self, function: Function) -> dict[str, ast.AST]:
        """Local names that stand for something that is not copied."""
        return {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and self._is_shared(node.value, {})
            for target in node.targets
            if isinstance(target, ast.Name)
        }


@each(files(*PACKAGES))
def test_nothing_that_others_change_is_walked_across_an_await(path: Path) -> None:
    assert list(Walks(tree(path), changed_anywhere()).found()) == []


CAUGHT = [
    "for x in self.known:\n            await f(x)",
    "for x in self.known.values():\n            await f(x)",
    "for x, y in self.known.items():\n            async with f(x): ...",
    "for n, x in enumerate(self.known):\n            await f(x)",
    "for x in (y for y in self.known if y):\n            await f(x)",
    "for x in self.of.known[1]:\n            await f(x)",
    "for x in self.known.get(1, ()):\n            await f(x)",
    "for x in () if self.ended else self.known:\n            await f(x)",
    "for x in self.each():\n            await f(x)",
    "known = self.known\n        for x in known:\n            await f(x)",
    "those = (y for y in self.known)\n        for x in those:\n            await f(x)",
    "found = [x for x in self.known if await f(x)]",
    "found = {await f(x) for x in self.known}",
    "found = {x: await f(x) for x in self.known.values()}",
]
PASSED = [
    "for x in list(self.known):\n            await f(x)",
    "for x in sorted(self.known.values()):\n            await f(x)",
    "for x in self.known[1:]:\n            await f(x)",
    "for x in (*self.known,):\n            await f(x)",
    "for x in [y for y in self.known if y]:\n            await f(x)",
    "for x in self.known:\n            f(x)",
    "found = [x for x in self.known if x]\n        await f(found)",
    "for x in self.fixed:\n            await f(x)",
    "known = list(self.known)\n        for x in known:\n            await f(x)",
]
SAMPLE = """
class A:
    def each(self):
        for x in self.known:
            yield x

    async def f(self):
        {}
        self.known.add(1)
"""


def walks(text: str) -> list[str]:
    module = ast.parse(SAMPLE.format(text))
    return list(Walks(module, frozenset(names_changed(module))).found())


@pytest.mark.parametrize("text", CAUGHT)
def test_the_rule_sees_every_way_to_walk(text: str) -> None:
    assert len(walks(text)) == 1


@pytest.mark.parametrize("text", PASSED)
def test_the_rule_leaves_copies_and_what_nobody_changes_alone(text: str) -> None:
    assert walks(text) == []
