"""Whose account it is: the keys that the venue knows, and what each may do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """`passphrase` is asked for by the exchanges that have one."""

    key: str
    secret: str
    passphrase: str = "test-phrase"
    spot: bool = True
    futures: bool = True
    withdrawals: bool = False

    def may_trade(self, market: str) -> bool:
        return self.spot if market == "spot" else self.futures


OWNER = ApiKey(key="test-key", secret="test-secret")
READER = ApiKey(key="reader-key", secret="reader-secret", spot=False, futures=False)
NO_FUTURES = ApiKey(key="spot-key", secret="spot-secret", futures=False)
KEYS = (OWNER, READER, NO_FUTURES)
