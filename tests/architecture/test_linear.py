"""Whoever may speak may shout: no pattern looks more than in proportion at what it is given.

`\\W+$` looks at a thousand marks half a million times, and every member may send them.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from tests.architecture.source import files, name, tree
from tests.architecture.steps import ENOUGH, Counter, parse, steps

HEARS = ("handlers", "chatbot")
"""Packages to which outsiders' words come."""
USES = ("match", "fullmatch", "search", "sub", "split", "findall", "finditer", "compile")
PUT_TOGETHER = {
    "chatbot/wiring/access.py",  # the name of a constant; what an operator types
    "chatbot/logs.py",  # secrets as they are, and a pattern that is counted by itself
    "chatbot/settings/places.py",
    "chatbot/settings/values.py",  # settings
    "handlers/command.py",  # our own names, at the start
}
N, MOST = 24, 2.6
FEW = 6
"""Looks at each character that are not worth a second count."""
FRONT = ["", "1", "a", "\n"]
PUMPED = [*"a1 \t\n!%.,/@_-#*'`=:", "é", "1 ", "a ", "1,", "a!", "\\*", "1.", "=a", ",111"]
BACK = ["", "a", "1", "!", "\x00"]


@dataclass(frozen=True, slots=True)
class Pattern:
    where: str
    text: str
    how: str
    flags: int = 0

    def steps(self, said: str) -> int:
        return steps(self.text, said, how=self.how, flags=self.flags)


def patterns(path: Path) -> Iterator[Pattern]:
    """All that *path* writes, as it writes them."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re"), attr=how), args=[written, *_]
            ) if how in USES:
                where = f"{name(path)}:{node.lineno}"
                if isinstance(written, ast.Constant):
                    yield Pattern(where, str(written.value), how, _flags(node))
                else:
                    assert name(path) in PUT_TOGETHER, f"{where}: write it out, so it is counted"


def _flags(call: ast.Call) -> int:
    given = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
    found = (getattr(re, each.attr) for each in given if isinstance(each, ast.Attribute))
    return int(sum(flag for flag in found if isinstance(flag, re.RegexFlag)))


def worst(pattern: Pattern) -> tuple[float, str]:
    """By how much the work grows at most when what is said grows twofold, and with what."""
    growth = [(0.0, "")]
    for front, pumped, back in product(FRONT, PUMPED, BACK):
        small, large = (f"{front}{pumped * n}{back}" for n in (N, 2 * N))
        work = pattern.steps(large)
        if work > ENOUGH:
            return math.inf, large
        if work > FEW * len(large):
            growth.append((work / pattern.steps(small), large))
    return max(growth)


@pytest.mark.parametrize(
    "pattern", [p for path in files(*HEARS) for p in patterns(path)], ids=lambda p: p.where
)
def test_twice_as_much_said_is_twice_the_work_at_most(pattern: Pattern) -> None:
    times, said = worst(pattern)
    assert times < MOST, (pattern.text, said)


@pytest.mark.parametrize(
    "text", [r"^\W+|\W+$", r"\d{6,}:", r"(a+)+b", r"\s+,", r"(?:1 ?)*!", r"a.*b.*c"]
)
def test_what_looks_back_again_and_again_is_found_out(text: str) -> None:
    assert worst(Pattern("here", text, "search"))[0] > MOST


@pytest.mark.parametrize(
    ("text", "said", "how"),
    [
        (r"^\W+|\W+$", "a!!!", "sub"),
        (r"(?<=\d)\s+%", "50   %", "sub"),
        (r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", "117,050.0", "fullmatch"),
        (r"(?:a|b)*?c", "ababc", "match"),
    ],
)
def test_the_matcher_that_counts_finds_what_re_finds(text: str, said: str, how: str) -> None:
    counter = Counter(said, 0)
    nodes = parse(text)
    for at in range(1 if how != "sub" else len(said)):
        real = re.compile(text).match(said, at)
        assert next(counter.ends(nodes, at), None) == (real.end() if real else None)
