"""`/stop` while 100 members shout: until it is booked, and until its answer is there.

The desk is the one that ships, a process of its own, with the real library against the loopback
server of the tests.  That server counts as Telegram does: 30 messages a second in all, 20 a minute
in a group, edits included; what comes too often is refused.  The server and the members run in this
process, on the same cores: what they take is in the figures, too.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

from bench.chats import compiled_desk, until
from bench.figures import Figure, median, percentile
from tests.process.desk_process import DeskProcess
from tests.servers.telegram import Person, Sent, TelegramServer

MEMBERS = [Person(1_000 + number, f"member{number}") for number in range(100)]
OWNERS = [Person(1 + number, f"owner{number}") for number in range(4)]
GROUP = -100500
LINES = ("/price BTC", "/status", "/positions", "/confirm AAAA", "/stop", "/xyzzy", "!" * 4_000)
ROUNDS = 30
SETTLED = 3.0
"""Seconds of shouting before the first stop."""
EACH = 1.0
"""Seconds between two lines of one member."""
BOOKED_GOAL, ANSWERED_GOAL, GROUP_GOAL = 0.3, 1.0, 2.0


class Heard(TelegramServer):
    """Notes when each message of the bot arrived."""

    def __init__(self) -> None:
        super().__init__(period=1, burst=1_000)
        self.arrived: dict[int, float] = {}

    def _post(self, room: object, sent: Sent) -> Sent:
        posted = super()._post(room, sent)  # type: ignore[arg-type]  # a room, as there
        self.arrived[posted.id] = time.time()
        return posted

    async def stopped(self, who: Person, chat: int) -> tuple[float, float]:
        """*who* says /stop; when, and when the answer had arrived (wall time)."""
        began = time.time()
        said = await self.says(who, "/stop", chat=chat)
        room = self.room(chat)
        answer = await self.until(
            lambda: next((m for m in room.seen if m.id > said.id and "topped" in m.text), None),
            "the answer to /stop",
        )
        return began, self.arrived[answer.id]


def measure() -> list[Figure]:
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    booked, answered = await _in_private()
    in_group = await _in_group()
    crowd = f"{len(MEMBERS)} members shouting"
    return [
        Figure(name=f"/stop booked, {crowd}, p99", value=percentile(booked, 0.99),
               unit="s", goal=BOOKED_GOAL, headline=True),
        Figure(name=f"/stop answered, {crowd}, median", value=median(answered), unit="s"),
        Figure(name=f"/stop answered, {crowd}, p99", value=percentile(answered, 0.99),
               unit="s", goal=ANSWERED_GOAL, headline=True),
        Figure(name="/stop answered in a group at its limit, the worst", value=max(in_group),
               unit="s", goal=GROUP_GOAL, headline=True),
    ]  # fmt: skip


async def _in_private() -> tuple[list[float], list[float]]:
    """Each member in private: seconds until each stop was booked, and answered."""
    booked, answered = [], []
    async with _a_desk() as (server, desk), _shouting(server, None):
        for _ in range(ROUNDS):
            began, arrived = await server.stopped(OWNERS[0], OWNERS[0].id)
            answered.append(arrived - began)
            booked.append(await _halted_after(desk, began) - began)
            await asyncio.to_thread(desk.do, "/resume")
    return booked, answered


async def _in_group() -> list[float]:
    """All in one group: seconds until four owners, one after the other, have their answers."""
    async with _a_desk() as (server, _), _shouting(server, GROUP):
        times = [await server.stopped(owner, GROUP) for owner in OWNERS]
    return [arrived - began for began, arrived in times]


@asynccontextmanager
async def _a_desk() -> AsyncIterator[tuple[Heard, DeskProcess]]:
    roles = {str(each.id): "viewer" for each in MEMBERS} | {str(o.id): "owner" for o in OWNERS}
    settings = {"ENABLED": "true", "USERS": json.dumps(roles), "GROUPS": json.dumps([str(GROUP)])}
    with tempfile.TemporaryDirectory() as folder:
        async with Heard() as server:
            for chat in (GROUP, *(each.id for each in (*MEMBERS, *OWNERS))):
                server.room(chat)
            settings |= {"BASE_URL": server.base_url, "TOKEN": server.token}
            environ = {f"QUARTERDECK__CHAT__TELEGRAM__{key}": v for key, v in settings.items()}
            desk = compiled_desk(Path(folder) / "desk", environ)
            await asyncio.to_thread(desk.start)
            try:
                await until(lambda: server.polls, lambda: True)
                yield server, desk
            finally:
                await asyncio.to_thread(desk.kill)


@asynccontextmanager
async def _shouting(server: Heard, chat: int | None) -> AsyncIterator[None]:
    """Every member says something each second, in *chat* or in private."""

    async def shout() -> None:
        for member, line in zip(itertools.cycle(MEMBERS), itertools.cycle(LINES), strict=False):
            await server.says(member, line, chat=chat)
            await asyncio.sleep(EACH / len(MEMBERS))

    shouting = asyncio.create_task(shout())
    try:
        await asyncio.sleep(SETTLED)
        yield
    finally:
        shouting.cancel()
        await asyncio.gather(shouting, return_exceptions=True)


async def _halted_after(desk: DeskProcess, moment: float) -> float:
    """When the first halt after *moment* took hold (wall time), once the history tells."""
    found: list[float] = []

    def look() -> bool:
        found[:] = [at for at in _halts(desk) if at > moment]
        return bool(found)

    await until(look, lambda: True)
    return min(found)


def _halts(desk: DeskProcess) -> list[float]:
    with closing(sqlite3.connect(f"file:{desk.state}/history.db?mode=ro", uri=True)) as history:
        rows = history.execute("SELECT at FROM halts").fetchall()
    moments = [datetime.fromisoformat(at) for (at,) in rows]
    return [(each if each.tzinfo else each.replace(tzinfo=UTC)).timestamp() for each in moments]
