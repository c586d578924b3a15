"""What things are called: each name is one thing's, and a thing's name is a noun."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

import pytest

from tests.architecture.source import PACKAGES, files, name, tree

VERBS = {"Told", "Said", "Heard", "Look", "Use"}
"""What people and venues do.  Whatever holds what they did has a name of its own."""


def test_no_two_classes_share_a_name() -> None:
    """Not even private ones: who searches for a name finds the one class that it is."""
    homes: dict[str, list[str]] = defaultdict(list)
    for called, path in _classes():
        homes[called.lstrip("_")].append(path)
    assert {called: paths for called, paths in homes.items() if len(paths) > 1} == {}


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_no_verb_names_a_thing(verb: str) -> None:
    named = [
        (called, path) for called, path in [*_classes(), *_aliases()] if verb in _parts(called)
    ]
    assert named == []


def _classes() -> list[tuple[str, str]]:
    return [
        (node.name, name(path))
        for path in files(*PACKAGES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
    ]


def _aliases() -> list[tuple[str, str]]:
    """Names of types that are put together of others, as in `Action = Callable[[], Reply]`."""
    return [
        (target.id, name(path))
        for path in files(*PACKAGES)
        for node in tree(path).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and re.match(r"_?[A-Z][a-z]", target.id)
    ]


def _parts(called: str) -> set[str]:
    return set(re.findall(r"[A-Z][a-z]*", called))
