"""Telegram's HTML: a reply as the texts of messages, and its choices as rows of buttons.

Source of the format: https://core.telegram.org/bots/api#html-style
"""

from __future__ import annotations

import html as markup
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from chatbot.render.plain import AGE, INDENT, body, clean, table_lines
from handlers.format import old
from handlers.reply import Choice, Reply
from handlers.texts.phrases import WAIT

LIMIT, CAPTION_LIMIT = 4_096, 1_024
"""UTF-16 code units of a text, and of what stands below a picture."""
_NARROW, _HALF = 9, 16
"""Characters of a label with which three, or two, stand in one row of a phone."""


def html(reply: Reply, *, now: datetime, limit: int = LIMIT) -> list[str]:
    """Return *reply* without its choices: one text, or several where one would be too long.

    Divided between title, lead, table and text where that is enough, else between lines.
    """
    blocks = [_Block("<b>", [_title(reply)], "</b>", _escaped), *_rest(reply, now)]
    return _packed(blocks, limit)


def caption(reply: Reply, *, now: datetime, limit: int = CAPTION_LIMIT) -> list[str]:
    """What stands below a picture; then the texts that follow it, if that would be too long."""
    whole = html(reply, now=now)
    if len(whole) == 1 and units(whole[0]) <= limit:
        return whole
    title = html(Reply(reply.title), now=now, limit=limit)
    return [*title, *_packed(_rest(reply, now), LIMIT)]


def unmarked(reply: Reply, *, now: datetime, limit: int = LIMIT) -> list[str]:
    """The same words without any markup, for a chat that refuses it."""
    block = _Block("", [_title(reply), *body(reply, now=now)], "", clean)
    return _packed([block], limit)


def rows(choices: Sequence[Choice]) -> list[list[Choice]]:
    """Buttons in rows that a phone can show without cutting labels; at most three in one."""
    most = 2 if len(choices) == 4 else 3  # noqa: PLR2004  # two and two, not three and one
    found: list[list[Choice]] = []
    for choice in choices:
        last = found[-1] if found else []
        if last and len(last) < min(most, *(_beside(c.label) for c in (*last, choice))):
            last.append(choice)
        else:
            found.append([choice])
    return found


def units(text: str) -> int:
    """How Telegram counts: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines inside one tag; the tag is closed and opened anew where they are divided."""

    opening: str
    lines: Sequence[str]
    closing: str
    write: Callable[[str], str]
    """Turns the words of a line into markup."""

    def pieces(self, room: int, limit: int) -> Iterator[str]:
        """What fits into *room*, then into *limit* each; whole if it fits into either."""
        whole = self._wrapped(self.lines)
        if units(whole) <= limit:
            yield whole
            return
        taken: list[str] = []
        for line in self._short_lines(room if room > limit // 2 else limit):
            if taken and units(self._wrapped([*taken, line])) > room:
                yield self._wrapped(taken)
                taken, room = [], limit
            taken.append(line)
        yield self._wrapped(taken)

    def _wrapped(self, lines: Sequence[str]) -> str:
        text = "\n".join(map(self.write, lines))
        return f"{self.opening}{text}{self.closing}"

    def _short_lines(self, limit: int) -> Iterator[str]:
        """Each line, those that are too long by themselves divided between words."""
        for line in self.lines:
            while units(self._wrapped([line])) > limit:
                cut = self._longest(line, limit)
                yield line[:cut].rstrip()
                line = line[cut:].lstrip()  # noqa: PLW2901  # what is left of it
            yield line

    def _longest(self, line: str, limit: int) -> int:
        """How many characters of *line* fit: up to a space if there is one, never inside a mark."""
        low, high = 1, len(line)
        while low < high:
            middle = (low + high + 1) // 2
            fits = units(self._wrapped([line[:middle]])) <= limit
            low, high = (middle, high) if fits else (low, middle - 1)
        mark = line.find(AGE, max(0, low - len(AGE) + 1), low + len(AGE) - 1)
        if 0 < mark < low:
            low = mark
        space = line.rfind(" ", 1, low + 1)
        return space if space > low // 2 else low


def _title(reply: Reply) -> str:
    """A message without a word is refused, whatever else it has."""
    return reply.title if clean(reply.title).strip() else WAIT


def _rest(reply: Reply, now: datetime) -> Iterator[_Block]:
    """What stands below the title."""
    prose = _prose(reply, now)
    if reply.lead:
        yield _Block("", clean(reply.lead).split("\n"), "", prose)
    if reply.table:
        lines = [line.removeprefix(INDENT) for line in table_lines(reply.table)]
        yield _Block("<pre>", lines, "</pre>", _escaped)
    if reply.text:
        yield _Block("", clean(reply.text).split("\n"), "", prose)


def _prose(reply: Reply, now: datetime) -> Callable[[str], str]:
    """Escapes, and writes ages so that Telegram goes on counting them."""
    age = old(now - reply.as_of if reply.as_of else None)
    if reply.as_of:
        age = f'<tg-time unix="{int(reply.as_of.timestamp())}" format="r">{age}</tg-time>'
    return lambda text: _escaped(text).replace(AGE, age)


def _escaped(text: str) -> str:
    return markup.escape(clean(text), quote=False)


def _packed(blocks: Iterable[_Block], limit: int) -> list[str]:
    found: list[str] = []
    for block in blocks:
        room = limit - units(found[-1]) - 1 if found else limit
        for piece in block.pieces(room, limit):
            if found and units(found[-1]) + 1 + units(piece) <= limit:
                found[-1] += f"\n{piece}"
            else:
                found.append(piece)
    return found


def _beside(label: str) -> int:
    """How many buttons as wide as this one stand in one row."""
    return 3 if len(label) <= _NARROW else 2 if len(label) <= _HALF else 1
