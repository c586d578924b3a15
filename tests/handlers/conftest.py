from __future__ import annotations

import pytest

from tests.handlers.fakes import House
from tests.skipping import pytest_asyncio_loop_factories

__all__ = ["house", "pytest_asyncio_loop_factories"]


@pytest.fixture
async def house() -> House:
    return House()
