"""The commands as Discord's slash commands: declared from their typed parameters, and read back.

https://discord.com/developers/docs/interactions/application-commands
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot.frontends.talk import Words
from handlers.command import Command, Commands, HaltId, Parameter, TraderName
from trading.model.halt import EVERYONE
from trading.types import Symbol

COMMANDS, CHOICES = 100, 25
"""Discord takes no more."""
_SLASH, _STRING, _INTEGER = 1, 3, 4
_GUILDS, _PRIVATE = 0, 1
"""Where commands may be used: guilds, and private messages with the bot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What there is to choose from at this moment."""

    symbols: Words
    traders: Words
    halts: Words


def declaration(commands: Commands) -> list[dict[str, Any]]:
    """All commands, as Discord wants them told.

    Raises `ValueError` if there are more than it takes.
    """
    if len(commands) > COMMANDS:
        raise ValueError(f"{len(commands)} commands, Discord takes {COMMANDS}")
    return [_slash(each) for each in commands.values()]


def fingerprint(declared: object, where: str, application: int) -> str:
    """Tells whether the commands, or who was told them, are other ones."""
    text = json.dumps([where, application, declared], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def spoken(commands: Commands, name: str, options: Sequence[Mapping[str, Any]]) -> str:
    """The line that a slash command stands for.

    A command that is ours no longer comes as its bare name: the desk then says that there is none.
    """
    given = {str(option["name"]): str(option.get("value", "")) for option in options}
    found = commands.get(name)
    return found.line(given) if found is not None else f"/{name}"


def suggestions(
    commands: Commands, name: str, options: Sequence[Mapping[str, Any]], offers: Offers
) -> list[str]:
    """Words that begin as what is being typed into the focused option."""
    focused = next((option for option in options if option.get("focused")), None)
    found = commands.get(name)
    if focused is None or found is None:
        return []
    parameter = next((p for p in found.parameters if p.name == focused["name"]), None)
    words = _words(parameter, offers) if parameter is not None else None
    typed = str(focused.get("value", "")).strip().lower()
    return [word for word in words() if word.lower().startswith(typed)][:CHOICES] if words else []


def _slash(command: Command) -> dict[str, Any]:
    options = [_option(each) for each in command.parameters]
    return {
        "type": _SLASH,
        "name": command.name,
        "description": command.summary,
        # Discord wants what is required first.
        "options": sorted(options, key=lambda option: not option["required"]),
        "contexts": [_GUILDS, _PRIVATE],
        "integration_types": [0],
    }


def _option(parameter: Parameter) -> dict[str, Any]:
    option: dict[str, Any] = {
        "type": _STRING,
        "name": parameter.name,
        "description": parameter.doc,
        # Which trader is asked only where several could be meant.
        "required": parameter.required and not parameter.says_whom,
    }
    if parameter.range is not None:
        limits = parameter.range
        return option | {"type": _INTEGER, "min_value": limits.low, "max_value": limits.high}
    words = parameter.options
    if words and len(words) <= CHOICES:
        return option | {"choices": [{"name": word, "value": word} for word in words]}
    if words or _offered(parameter):
        return option | {"autocomplete": True}
    return option


def _words(parameter: Parameter, offers: Offers) -> Words | None:
    def traders() -> Sequence[str]:
        names = offers.traders()
        takes_all = parameter.kind is not TraderName and len(names) > 1
        return [*names, *([EVERYONE] if takes_all else [])]

    by_name: dict[str, Words] = {
        "symbols": offers.symbols,
        "traders": traders,
        "halts": offers.halts,
    }
    return by_name.get(_offered(parameter)) or (lambda: parameter.options)


def _offered(parameter: Parameter) -> str:
    """Which words are offered for *parameter*; a stop takes any text, and yet names a trader."""
    if parameter.kind is Symbol or parameter.name == "symbol":
        return "symbols"
    if parameter.says_whom or parameter.name == "trader":
        return "traders"
    return "halts" if parameter.kind is HaltId else ""
