"""Worlds in memory."""

from __future__ import annotations

import pytest

from tests.loops import Loops, for_worlds_in_memory


def pytest_asyncio_loop_factories(item: pytest.Item) -> Loops:
    return for_worlds_in_memory(item)
