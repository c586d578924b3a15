"""`[access]`: which commands, how often, and a second factor."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from chatbot.settings.values import Section, Whole
from handlers.access import Policy
from handlers.caller import Role

LEAST_BITS = 80
"""A secret that is shorter is guessed."""


def _base32(value: SecretStr) -> SecretStr:
    said = "".join(value.get_secret_value().split()).upper().rstrip("=")
    try:
        raw = base64.b32decode(said + "=" * (-len(said) % 8))
    except binascii.Error:
        raise ValueError("not base32") from None
    if len(raw) * 8 < LEAST_BITS:
        raise ValueError("too short")
    return SecretStr(said)


PERSON = r"^((telegram|discord):[1-9][0-9]{0,19}|local:[0-9]{1,10})$"
Person = Annotated[str, Field(pattern=PERSON)]
"""As callers are known: `telegram:111`, `discord:222`, `local:1000`."""
Seed = Annotated[SecretStr, AfterValidator(_base32)]


class AccessSettings(Section):
    commands: dict[str, Literal["off", "operator", "owner"]] = Field(
        default_factory=dict,
        description='commands, each off, operator or owner, as in { shutdown = "off" }',
    )
    rate: Whole = Field(30, ge=1, le=10_000)
    rate_in_groups: Whole = Field(8, ge=1, le=10_000)
    rate_seconds: Whole = Field(60, ge=1, le=3_600)
    totp: dict[Person, Seed] = Field(
        default_factory=dict,
        description='people and their secrets, as in { "telegram:111" = "..." }, '
        "each made by: quarterdeck totp telegram:111",
    )
    """From the environment, or out of `totp_file`."""
    totp_file: str | None = Field(
        None, min_length=1, description="a file with people and secrets as JSON, beside this one"
    )

    def policy(self) -> Policy:
        return Policy(
            off=frozenset(name for name, said in self.commands.items() if said == "off"),
            raised={
                name: Role[said.upper()] for name, said in self.commands.items() if said != "off"
            },
        )
