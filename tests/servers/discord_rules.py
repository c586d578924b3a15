"""What Discord refuses: bodies against its own OpenAPI schemas, and the limits these leave out.

Limits: https://discord.com/developers/docs/resources/message and .../components/reference; codes:
https://discord.com/developers/docs/topics/opcodes-and-status-codes#json.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

_SCHEMAS = json.loads((Path(__file__).parent / "schemas" / "discord.json").read_text("utf-8"))
EPHEMERAL, SILENT, SUPPRESS_EMBEDS = 64, 4096, 4
EMBEDS_LIMIT, ROWS_LIMIT = 6_000, 5
COMMAND_NAME = re.compile(r"[-_'0-9a-z]{1,32}")
_LINK = 5
"""The style of a button that opens a page."""


class Refusal(Exception):
    """An error as Discord answers it: status, code, words."""

    def __init__(self, status: int, code: int, words: str, **more: Any) -> None:
        super().__init__(words)
        self.status, self.code, self.words, self.more = status, code, words, more


def invalid(where: str, code: str, words: str) -> Refusal:
    """50035, with the place of the mistake as Discord tells it."""
    told: dict[str, Any] = {"_errors": [{"code": code, "message": words}]}
    for part in reversed(where.split(".") if where else []):
        told = {part: told}
    return Refusal(400, 50_035, "Invalid Form Body", errors=told)


def _validator(schema: object) -> Draft202012Validator:
    return Draft202012Validator({"components": _SCHEMAS["components"], **_as_dict(schema)})


def _as_dict(schema: object) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else dict(schema)  # type: ignore[call-overload]


_VALIDATORS = {
    "create": _validator("MessageCreateRequest"),
    "edit": _validator("MessageEditRequestPartial"),
    "follow": _validator("IncomingWebhookRequestPartial"),
    "hook edit": _validator("IncomingWebhookUpdateRequestPartial"),
    "new": _validator("CreateMessageInteractionCallbackRequest"),
    "update": _validator("UpdateMessageInteractionCallbackRequest"),
    "suggest": _validator("ApplicationCommandAutocompleteCallbackRequest"),
    "private": _validator("CreatePrivateChannelRequest"),
    "commands": _validator(
        {
            "type": "array",
            "items": {"$ref": "#/components/schemas/ApplicationCommandUpdateRequest"},
            "maxItems": 130,
        }
    ),
}


def check(kind: str, body: object) -> None:
    """Refuse what the schema *kind* does not allow."""
    error = next(_VALIDATORS[kind].iter_errors(_with_text_ids(body)), None)
    if error is not None:
        where = ".".join(map(str, error.absolute_path))
        raise invalid(where, "BASE_TYPE_BAD", error.message[:200])


def _with_text_ids(body: object) -> object:
    """The real one takes ids as numbers too."""
    if not isinstance(body, dict):
        return body
    changed = {key: _with_text_ids(value) for key, value in body.items()}
    if isinstance(body.get("recipient_id"), int):
        changed["recipient_id"] = str(body["recipient_id"])
    if body.get("attachments"):
        changed["attachments"] = [each | {"id": str(each["id"])} for each in body["attachments"]]
    return changed


def check_message(body: dict[str, Any], *, flags: int, is_new: bool, files: set[str]) -> None:
    """What holds for any message; *flags*: those that may be set here."""
    if is_new and not any(body.get(key) for key in ("content", "embeds", "attachments", "sticker")):
        raise Refusal(400, 50_006, "Cannot send an empty message")
    if (body.get("flags") or 0) & ~flags:
        raise invalid("flags", "FLAGS_INVALID", "Only some flags can be set.")
    _check_embeds(body, files)
    _check_buttons(body.get("components") or [])
    described = {f"files[{a['id']}]" for a in body.get("attachments") or [] if int(a["id"]) < 10}
    if described != files:
        raise invalid("attachments", "ATTACHMENT_NOT_FOUND", "files and attachments differ")


def _check_embeds(body: dict[str, Any], files: set[str]) -> None:
    total = 0
    for number, embed in enumerate(body.get("embeds") or []):
        texts = [embed.get("title") or "", embed.get("description") or ""]
        total += sum(map(len, texts))
        if not any(texts) and not embed.get("image"):
            raise invalid(f"embeds.{number}", "BASE_TYPE_REQUIRED", "This field is required")
        image = (embed.get("image") or {}).get("url", "")
        if image.startswith("attachment://") and not files:
            raise invalid(f"embeds.{number}.image", "ATTACHMENT_NOT_FOUND", "no such attachment")
    if total > EMBEDS_LIMIT:
        raise invalid(
            "embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000"
        )


def _check_buttons(rows: list[dict[str, Any]]) -> None:
    if len(rows) > ROWS_LIMIT:
        raise invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    buttons = [button for row in rows for button in row["components"]]
    for each in buttons:
        if each["style"] != _LINK and not each.get("custom_id"):
            raise invalid("components.0", "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED", "no custom id")
        if not each.get("label") and not each.get("emoji"):
            raise invalid("components.0", "BUTTON_COMPONENT_INVALID_LABEL", "no label")
    twice = [
        name for name, count in Counter(b.get("custom_id") for b in buttons).items() if count > 1
    ]
    if twice:
        raise invalid(
            "components.0",
            "COMPONENT_CUSTOM_ID_DUPLICATED",
            "Component custom id cannot be duplicated",
        )


def check_commands(commands: list[dict[str, Any]]) -> None:
    check("commands", commands)
    slash = [c for c in commands if c.get("type", 1) == 1]
    if len(slash) > 100:
        raise Refusal(400, 30_032, "Maximum number of application commands reached (100)")
    if len({c["name"] for c in slash}) < len(slash):
        raise invalid("name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "names must be unique")
    for number, command in enumerate(slash):
        _check_command(str(number), command)


def _check_command(where: str, command: dict[str, Any]) -> None:
    if not COMMAND_NAME.fullmatch(command["name"]) or not command.get("description"):
        raise invalid(
            f"{where}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid"
        )
    options = command.get("options") or []
    required = [bool(option.get("required")) for option in options]
    if required != sorted(required, reverse=True):
        raise invalid(
            f"{where}.options",
            "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
            "Required options must be placed before non-required options",
        )
    for option in options:
        if option.get("autocomplete") and option.get("choices"):
            raise invalid(
                f"{where}.options", "APPLICATION_COMMAND_OPTIONS", "choices or autocomplete"
            )
        if not COMMAND_NAME.fullmatch(option["name"]):
            raise invalid(f"{where}.options", "APPLICATION_COMMAND_INVALID_NAME", option["name"])


def check_typed(command: dict[str, Any], options: dict[str, Any]) -> list[dict[str, Any]]:
    """What Discord's own client would let somebody send; raises `ValueError` else."""
    known = {option["name"]: option for option in command.get("options") or []}
    missing = {name for name, option in known.items() if option.get("required")} - options.keys()
    if missing or options.keys() - known.keys():
        raise ValueError(f"/{command['name']} takes {[*known]}, not {[*options]}")
    for name, value in options.items():
        _check_value(known[name], value)
    return [{"name": n, "type": known[n]["type"], "value": v} for n, v in options.items()]


def _check_value(option: dict[str, Any], value: Any) -> None:
    choices = [choice["value"] for choice in option.get("choices") or []]
    if choices and value not in choices:
        raise ValueError(f"{option['name']} is one of {choices}, not {value}")
    if (option["type"] == 4) != isinstance(value, int):
        raise ValueError(f"{option['name']} is of another type than {value!r}")
    if isinstance(value, int) and not option["min_value"] <= value <= option["max_value"]:
        raise ValueError(f"{option['name']} does not take {value}")
