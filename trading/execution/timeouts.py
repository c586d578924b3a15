"""How long is waited for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTimeouts:
    """How long we wait for what, in seconds.  Tests shorten them."""

    answer: float = 5.0
    """For a venue's answer about an order, before it is UNKNOWN."""
    intent: float = 0.1
    """For a reduction's intent to be durable, before it leaves all the same."""
    unsaved: float = 2.0
    """For that intent to be in history or in the fallback journal, before it is critical."""
    stop: float = 2.0
    """For cancels to be confirmed, before `/stop` answers LATCHED, RETRYING."""
    durable: float = 0.5
    """For a halt to be saved, before `/stop` answers NOT YET DURABLE."""
    rules: float = 1.0
    """For a market's rules, before a reduction goes by those that are known."""
    first_retry: float = 0.05
    longest_retry: float = 5.0
    reminder: float = 60.0
    """For a halt's stage, before it is a new critical message."""
    upkeep: float = 5.0
    """Between two looks after unknown orders and missing protection."""
    shutdown: float = 1.5
    """For cancelling resting entries, before the process ends all the same."""
