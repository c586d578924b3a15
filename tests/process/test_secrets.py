"""No token, no secret, no stranger's word or name anywhere: at DEBUG, and through faults.

A desk on both platforms lives through commands, strangers, outages and revoked tokens; then
everything that it wrote, printed or sent is searched.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from tests.process.desk_process import quarterdeck
from tests.process.phones import (
    ANNA,
    BEN,
    CHANNEL,
    GROUP,
    MALLORY,
    DiscordPhone,
    Phone,
    Place,
    TelegramPhone,
    Trouble,
    ask,
    desk_with,
    does,
    heard,
    says,
)
from tests.servers import discord, telegram

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
HARMLESS = 8
"""Characters: whatever is shorter tells nobody anything."""
SPOKEN = "open sesame 4711"
"""What a stranger says."""


@dataclass(frozen=True, slots=True)
class Left:
    """All that could be read by somebody, by where it stands."""

    written: dict[str, str]
    said: dict[str, str]
    """What was sent to each platform: bodies of requests, not their addresses."""
    tokens: tuple[str, ...]


async def live_through(phone: Phone, other: Phone) -> None:
    """Commands, strangers, faults, and a token that is refused for a while."""
    for line in (
        "/status",
        "/config",
        "/log",
        "/audit",
        "/version",
        "/who",
        "/chart BTC",
        "/nosuch",
    ):
        await says(phone, ANNA, line)
    for place in (Place.PRIVATE, Place.LISTED, Place.UNLISTED):
        await phone.tells(MALLORY, f"/status {SPOKEN}", place=place)
    seen = await says(phone, BEN, "/status", place=Place.LISTED)
    await phone.taps(MALLORY, seen, "Stop")
    await does(phone, ANNA, "/buy BTC 100")
    for trouble in Trouble:
        phone.breaks(trouble, times=2)
    await does(other, ANNA, "/pause")
    await does(other, ANNA, "/stop")
    phone.mended()
    await phone.revokes()
    await heard(other, ANNA, f"⚠ {phone.title} lost", place=Place.LISTED)
    phone.restores()
    await heard(other, ANNA, f"✓ {phone.title} back", place=Place.LISTED)
    await says(phone, ANNA, "/log")
    await says(phone, ANNA, "/audit")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def left(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Left]:
    one = TelegramPhone(alerts=[{"chat": GROUP}, {"chat": ANNA.id}])
    other = DiscordPhone(alerts=[{"channel": str(CHANNEL)}, {"user": str(ANNA.id)}])
    folder = tmp_path_factory.mktemp("secrets")
    timing = {"retry": 0.05, "longest_retry": 0.2, "lost_after": 1, "back_after": 1, "request": 1}
    more = {
        "QUARTERDECK__BOT__LOG_LEVEL": "debug",
        "QUARTERDECK__CHAT__TIMING": json.dumps(timing),
        "QUARTERDECK__ACCESS__RATE": "10000",
        "QUARTERDECK__ACCESS__RATE_IN_GROUPS": "10000",
        "QUARTERDECK__ACCESS__TOTP": json.dumps({f"telegram:{BEN.id}": TOTP}),
    }
    async with desk_with(one, other, folder=folder, calm=False, environ=more) as desk:
        await live_through(one, other)
        await live_through(other, one)
        await says(one, BEN, "/resume")  # is asked for digits
        await says(one, BEN, "/confirm ZZZZ 123456")
        one.server.fail("*", telegram.Fault.GARBAGE, times=5)
        other.server.fail("*", discord.Fault.HANG, times=math.inf)
        other.server.gateway.cut()
        await ask(desk, "/stop")
        assert await asyncio.to_thread(desk.terminate) == 0
    said = {phone.title: phone.everything_said() for phone in (one, other)}
    yield Left(dict(texts(folder)), said, (one.server.token, other.server.token))


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file, also those that are not text: what is readable in them counts."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes().decode("utf-8", "replace")


def forms(secret: str) -> Iterator[str]:
    """It, as an address writes it, and each of its parts that would be of use."""
    yield secret
    yield quote(secret, safe="")
    for part in secret.replace(":", ".").split("."):
        if len(part) > HARMLESS:
            yield part
            yield part[: len(part) // 2]


async def test_there_is_something_to_search(left: Left) -> None:
    log = left.written["state/logs/quarterdeck.jsonl"]
    assert "chatbot.frontends.telegram.failures." in log, "with the trace of what failed"
    assert "its token is refused" in log
    assert all(len(said) > 10_000 for said in left.said.values())


async def test_no_token_is_written_or_said(left: Left) -> None:
    for token in left.tokens:
        for form in forms(token):
            assert [name for name, text in left.written.items() if form in text] == []
            assert [name for name, text in left.said.items() if form in text] == []


async def test_no_secret_of_a_second_factor_is_written_or_said(left: Left) -> None:
    for form in forms(TOTP):
        assert [name for name, text in left.written.items() if form in text] == []
        assert [name for name, text in left.said.items() if form in text] == []


async def test_of_a_stranger_nothing_is_kept_but_a_number(left: Left) -> None:
    for word in (SPOKEN, "sesame", MALLORY.name, "Sneak"):
        assert [name for name, text in left.written.items() if word in text] == []
        assert [name for name, text in left.said.items() if word in text] == []
    assert all(str(MALLORY.id) in said for said in left.said.values()), "owners are told of it"


async def test_no_traceback_reaches_a_person(left: Left) -> None:
    for said in (*left.said.values(), *(t for n, t in left.written.items() if n[:4] == "out-")):
        assert "Traceback" not in said
        assert 'File "' not in said
    assert "Traceback" not in left.written["err-1"]


async def test_the_check_of_settings_shows_no_token(tmp_path: Path) -> None:
    one, other = TelegramPhone(), DiscordPhone()
    (tmp_path / "bot.toml").write_text((Path(__file__).parents[2] / "bot.toml").read_text())
    settings = {"QUARTERDECK__BOT__LOG_LEVEL": "debug"} | one.settings | other.settings
    # Nobody listens at those addresses.
    settings["QUARTERDECK__CHAT__TELEGRAM__BASE_URL"] = "http://127.0.0.1:9"
    settings["QUARTERDECK__CHAT__DISCORD__API_URL"] = "http://127.0.0.1:9"
    checked = await asyncio.to_thread(lambda: quarterdeck("check", cwd=tmp_path, **settings))
    for token in (one.server.token, other.server.token):
        for form in forms(token):
            assert form not in checked.out + checked.err
