"""A second factor for what loosens or spends: six digits from an app, RFC 6238.

Each code counts once for a person, within its 30 s and one step to either side.  Whoever guesses
is held off: nine wrong ones within an hour, and none is looked at until the hour has passed.
Both outlive the process: what was used or tried before a restart counts after it.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from trading.clocks import Clock
from trading.errors import StoreError

log = logging.getLogger(__name__)

STEP = 30
"""Seconds that a code lasts."""
WINDOW = (0, -1, 1)
"""Steps that count: the clocks of phones differ."""
WRONG_LIMIT, WRONG_WITHIN = 9, 3_600.0
"""Wrong codes, in so many seconds, after which none is looked at."""
NOTE = "second_factor"


class KeptValues(Protocol):
    """Small named values that outlive the process.  Both raise `StoreError`."""

    async def note(self, name: str) -> str | None: ...

    async def keep(self, name: str, value: str) -> None: ...


def new_secret() -> str:
    """160 random bits as base32, as RFC 4226 asks for."""
    from pyotp import random_base32

    return random_base32(32)


def address_of(secret: str, person: str) -> str:
    """The `otpauth://` address that apps read, often as a QR code."""
    from pyotp import TOTP

    return TOTP(secret, interval=STEP).provisioning_uri(name=person, issuer_name="Quarterdeck")


class CodeAnswer(Enum):
    RIGHT = "right"
    WRONG = "wrong"
    USED = "used"
    """Right, and it has counted before."""
    HELD_OFF = "held off"
    UNKNOWN = "unknown"
    """History does not tell what was used before, or does not take that these are: no yes."""


class SecondFactor:
    """Knows the secrets of those who set one up; nobody else is asked."""

    def __init__(
        self,
        clock: Clock,
        secrets: Mapping[str, str] | None = None,
        memory: KeptValues | None = None,
    ) -> None:
        """*secrets*: base32, by `Caller.user` as in `telegram:111`; *memory*: None, it forgets."""
        self._clock = clock
        self._secrets = secrets or {}
        self._memory = memory
        self._is_read = memory is None
        self._last: dict[str, int] = {}
        """The newest step that has counted, by person."""
        self._wrong: dict[str, deque[float]] = {}

    def is_asked_of(self, user: str) -> bool:
        return user in self._secrets

    async def look(self, user: str, digits: str) -> CodeAnswer:
        """Whether *digits* are those of *user* now.  Right ones are used up by this."""
        try:
            await self._remember()
            answer = self._look(user, digits)
            if answer in (CodeAnswer.RIGHT, CodeAnswer.WRONG):
                await self._keep()
        except StoreError as error:
            log.warning("history does not keep what a second factor was asked: %s", error)
            return CodeAnswer.UNKNOWN
        return answer

    def _look(self, user: str, digits: str) -> CodeAnswer:
        wrong = self._wrong.setdefault(user, deque(maxlen=WRONG_LIMIT))
        now = self._clock.monotonic()
        if len(wrong) == WRONG_LIMIT and now - wrong[0] < WRONG_WITHIN:
            return CodeAnswer.HELD_OFF
        step = self._step_of(user, digits)
        if step is None:
            wrong.append(now)
            return CodeAnswer.WRONG
        if step <= self._last.get(user, -1):
            return CodeAnswer.USED
        self._last[user] = step
        return CodeAnswer.RIGHT

    async def _remember(self) -> None:
        """What the process before this one knew, by the wall clock: another counts in each."""
        if self._is_read or self._memory is None:
            return
        written = await self._memory.note(NOTE)
        now, ticks = self._clock.now(), self._clock.monotonic()
        for user, known in json.loads(written or "{}").items():
            self._last[user] = max(int(known["last"]), self._last.get(user, -1))
            ages = (now - datetime.fromisoformat(at) for at in known["wrong"])
            tries = [ticks - max(0.0, age.total_seconds()) for age in ages]
            self._wrong[user] = deque([*tries, *self._wrong.get(user, ())], maxlen=WRONG_LIMIT)
        self._is_read = True

    async def _keep(self) -> None:
        if self._memory is None:
            return
        now, ticks = self._clock.now(), self._clock.monotonic()
        known = {
            user: {
                "last": self._last.get(user, -1),
                "wrong": [
                    (now - timedelta(seconds=ticks - at)).isoformat()
                    for at in self._wrong.get(user, ())
                    if ticks - at < WRONG_WITHIN
                ],
            }
            for user in self._secrets
        }
        await self._memory.keep(NOTE, json.dumps(known))

    def _step_of(self, user: str, digits: str) -> int | None:
        """The step, counted from 1970, whose code *digits* are."""
        from pyotp import TOTP

        said = re.sub(r"\s", "", digits).encode(errors="replace")
        totp = TOTP(self._secrets[user], interval=STEP)
        now = int(self._clock.now().timestamp()) // STEP
        steps = (now + n for n in WINDOW)
        return next(
            (s for s in steps if hmac.compare_digest(totp.generate_otp(s).encode(), said)), None
        )
