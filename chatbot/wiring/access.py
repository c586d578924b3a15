"""From the settings to who may do what here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from chatbot.frontends.talk import People
from chatbot.settings import Settings
from chatbot.settings.access import PERSON
from handlers.access import RateLimit
from handlers.caller import Role
from handlers.context import Person
from handlers.second_factor import KeptValues, SecondFactor, address_of, new_secret
from trading.clocks import Clock


def persons(settings: Settings) -> tuple[Person, ...]:
    """Everybody with a role in a chat, by the name the settings give them, else by id."""
    return tuple(
        Person(name, role, section.title)
        for section in settings.chat.platforms.values()
        for name, role in _listed(section.people())
    )


def _listed(people: People) -> Iterator[tuple[str, Role]]:
    yield from ((people.names.get(user, user), role) for user, role in people.users.items())
    yield from ((f"role {name}", role) for name, role in people.roles.items())


def rate_limit(settings: Settings, clock: Clock) -> RateLimit:
    access = settings.access
    return RateLimit(
        clock,
        most=access.rate,
        most_shared=access.rate_in_groups,
        seconds=access.rate_seconds,
    )


def second_factor(settings: Settings, clock: Clock, memory: KeptValues) -> SecondFactor:
    secrets = settings.access.totp.items()
    return SecondFactor(clock, {who: secret.get_secret_value() for who, secret in secrets}, memory)


def second_factor_steps(person: str) -> str:
    """A new secret for *person*, and what to do with it; empty if nobody is called so."""
    if not re.fullmatch(PERSON, person):
        return ""
    secret = new_secret()
    return f"""\
Secret: {secret}
Link:   {address_of(secret, person)}

1. Add the secret to an app for one-time codes, by hand or as a QR code of the link.
2. Give it to the desk, in its environment:
   QUARTERDECK__ACCESS__TOTP='{json.dumps({person: secret})}'
   or as that JSON in a file that only you may read, named in bot.toml:
   [access]
   totp_file = "totp.json"
3. Start the desk again. From then on /resume, /buy and whatever else loosens or spends asks
   {person} for six digits; /stop, /pause, /close and /flatten never do.

Nothing was stored: this is shown once."""
