"""What the Bot API demands of a request: its schema, its HTML, its flood limits.

Sources: https://core.telegram.org/bots/api (schemas/telegram.json is a part of it) and
https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).parent / "schemas" / "telegram.json").read_text("utf-8")
)
TEXT_LIMIT, CAPTION_LIMIT, DATA_LIMIT, TOAST_LIMIT = 4_096, 1_024, 64, 200


class BadRequest(Exception):
    """The answer is 400 with these words."""


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


# -- the schema ---------------------------------------------------------------------------


def checked(method: str, form: Mapping[str, str], files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the parameters of *method* as values; what the schema does not know is refused."""
    fields = {f["name"]: f for f in SCHEMA["methods"][method]}
    values: dict[str, Any] = {}
    for name, text in form.items():
        if name not in fields:
            raise BadRequest(f"the schema knows no {name} of {method}")
        values[name] = _parsed(name, text, fields[name]["types"])
    for name, content in files.items():
        if name in fields:
            if "InputFile" not in fields[name]["types"]:
                raise BadRequest(f"{name} of {method} is no file")
            values[name] = content
    missing = [n for n, f in fields.items() if f["required"] and n not in values]
    if missing:
        raise BadRequest(f"{method} needs {missing}")
    return values


def _parsed(name: str, text: str, types: list[str]) -> Any:
    """A form holds text only: integers as digits, objects as JSON."""
    wrong = []
    for kind in types:
        try:
            value = text if kind == "String" else json.loads(text)
            _check(name, value, kind)
        except (ValueError, BadRequest) as error:
            wrong.append(str(error))
        else:
            return value
    raise BadRequest(f"{name} is none of {types}: {wrong}")


def _check(name: str, value: Any, kind: str) -> None:
    if kind.startswith("Array of "):
        if not isinstance(value, list):
            raise BadRequest(f"{name} is no list")
        for item in value:
            _check(name, item, kind.removeprefix("Array of "))
    elif kind in _PLAIN:
        if type(value) is not _PLAIN[kind]:
            raise BadRequest(f"{name} is no {kind}")
    elif kind in SCHEMA["types"]:
        _check_object(name, value, kind)
    else:
        raise BadRequest(f"{name}: {kind} is not in the schema's part")


_PLAIN: dict[str, type] = {"String": str, "Integer": int, "Boolean": bool}


def _check_object(name: str, value: Any, kind: str) -> None:
    declared = SCHEMA["types"][kind]
    if "subtypes" in declared:
        _check_one_of(name, value, [t for t in declared["subtypes"] if t in SCHEMA["types"]])
        return
    if not isinstance(value, dict):
        raise BadRequest(f"{name} is no {kind}")
    fields = {f["name"]: f for f in declared["fields"]}
    unknown = value.keys() - fields.keys()
    missing = {n for n, f in fields.items() if f["required"]} - value.keys()
    if unknown or missing:
        raise BadRequest(f"{kind} does not know {sorted(unknown)}, and needs {sorted(missing)}")
    for key, inner in value.items():
        _check_one_of(f"{name}.{key}", inner, fields[key]["types"])


def _check_one_of(name: str, value: Any, kinds: list[str]) -> None:
    wrong = []
    for kind in kinds:
        try:
            _check(name, value, kind)
        except BadRequest as error:
            wrong.append(str(error))
        else:
            return
    raise BadRequest(f"{name} is none of {kinds}: {wrong}")


# -- HTML ---------------------------------------------------------------------------------

TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline",
    "ins": "underline", "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough",
    "code": "code", "pre": "pre", "a": "text_link", "blockquote": "blockquote",
    "tg-spoiler": "spoiler", "tg-time": "date_time",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entity:
    type: str
    text: str
    attributes: Mapping[str, str | None]


