from __future__ import annotations

import pytest

from tests.handlers.fakes import House


@pytest.fixture
async def house() -> House:
    return House()
