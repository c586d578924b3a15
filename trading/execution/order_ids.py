"""Client order ids: by them a desk knows its own orders, even without its history."""

from __future__ import annotations

import re
from collections.abc import Callable

from trading.types import OrderRole

_OF_A_DESK = re.compile(r"qd-[0-9a-z]+-[epx]-")

ROLE_LETTERS = {OrderRole.ENTRY: "e", OrderRole.PROTECT: "p", OrderRole.EXIT: "x"}


class OrderIds:
    """Random once, tagged with the desk, the role in one letter.

    `qd-1f3a-e-9c0d2e4f6a8b1c3d`: 23 characters of [a-z0-9-], inside what every venue accepts.
    """

    def __init__(self, tag: str, random_hex: Callable[[int], str]) -> None:
        self._prefix = f"qd-{tag}-"
        self._random_hex = random_hex

    def new(self, role: OrderRole) -> str:
        return f"{self._prefix}{ROLE_LETTERS[role]}-{self._random_hex(8)}"

    def is_ours(self, order_id: str) -> bool:
        return order_id.startswith(self._prefix)

    def is_another_desks(self, order_id: str) -> bool:
        return is_of_a_desk(order_id) and not self.is_ours(order_id)

    def role(self, order_id: str) -> OrderRole:
        letter = order_id.removeprefix(self._prefix)[:1]
        return next(role for role, known in ROLE_LETTERS.items() if known == letter)


def is_of_a_desk(order_id: str) -> bool:
    """Of this one, or another: all of them tag their orders alike."""
    return _OF_A_DESK.match(order_id) is not None
