"""What things are called: each name is one thing's, and a thing's name is a noun."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

import pytest

from tests.architecture.source import PACKAGES, ROOT, files, name, tree

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


REPLACED = {
    "Patience": "OrderTimeouts", "Lane": "WritePriority", "Roster": "TradableUniverse",
    "Belief": "SpikeFilter", "Sight": "TraderViews", "Parcel": "QueuedAlert", "Slip": "PrintJob",
    "Beside": "Offload", "Hand": "ManualTrading", "Stranger": "ForeignOrders",
}  # fmt: skip
"""Words that only we used, and what stands in the glossary for them."""
FACTS = {"StrangerSeen"}
"""Kinds of alerts are called as people who set them up have always called them."""


@pytest.mark.parametrize("word", sorted(REPLACED))
def test_no_word_comes_back_that_was_replaced(word: str) -> None:
    assert REPLACED[word] in _named()
    named = [
        (called, path)
        for called, path in [*_classes(), *_aliases(), *_modules()]
        if word in _parts(called) or word + "s" in _parts(called)
    ]
    assert [found for found in named if found[0] not in FACTS | FAKE_HANDS] == []


FAKE_HANDS = {"HandClock", "HandFeed"}
"""Of a backtest: somebody else's hand moves them."""


@pytest.mark.parametrize("word", ["patience", "lane"])
def test_documents_use_the_words_of_the_glossary(word: str) -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), ROOT / "bench/README.md"]
    texts = {name(page): page.read_text("utf-8") for page in [*pages, *files(*PACKAGES)]}
    old = re.compile(rf"\b_?{word}s?\b", re.IGNORECASE)
    assert [page for page, text in texts.items() if old.search(text)] == []


def test_a_type_has_one_name_in_one_place() -> None:
    """Two modules that say the same of the same name would have to be changed together."""
    homes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in files(*PACKAGES):
        for node in tree(path).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                called, meant = node.targets[0].id, ast.unparse(node.value)
                if re.match(r"_?[A-Z][a-z]", called) and "TypeVar" not in meant:
                    homes[called, meant].append(name(path))
    assert {of: paths for of, paths in homes.items() if len(paths) > 1} == {}


def _modules() -> list[tuple[str, str]]:
    """As in `("ByHand", "trading/by_hand.py")`."""
    modules = [path for path in files(*PACKAGES) if not path.stem[0].isdigit()]  # migrations
    return [(path.stem.title().replace("_", ""), name(path)) for path in modules]


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


# -- the glossary -------------------------------------------------------------------------


def test_every_term_of_the_glossary_names_something_in_the_code() -> None:
    terms = _terms()
    assert len(terms) > 50
    assert [term for term in terms if term not in _named()] == []
    assert sorted(terms) == sorted(set(terms))


def test_each_term_says_what_the_others_call_it() -> None:
    rows = [line.strip("|").split("|") for line in _rows()]
    assert [row for row in rows if len(row) != _COLUMNS or not all(c.strip() for c in row)] == []


_COLUMNS = 4


def _rows() -> list[str]:
    lines = (ROOT / "docs/glossary.md").read_text("utf-8").splitlines()
    return [line for line in lines if line.startswith("| `")]


def _terms() -> list[str]:
    return [row.split("`")[1] for row in _rows()]


def _named() -> set[str]:
    """Classes, functions, types that are put together of others, and modules."""
    functions = {
        node.name
        for path in files(*PACKAGES)
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    named = {called for called, _ in [*_classes(), *_aliases()]}
    return named | functions | {path.stem for path in files(*PACKAGES)}
