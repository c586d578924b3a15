"""How many characters a pattern looks at: the work of `re`, counted instead of timed.

A small backtracking matcher over the tree that `re` parses, in the order in which `re` tries.
Without captures and back references; no pattern of ours has any of the latter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from re import _constants as op  # type: ignore[attr-defined]  # the parser's own names
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

Node = tuple[Any, Any]
ENOUGH = 50_000
"""Characters after which no more are counted: some patterns would look for ever."""


class Endless(Exception):
    """A pattern looks at more than is worth counting."""


_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    op.CATEGORY_DIGIT: str.isdecimal,
    op.CATEGORY_NOT_DIGIT: lambda c: not c.isdecimal(),
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_NOT_SPACE: lambda c: not c.isspace(),
    op.CATEGORY_WORD: lambda c: c.isalnum() or c == "_",
    op.CATEGORY_NOT_WORD: lambda c: not (c.isalnum() or c == "_"),
}


def steps(pattern: str, text: str, *, how: str, flags: int = 0) -> int:
    """Characters looked at by `re` where its function *how* is given *pattern* and *text*.

    What is compiled (`compile`), and may be used in any way, is taken to be searched for.
    """
    counter = Counter(text, flags)
    with suppress(Endless):
        _use(counter, parse(pattern, flags), how)
    return counter.looked


def parse(pattern: str, flags: int = 0) -> list[Node]:
    return list(parser.parse(pattern, flags))


def _use(counter: Counter, tree: Sequence[Node], how: str) -> None:
    if how in ("match", "fullmatch"):
        end = [(op.AT, op.AT_END_STRING)] if how == "fullmatch" else []
        next(counter.ends([*tree, *end], 0), None)
        return
    at = 0
    while at <= len(counter.text):
        found = next(counter.ends(tree, at), None)
        at = at + 1 if found is None or found == at else found


class Counter:
    def __init__(self, text: str, flags: int) -> None:
        self.text = text
        self.looked = 0
        self._multiline = bool(flags & re.MULTILINE)
        self._dot_all = bool(flags & re.DOTALL)

    def ends(self, nodes: Sequence[Node], at: int) -> Iterator[int]:
        """Where a match of *nodes* that begins *at* may end, the preferred end first."""
        if not nodes:
            yield at
            return
        for middle in self._one(nodes[0], at):
            yield from self.ends(nodes[1:], middle)

    def _one(self, node: Node, at: int) -> Iterator[int]:
        kind, given = node
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            low, high, body = given
            yield from self._repeated(low, high, body, at, greedy=kind is op.MAX_REPEAT)
        elif kind in (op.SUBPATTERN, op.BRANCH):
            for branch in [given[3]] if kind is op.SUBPATTERN else given[1]:
                yield from self.ends(list(branch), at)
        else:
            yield from self._plain(node, at)

    def _plain(self, node: Node, at: int) -> Iterator[int]:
        kind, given = node
        if kind in (op.ASSERT, op.ASSERT_NOT):
            if self._is_there(given[0], given[1], at) is (kind is op.ASSERT):
                yield at
        elif kind is op.AT:
            if self._stands(given, at):
                yield at
        elif self._fits(node, at):
            yield at + 1

    def _repeated(self, low: int, high: int, nodes: Any, at: int, *, greedy: bool) -> Iterator[int]:
        body = list(nodes)
        if len(body) == 1 and not _is_nested(body[0]):
            yield from self._run(body[0], low, high, at, greedy=greedy)
            return
        if low <= 0 and not greedy:
            yield at
        if high > 0:
            for middle in self.ends(body, at):
                if middle > at:
                    yield from self._repeated(low - 1, high - 1, body, middle, greedy=greedy)
        if low <= 0 and greedy:
            yield at

    def _run(self, node: Node, low: int, high: int, at: int, *, greedy: bool) -> Iterator[int]:
        """A run of single characters, without a frame for each."""
        count = 0
        if not greedy:
            while count < low and self._fits(node, at + count):
                count += 1
            while count >= low:
                yield at + count
                if count >= high or not self._fits(node, at + count):
                    return
                count += 1
            return
        while count < high and self._fits(node, at + count):
            count += 1
        while count >= low:
            yield at + count
            count -= 1

    def _fits(self, node: Node, at: int) -> bool:
        self.looked += 1
        if self.looked > ENOUGH:
            raise Endless
        return 0 <= at < len(self.text) and self._is_one(node, self.text[at])

    def _is_one(self, node: Node, char: str) -> bool:
        kind, given = node
        if kind is op.LITERAL:
            return bool(ord(char) == given)
        if kind is op.NOT_LITERAL:
            return bool(ord(char) != given)
        if kind is op.ANY:
            return self._dot_all or char != "\n"
        if kind is op.RANGE:
            return bool(given[0] <= ord(char) <= given[1])
        if kind is op.CATEGORY:
            return _CATEGORIES[given](char)
        assert kind is op.IN, kind
        negated = given[0][0] is op.NEGATE
        return bool(negated) != any(self._is_one(each, char) for each in given[negated:])

    def _is_there(self, direction: int, nodes: Any, at: int) -> bool:
        start = at - nodes.getwidth()[0] if direction < 0 else at
        return start >= 0 and next(self.ends(list(nodes), start), None) is not None

    def _stands(self, where: Any, at: int) -> bool:
        before, after = self.text[at - 1 : at], self.text[at : at + 1]
        if where is op.AT_BEGINNING:
            return at == 0 or (self._multiline and before == "\n")
        if where is op.AT_END:
            return not after or self.text[at:] == "\n" or (self._multiline and after == "\n")
        if where is op.AT_BEGINNING_STRING:
            return at == 0
        assert where is op.AT_END_STRING, where
        return not after


def _is_nested(node: Node) -> bool:
    return node[0] in (op.MAX_REPEAT, op.MIN_REPEAT, op.SUBPATTERN, op.BRANCH)
