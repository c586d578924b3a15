"""A reply as Discord shows it, still as data: an embed with its title, description and buttons.

Discord's limits: title 256, description 4,096, all texts of a message 6,000, five rows of five
buttons, https://discord.com/developers/docs/resources/message#embed-object-embed-limits.  One
message carries one embed, so the third can never be reached.

What the words hold is shown as it is: all that Discord would read as markup or as a mention stands
behind a backslash.  Tables stand in a code block, where nothing is read at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from chatbot.render.plain import AGE, INDENT, clean, table_lines
from handlers.command import Commands
from handlers.format import old
from handlers.line import split
from handlers.reply import Choice, Level, Reply
from handlers.texts.phrases import WAIT

TITLE, DESCRIPTION, BUTTONS = 256, 4_096, 25
COLOURS = {
    Level.INFO: 0x7F8C8D,
    Level.NOTICE: 0x3498DB,
    Level.URGENT: 0xE67E22,
    Level.CRITICAL: 0xC0392B,
}
"""Grey, blue, orange, red.  They only repeat what the words say."""


@dataclass(frozen=True, slots=True)
class Button:
    label: str
    command: str
    """What it types; Discord hands it back when it is pressed."""
    red: bool
    """It is `/confirm`, or an instant stop: it does something at once.  All others are grey."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedPost:
    """One message with one embed."""

    title: str
    description: str
    colour: int
    buttons: tuple[Button, ...] = ()
    picture: bool = False
    """The picture that belongs to the reply stands here."""


def posts(reply: Reply, commands: Commands, *, picture: bool = False) -> tuple[EmbedPost, ...]:
    """Return the messages that show *reply*; more than one only if it is too long.

    The picture stands in the first, the buttons under the last.
    """
    title, rest = _title(reply.title)
    pages = _pages([*_prose(rest, reply.as_of), *_body(reply)])
    colour = COLOURS[reply.level]
    last = len(pages) - 1
    return tuple(
        EmbedPost(
            title=title if number == 0 else "",
            description=page,
            colour=colour,
            buttons=_buttons(reply.choices, commands) if number == last else (),
            picture=picture and number == 0,
        )
        for number, page in enumerate(pages)
    )


def escaped(text: str) -> str:
    """*text* as Discord will show it: no markup, no mention, no timestamp."""
    text = _ANYWHERE.sub(r"\\\1", clean(text))
    text = _AT_LINE_START.sub(r"\1\\\2", text)
    return _NUMBERED.sub(r"\1\\.", text)


_ANYWHERE = re.compile(r"([\\*_`~|\[\]<@])")
_AT_LINE_START = re.compile(r"^([ \t]*)([-+#>])(?=[\s#>]|$)", re.MULTILINE)
_NUMBERED = re.compile(r"^([ \t]*\d+)\.(?=\s)", re.MULTILINE)


# -- the parts ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    fixed: bool = False
    """Part of a table."""


def _title(text: str) -> tuple[str, str]:
    """The title, escaped, and what of it was too long."""
    line = clean(" ".join(text.split("\n"))).strip() or WAIT
    if len(escaped(line)) <= TITLE:
        return escaped(line), ""
    cut = line.rfind(" ", 0, TITLE // 2)
    cut = cut if cut > 0 else TITLE // 2  # escaped, it is at most twice as long
    return escaped(line[:cut]), line[cut:].strip()


def _body(reply: Reply) -> list[_Line]:
    table = table_lines(reply.table) if reply.table else []
    return [
        *_prose(reply.lead, reply.as_of),
        *(_Line(_unfenced(line.removeprefix(INDENT)), fixed=True) for line in table),
        *_prose(reply.text, reply.as_of),
    ]


def _unfenced(line: str) -> str:
    """Backticks would end the code block."""
    return line.replace("`", "'")


def _prose(text: str, as_of: datetime | None) -> list[_Line]:
    """Lines of *text*; ages count on by themselves on the reader's screen."""
    if not text:
        return []
    age = f"<t:{int(as_of.timestamp())}:R>" if as_of else old(None)
    shown = age.join(escaped(part) for part in text.split(AGE))
    return [_Line(piece) for line in shown.split("\n") for piece in _cut(line)]


def _cut(line: str) -> list[str]:
    """A line in pieces that fit, cut at spaces and never behind a backslash."""
    pieces = []
    while len(line) > DESCRIPTION:
        at = line.rfind(" ", 0, DESCRIPTION)
        if at <= 0:
            bare = line[:DESCRIPTION].rstrip("\\")
            at = DESCRIPTION - (DESCRIPTION - len(bare)) % 2
        pieces.append(line[:at])
        line = line[at:].lstrip(" ")
    return [*pieces, line]


def _pages(lines: Sequence[_Line]) -> list[str]:
    """Descriptions that fit, broken between lines; at least one."""
    pages: list[str] = []
    held: list[_Line] = []
    for line in lines:
        if held and len(_joined([*held, line])) > DESCRIPTION:
            pages.append(_joined(held))
            held = []
        held.append(line)
    return [*pages, _joined(held)] if held or not pages else pages


def _joined(lines: Sequence[_Line]) -> str:
    blocks = []
    for fixed, group in groupby(lines, key=lambda line: line.fixed):
        text = "\n".join(line.text for line in group)
        blocks.append(f"```\n{text}\n```" if fixed else text)
    return "\n".join(blocks)


def _buttons(choices: Sequence[Choice], commands: Commands) -> tuple[Button, ...]:
    """One for each command: Discord refuses a message in which two type the same."""
    unique = {choice.command: choice for choice in reversed(choices)}
    kept = [c for c in choices if unique[c.command] is c][:BUTTONS]
    return tuple(Button(clean(c.label) or WAIT, c.command, _is_red(c, commands)) for c in kept)


def _is_red(choice: Choice, commands: Commands) -> bool:
    name, _ = split(choice.command)
    return name == "confirm" or (name in commands and commands[name].instant)
