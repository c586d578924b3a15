"""Worlds in memory, but for venues."""

from tests.skipping import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]
