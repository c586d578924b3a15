"""Work that goes on beside other work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Work = Callable[[], Coroutine[Any, Any, None]]
"""Goes on until it is cancelled."""


async def together(*works: Work) -> None:
    """Run all of them, until cancelled; when one fails the others end, and it is raised."""
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work())
