"""The loop that skips what would be waited for: in order, and never what a thread is at work on."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.skipping import tell


def test_what_is_waited_for_comes_in_its_order_and_at_once() -> None:
    async def story() -> tuple[list[str], float]:
        told: list[str] = []

        async def says(word: str, after: float) -> None:
            await asyncio.sleep(after)
            told.append(word)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7_200):
                await asyncio.gather(says("later", 3_600), says("soon", 60), asyncio.Event().wait())
        return told, asyncio.get_running_loop().time()

    assert tell(story()) == (["soon", "later"], 7_200)


def test_a_thread_is_waited_for_however_short_the_patience() -> None:
    opened = threading.Event()

    async def story() -> bool:
        work = asyncio.create_task(asyncio.to_thread(opened.wait))
        await asyncio.to_thread(opened.set)
        async with asyncio.timeout(3_600):
            return await work

    assert tell(story())


def test_nobody_is_waited_for_who_never_comes() -> None:
    async def story() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="everybody waits"):
        tell(story())