class _Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.text = ""
        self.entities: list[Entity] = []
        self._open: list[tuple[str, int, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise BadRequest(f'can\'t parse entities: Unsupported start tag "{tag}"')
        given = dict(attrs)
        if tag == "tg-time" and not re.fullmatch(r"\d+", given.get("unix") or ""):
            raise BadRequest("can't parse entities: tg-time needs unix")
        self._open.append((tag, len(self.text), given))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise BadRequest(f'can\'t parse entities: Unsupported start tag "{tag}/"')

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            raise BadRequest(f'can\'t parse entities: Unexpected end tag "{tag}"')
        _, start, given = self._open.pop()
        self.entities.append(Entity(TAGS[tag], self.text[start:], given))

    def handle_data(self, data: str) -> None:
        if "<" in data:
            raise BadRequest("can't parse entities: Unclosed start tag")
        self.text += data

    def handle_entityref(self, name: str) -> None:
        known = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
        self.text += known.get(name, f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.text += chr(int(name[1:], 16) if name[0] in "xX" else int(name))

    def finished(self) -> tuple[str, list[Entity]]:
        if self._open:
            tag = self._open[-1][0]
            raise BadRequest(f"can't parse entities: Can't find end tag corresponding to {tag}")
        return self.text, self.entities


def parsed(text: str, mode: str | None) -> tuple[str, list[Entity]]:
    """The text as people see it, and what is marked in it."""
    if mode is None:
        return text, []
    if mode != "HTML":
        raise BadRequest("unsupported parse_mode")
    reader = _Markup()
    reader.feed(text)
    if reader.rawdata:
        raise BadRequest("can't parse entities: Unclosed start tag")
    reader.close()
    return reader.finished()


def checked_text(text: str, mode: str | None, *, caption: bool) -> tuple[str, list[Entity]]:
    seen, entities = parsed(text, mode)
    limit = CAPTION_LIMIT if caption else TEXT_LIMIT
    if not caption and not seen.strip():
        raise BadRequest("message text is empty")
    if units(seen) > limit:
        raise BadRequest("message caption is too long" if caption else "message is too long")
    return seen, entities


def checked_buttons(markup: Mapping[str, Any] | None) -> list[list[tuple[str, str]]]:
    """Rows of (label, data)."""
    rows = []
    for row in (markup or {}).get("inline_keyboard", []):
        for each in row:
            if not each["text"].strip():
                raise BadRequest("Text buttons are unallowed in the inline keyboard")
            if not 1 <= len(each.get("callback_data", "").encode()) <= DATA_LIMIT:
                raise BadRequest("BUTTON_DATA_INVALID")
        rows.append([(each["text"], each["callback_data"]) for each in row])
    return [row for row in rows if row]


def checked_commands(commands: list[dict[str, str]]) -> None:
    if len(commands) > 100:
        raise BadRequest("BOT_COMMANDS_TOO_MUCH")
    for each in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", each["command"]):
            raise BadRequest("BOT_COMMAND_INVALID")
        if not 1 <= len(each["description"]) <= 256:
            raise BadRequest("BOT_COMMAND_DESCRIPTION_INVALID")


# -- flood limits -------------------------------------------------------------------------


@dataclass
class Flood:
    """30 messages/s in all, 1/s in a chat with short bursts, 20/min in a group."""

    period: float
    """1: as the real one; 0.01: a hundredth of all times."""
    burst: int
    """Messages that a chat takes at once before one per second counts."""
    _sent: dict[str, deque[float]] = field(default_factory=dict)

    def wait(self, chat: int) -> float:
        """Seconds until a message to *chat* is taken; 0: it is taken now, and counts."""
        rules = [("all", 30, 1.0), (f"chat {chat}", self.burst, float(self.burst))]
        if chat < 0:
            rules.append((f"group {chat}", 20, 60.0))
        now = time.monotonic()
        waits = [self._left(name, most, span * self.period, now) for name, most, span in rules]
        if max(waits) > 0:
            return max(waits)
        for name, most, _ in rules:
            self._sent.setdefault(name, deque(maxlen=most)).append(now)
        return 0.0

    def forget(self) -> None:
        self._sent.clear()

    def _left(self, name: str, most: int, span: float, now: float) -> float:
        sent = self._sent.get(name, deque())
        return max(0.0, sent[0] + span - now) if len(sent) >= most else 0.0
