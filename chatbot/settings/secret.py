"""What is never shown: tokens, keys, passwords, and the address of the ping."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

from chatbot.logs import MASK, TELEGRAM_TOKEN
from chatbot.settings.values import Keys
from trading.text import clean

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
