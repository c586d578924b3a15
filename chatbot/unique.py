"""Ids that nobody else makes.

Not secrets: the machine seeds the generator once, and again in a child process.  To ask the machine
for each is a call of the system, several for every entry.
"""

from __future__ import annotations

import random


def unique_hex(size: int) -> str:
    """*size* random bytes as hexadecimal digits, for the id of an order or an alert."""
    return f"{random.getrandbits(8 * size):0{2 * size}x}"  # unique, not secret
