"""Whether an answer has the keys and types of an exchange's own example."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

Json = Any


def differences(sample: Json, ours: Json, absent: Collection[str], at: str = "") -> list[str]:
    """Keys that we lack, and values of another type; null goes with everything."""
    if isinstance(sample, dict) and isinstance(ours, dict):
        lacking = [f"{at}.{key} lacks" for key in sample.keys() - ours.keys() - set(absent)]
        both = sample.keys() & ours.keys()
        return lacking + [
            found
            for key in both
            for found in differences(sample[key], ours[key], absent, f"{at}.{key}")
        ]
    if isinstance(sample, list) and isinstance(ours, list):
        if not sample or not ours:
            return []
        return differences(sample[0], ours[0], absent, f"{at}[]")
    if sample is None or ours is None or type(sample) is type(ours):
        return []
    if isinstance(sample, int | float) and isinstance(ours, int | float):
        return []
    return [f"{at} is {type(ours).__name__}, not {type(sample).__name__}"]
