"""The permit is asked for after every wait, immediately before the first byte leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from trading.errors import Halted
from trading.venues.ccxt.transport import NotAsMeant, closed, new_session, sending


class Wire:
    """A server that remembers every byte, and answers each request with an empty object."""

    def __init__(self) -> None:
        self.heard = b""
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                self.heard += data
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def a_wire() -> AsyncIterator[tuple[Wire, aiohttp.ClientSession]]:
    wire = Wire()
    server = await asyncio.start_server(wire.serve, "127.0.0.1")
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/order"
    session = new_session()
    try:
        yield wire, session
    finally:
        await closed(session)
        server.close()


async def post(session: aiohttp.ClientSession, url: str, body: str) -> None:
    async with session.post(url, data=body.encode()) as response:
        await response.text()


def allowed() -> None:
    pass


def halted() -> None:
    raise Halted


async def test_with_its_permit_a_request_leaves() -> None:
    async with a_wire() as (wire, session):
        with sending(allowed, carries={"newClientOrderId": "qd-1"}) as one:
            await post(session, wire.url, "newClientOrderId=qd-1")
        assert one.left
        assert b"newClientOrderId=qd-1" in wire.heard


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_without_it_not_one_byte_leaves(method: str) -> None:
    async with a_wire() as (wire, session):
        with sending(halted) as one, pytest.raises((Halted, aiohttp.ClientError)):
            await session.request(method, wire.url, data=b"a=1" if method == "POST" else None)
        assert not one.left
        assert isinstance(one.withheld, Halted)
        await asyncio.sleep(0)
        assert wire.heard == b""


async def test_a_halt_during_the_connection_wait_comes_in_time() -> None:
    """The permit held when the request began, and not any more when its connection was there."""
    latched = False

    def permit() -> None:
        if latched:
            raise Halted

    async with a_wire() as (wire, session):
        with sending(permit) as one:
            request = asyncio.ensure_future(post(session, wire.url, "side=BUY"))
            await asyncio.sleep(0)  # it is on its way: resolving and connecting take turns
            latched = True
            with pytest.raises((Halted, aiohttp.ClientError)):
                await request
        assert not one.left
        assert wire.heard == b""


async def test_a_halt_between_headers_and_body_comes_in_time_on_a_kept_connection() -> None:
    turns = 0

    def permit_for_one_turn() -> None:
        nonlocal turns
        turns += 1
        if turns > 1:
            raise Halted

    async with a_wire() as (wire, session):
        await post(session, wire.url, "first=1")
        before = wire.heard
        with sending(permit_for_one_turn):
            await post(session, wire.url, "second=1")
            with pytest.raises((Halted, aiohttp.ClientError)):
                await post(session, wire.url, "third=1")
        assert wire.heard.startswith(before)
        assert b"third" not in wire.heard


async def test_a_request_without_its_id_stays_here() -> None:
    async with a_wire() as (wire, session):
        with (
            sending(allowed, carries={"newClientOrderId": "qd-1"}) as one,
            pytest.raises((NotAsMeant, aiohttp.ClientError)),
        ):
            await post(session, wire.url, "newClientOrderId=other")
        assert isinstance(one.withheld, NotAsMeant)
        assert wire.heard == b""


async def test_other_tasks_requests_are_not_guarded() -> None:
    async with a_wire() as (wire, session):
        other = asyncio.ensure_future(post(session, wire.url, "candles=1"))
        with sending(halted):
            await asyncio.sleep(0)
        await other
        assert b"candles=1" in wire.heard
