"""What is never shown: tokens, keys, passwords, and the address of the ping."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

from chatbot.logs import MASK, TELEGRAM_TOKEN
from chatbot.settings.values import Keys
from trading.common.text import clean

SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:token|(?:api)?key|secret|password|passphrase|credential)s?$", re.IGNORECASE
)
SECRET_MAPS = frozenset({"totp"})
"""Everything in them is secret."""
MASKED = frozenset({"ping_url"})
"""May stand in the file, and yet is told nobody: who has it can answer for us."""


def is_secret(keys: Keys, value: Any) -> bool:
    names = [key for key in keys if isinstance(key, str)]
    if names and (SECRET_NAME.search(names[-1]) or SECRET_MAPS.intersection(names)):
        return True
    return isinstance(value, str) and TELEGRAM_TOKEN.search(value) is not None


def leaves(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    match value:
        case dict() if not (keys and keys[-1] in SECRET_MAPS):
            for key, inner in value.items():
                yield from leaves(inner, (*keys, key))
        case list():
            for index, inner in enumerate(value):
                yield from leaves(inner, (*keys, index))
        case _:
            yield keys, value


_QUOTES = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
_MARKS = "\ufeff\u200b\u200c\u200d\u2060"


def dressed(secret: str) -> str:
    """What was copied along with a secret, and never belongs to one; empty if nothing was."""
    bare = secret.strip()
    if bare.strip(_MARKS) != bare:
        return "a mark that is not seen (a BOM) stands around it: save it as UTF-8 without BOM"
    if len(bare) > 1 and bare[0] in _QUOTES and bare[-1] in _QUOTES:
        return "quotes stand around it: take them away"
    if bare and (bare[0] in _QUOTES or bare[-1] in _QUOTES):
        return "a quote stands at one end of it: take it away"
    if clean(bare) != bare:
        return "something that is not seen stands in the midst of it: copy it again"
    return ""


def secrets_in(value: Any) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            for _, inner in value:
                yield from secrets_in(inner)
        case dict():
            for inner in value.values():
                yield from secrets_in(inner)
        case list() | tuple():
            for inner in value:
                yield from secrets_in(inner)


def shown(keys: Keys, value: Any) -> str:
    """The value as it was written; never a secret."""
    if is_secret(keys, value) or (keys and keys[-1] in MASKED):
        return MASK
    match value:
        case str():
            return json.dumps(clean(value), ensure_ascii=False)
        case bool():
            return json.dumps(value)
        case list():
            return f"[{', '.join(shown((*keys, i), v) for i, v in enumerate(value))}]"
        case dict():
            return f"{{{', '.join(f'{k} = {shown((*keys, k), v)}' for k, v in value.items())}}}"
        case _:
            return str(value)
