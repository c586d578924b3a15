"""Loops of tests: what is waited for comes in its order, however busy the machine is."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from tests.loops import SteadyLoop, tell


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


def test_who_is_held_up_loses_no_patience_with_what_is_there() -> None:
    """As by a machine that gives its processor to somebody else for a while."""

    async def story() -> bytes:
        here, there = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=here)
        there.sendall(b"answer")
        asyncio.get_running_loop().call_soon(time.sleep, 0.2)  # this is what holds it up
        try:
            async with asyncio.timeout(0.05):
                return await reader.readexactly(6)
        finally:
            writer.close()
            there.close()

    with asyncio.Runner(loop_factory=SteadyLoop) as runner:
        assert runner.run(story()) == b"answer"


def test_a_patience_ends_where_nothing_comes() -> None:
    async def story() -> None:
        async with asyncio.timeout(0.05):
            await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=SteadyLoop) as runner, pytest.raises(TimeoutError):
        runner.run(story())
