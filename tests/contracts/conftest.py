"""Markets to try the contract of venues in, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.contracts.venue_world import Opener
from tests.contracts.venues import POORER, VENUES, WITHOUT_STOPS


@pytest.fixture(params=VENUES)
async def a_market(request: pytest.FixtureRequest) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:
        yield Opener(request.param, VENUES[request.param], stack)


@pytest.fixture(params=[name for name in VENUES if name not in WITHOUT_STOPS])
async def a_market_with_stops(request: pytest.FixtureRequest) -> AsyncIterator[Opener]:
    """Where stops rest; what the others say of one is another test's."""
    async with AsyncExitStack() as stack:
        yield Opener(request.param, VENUES[request.param], stack)


@pytest.fixture(params=POORER)
async def a_poorer_market(request: pytest.FixtureRequest) -> AsyncIterator[Opener]:
    """One that can do less than the others."""
    async with AsyncExitStack() as stack:
        yield Opener(request.param, POORER[request.param], stack)
