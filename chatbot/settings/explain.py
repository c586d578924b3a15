"""What pydantic found wrong, in words."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from chatbot.logs import MASK
from chatbot.settings.kinds import KIND, all_keys, field_of, keys_of, kinds_at
from chatbot.settings.places import GivenValues, Mistake, dotted, variable_of
from chatbot.settings.secret import is_secret
from chatbot.settings.values import NAME_RULE, Keys, Wrong, alternatives, bound

NAMED_SECTIONS = ("venues", "feeds", "traders")
_BY_KIND = ("venues", "feeds")


def explained(said: GivenValues, errors: Sequence[ErrorDetails]) -> Iterator[Mistake]:
    for error in errors:
        keys = _without_kind(tuple(error["loc"]))
        if keys and keys[-1] == "[key]":
            yield _misnamed(said, keys[:-1])
        elif error["type"] == "union_tag_not_found":
            yield _missing(said, (*keys, KIND), alternatives(kinds_at(keys)))
        elif error["type"] == "union_tag_invalid":
            yield said.wrong((*keys, KIND), f"allowed {alternatives(kinds_at(keys))}")
        elif error["type"] == "extra_forbidden":
            yield from _unknown(said, keys)
        elif error["type"] == "missing":
            yield _missing(said, keys)
        else:
            yield _not_allowed(said, keys, error)


def _without_kind(keys: Keys) -> Keys:
    """pydantic names the kind of a section behind its name."""
    kinds = kinds_at(keys[:2]) if keys[:1] and keys[0] in _BY_KIND else ()
    return (*keys[:2], *keys[3:]) if len(keys) > 2 and keys[2] in kinds else keys  # noqa: PLR2004  # section and name


def _misnamed(said: GivenValues, keys: Keys) -> Mistake:
    """A name that was given to a section, or the key of a map."""
    field = field_of(keys[:-1])
    if field is None or keys[0] in NAMED_SECTIONS:
        return said.at(keys, f": {NAME_RULE}")
    key = MASK if is_secret(keys, None) else f'"{keys[-1]}"'
    return said.at(keys[:-1], f": {key} is no key there, allowed {_allowed(field)}")


def _unknown(said: GivenValues, keys: Keys) -> Iterator[Mistake]:
    if said.variable(keys) is None and is_secret(keys, said.value(keys)):
        return  # already told, with what to do
    name = str(keys[-1])
    siblings = keys_of(keys[:-1], said.values)
    near = difflib.get_close_matches(name, siblings, 1)
    meant = (
        [(*keys[:-1], near[0])]
        if near
        else [path for path in all_keys(said.values) if path[-1] == name]
    )
    set_by = [(k, v) for k, v in said.variables.items() if k[: len(keys)] == keys]
    for whole, variable in set_by:
        hint = variable_of((*meant[0], *whole[len(keys) :])) if meant else ""
        yield Mistake(0, f"{variable} is no setting{_meant(hint) or _known(siblings)}")
    if not set_by:
        hint = dotted(meant[0]) if meant else ""
        yield said.at(keys, f" is not known{_meant(hint) or _known(siblings)}")


def _missing(said: GivenValues, keys: Keys, wanted: str = "") -> Mistake:
    owner = keys[:2]
    if len(keys) > len(owner) and owner not in said.lines:
        for whole, variable in said.variables.items():
            if whole[:2] == owner:  # a name that only a variable knows: most likely misspelt
                known = [str(k[1]) for k in said.lines if len(k) == 2 and k[0] == owner[0]]  # noqa: PLR2004  # section and name
                near = difflib.get_close_matches(str(owner[1]), known, 1)
                hint = variable_of((owner[0], near[0], *whole[2:])) if near else ""
                why = f"there is no [{dotted(owner)}] in {said.file.name}"
                return Mistake(0, f"{variable}: {why}{_meant(hint)}")
    field = field_of(keys, said.values)
    wanted = wanted or (_allowed(field) if field else "")
    return said.at(keys, f" is missing{f', wanted: {wanted}' if wanted else ''}")


def _not_allowed(said: GivenValues, keys: Keys, error: ErrorDetails) -> Mistake:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Wrong):
        if cause.key:
            return said.wrong((*keys, cause.key), str(cause))
        return said.wrong(keys, str(cause))
    deeper = next((v for k, v in said.variables.items() if k[: len(keys)] == keys != k), None)
    field = field_of(keys, said.values)
    if deeper and not isinstance(said.value(keys[:-1]), list):
        return Mistake(0, f"{deeper} is no setting: {dotted(keys)} has no keys of its own")
    return said.wrong(keys, f"allowed {_allowed(field)}" if field else error["msg"])


def _allowed(field: FieldInfo) -> str:
    """What may stand there, in words: from the description, the kind, or the bounds."""
    if field.description:
        return field.description
    options = _options(field.annotation)
    if options:
        return alternatives(options)
    low = next((m for m in field.metadata if isinstance(m, Ge | Gt)), None)
    high = next((m for m in field.metadata if isinstance(m, Le | Lt)), None)
    if low is None or high is None:
        return "keys of its own, as a section"
    begin = f"above {bound(low.gt)}" if isinstance(low, Gt) else bound(low.ge)
    return f"{begin} to {bound(high.le if isinstance(high, Le) else high.lt)}"


def _options(annotation: Any) -> Sequence[str]:
    if annotation is bool:
        return ("true", "false")
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    return ()


def _meant(hint: str) -> str:
    return f", did you mean {hint}?" if hint else ""


def _known(names: Sequence[str]) -> str:
    return f"; known here: {', '.join(names)}" if names else ""
