"""`quarterdeck check` on the chats, asking a server that answers as theirs do."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chatbot.checks.desk import check
from chatbot.checks.finding import Finding, Verdict
from chatbot.folder.history import HISTORY
from storage.store import SqlStore
from tests.builders import NOON
from trading.clocks import ManualClock, SystemClock
from trading.ports import Alert, Change

SHIPPED = (Path(__file__).parents[3] / "bot.toml").read_text()
TELEGRAM, DISCORD = "QUARTERDECK__CHAT__TELEGRAM__", "QUARTERDECK__CHAT__DISCORD__"
TOKEN, OTHER = "123456789:AAHk-Zx9Qw_3rTyUiOpAsDfGhJkLzXcVbNm", "hush-hush-hush"


class Platforms:
    """Telegram's getMe and Discord's users/@me, on one address."""

    def __init__(self) -> None:
        self.status = 200
        self.body: object = None
        """Said instead of the truth."""
        self.may_join = True
        self.guilds = ["7"]
        self.asked: list[tuple[str, str]] = []
        self.posted: list[tuple[str, Mapping[str, str]]] = []
        self.chat: tuple[int, object] = 200, {"ok": True, "result": True}
        """What Telegram says of a chat."""
        self.channel: tuple[int, object] = 200, {"id": "456", "type": 0}
        platforms = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                platforms.posted.append((self.path, asked))
                self.do_GET()

            def do_GET(self) -> None:
                status, body = platforms.answer(self.path, self.headers.get("Authorization", ""))
                said = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                """Quietly."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str, authorization: str) -> tuple[int, object]:
        self.asked.append((path, authorization))
        if self.status != 200 or self.body is not None:
            return self.status, self.body
        if path.startswith(f"/bot{TOKEN}/"):
            me = {"id": 1, "is_bot": True, "username": "harbour_bot"}
            me |= {"can_join_groups": self.may_join}
            return (200, {"ok": True, "result": me}) if path.endswith("/getMe") else self.chat
        if authorization != f"Bot {OTHER}":
            return 401, {"message": "401: Unauthorized", "code": 0}
        if path == "/api/v10/users/@me":
            return 200, {"id": "2", "username": "harbour", "bot": True}
        if path.startswith("/api/v10/channels/"):
            return self.channel
        return 200, [{"id": guild, "name": "ours"} for guild in self.guilds]


@pytest.fixture
def platforms() -> Iterator[Platforms]:
    made = Platforms()
    serving = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield made
    made.server.shutdown()
    serving.join()
    made.server.server_close()


def telegram(platforms: Platforms, **more: str) -> dict[str, str]:
    said = {
        "ENABLED": "true",
        "BASE_URL": platforms.address,
        "TOKEN": TOKEN,
        "USERS": '{"111": "owner"}',
        "ALERTS": '[{"chat": 111}]',
    }
    return {TELEGRAM + key: value for key, value in (said | more).items()}


def discord(platforms: Platforms, **more: str) -> dict[str, str]:
    said = {
        "ENABLED": "true",
        "API_URL": platforms.address,
        "TOKEN": OTHER,
        "GUILDS": '["7"]',
        "ROLES": '{"9": "operator"}',
        "ALERTS": '[{"channel": 456}]',
    }
    return {DISCORD + key: value for key, value in (said | more).items()}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    (tmp_path / "bot.toml").write_text(SHIPPED)
    return tmp_path


def look(desk: Path, environ: Mapping[str, str], within: float = 10) -> dict[str, Finding]:
    found = check(desk / "bot.toml", environ, SystemClock(), within=within)
    everything = repr(found)
    assert TOKEN not in everything
    assert OTHER not in everything
    for finding in found:
        assert (finding.verdict is Verdict.OK) == (not finding.todo), finding
    return {finding.what: finding for finding in found}


def told(finding: Finding) -> str:
    said = re.sub(r"http://127\.0\.0\.1:\d+", "ADDRESS", finding.said)
    return f"{finding.verdict}: {said}{f' -> {finding.todo}' if finding.todo else ''}"


def test_telegram_as_it_should_be(desk: Path, platforms: Platforms) -> None:
    found = look(desk, telegram(platforms, GROUPS="[-1001]"))
    assert {name: told(f) for name, f in found.items() if "telegram" in name} == {
        "telegram token": "ok: from the environment",
        "telegram": "ok: ADDRESS knows it as @harbour_bot",
        "telegram people": "ok: 1 person, 1 group",
        "telegram alerts": "ok: 1 chat",
    }
    assert found["chats"].said == "console and Telegram; quarterdeck say"
    assert platforms.asked == [(f"/bot{TOKEN}/getMe", ""), (f"/bot{TOKEN}/sendChatAction", "")]


def test_discord_as_it_should_be(desk: Path, platforms: Platforms) -> None:
    found = look(desk, discord(platforms))
    assert {name: told(f) for name, f in found.items() if "discord" in name} == {
        "discord token": "ok: from the environment",
        "discord": "ok: ADDRESS knows it as harbour",
        "discord guilds": "ok: 1 guild",
        "discord people": "ok: 0 people, 1 role",
        "discord alerts": "ok: 1 chat",
    }


AFTERWARDS = "let the bot in there again, or correct [chat.{}] alerts"
OF_TELEGRAM = {
    "bot was blocked by the user": (403, "the user has blocked the bot"),
    "user is deactivated": (403, "the bot may not write in this chat"),
    "bot was kicked from the supergroup chat": (403, "the bot may not write in this chat"),
    "bot is not a member of the channel chat": (403, "the bot may not write in this chat"),
    "chat not found": (400, "there is no such chat or topic, or nobody has opened it yet"),
    "message thread not found": (400, "there is no such chat or topic, or nobody has opened it"),
    "not enough rights to send text messages to the chat": (400, "the bot may not write in this"),
}


@pytest.mark.parametrize("words", OF_TELEGRAM)
def test_a_chat_of_telegram_that_takes_no_alerts(
    desk: Path, platforms: Platforms, words: str
) -> None:
    status, why = OF_TELEGRAM[words]
    platforms.chat = status, {"ok": False, "error_code": status, "description": words}
    finding = look(desk, telegram(platforms))["telegram alerts"]
    assert told(finding).startswith(f"fault: chat 111: {why}")
    assert finding.todo == AFTERWARDS.format("telegram")


def test_a_group_that_has_moved_is_told_with_its_new_id(desk: Path, platforms: Platforms) -> None:
    platforms.chat = (
        400,
        {
            "ok": False,
            "description": "Bad Request: group chat was upgraded to a supergroup chat",
            "parameters": {"migrate_to_chat_id": -1005},
        },
    )
    found = look(desk, telegram(platforms, ALERTS='[{"chat": -5, "topic": 9}]', GROUPS="[-5]"))
    assert "chat -5/9: the group has a new id, -1005" in found["telegram alerts"].said
    assert platforms.posted[0][1] == {
        "chat_id": "-5", "message_thread_id": "9", "action": "typing",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((403, {"message": "Missing Access", "code": 50001}), "the bot may not see it"),
        ((404, {"message": "Unknown Channel", "code": 10003}), "there is no such channel"),
    ],
)
def test_a_channel_of_discord_that_takes_no_alerts(
    desk: Path, platforms: Platforms, answer: tuple[int, object], why: str
) -> None:
    platforms.channel = answer
    finding = look(desk, discord(platforms))["discord alerts"]
    assert told(finding) == f"fault: chat 456: {why} -> {AFTERWARDS.format('discord')}"


@pytest.mark.parametrize("answer", [(500, {}), (502, b"<html>"), (429, {"ok": False}), (200, [])])
def test_what_is_not_known_of_a_chat_is_no_fault(
    desk: Path, platforms: Platforms, answer: tuple[int, object]
) -> None:
    platforms.chat = platforms.channel = answer
    found = look(desk, telegram(platforms) | discord(platforms))
    assert found["telegram alerts"].said == found["discord alerts"].said == "1 chat"


async def test_since_when_alerts_wait_for_a_lost_chat_is_told(
    desk: Path, platforms: Platforms
) -> None:
    (desk / "state").mkdir(mode=0o700)
    store = await SqlStore.open(desk / "state" / HISTORY, clock=ManualClock(NOON))
    for number, to in enumerate(("telegram:111", "telegram:111", "telegram:222")):
        at = NOON - timedelta(minutes=number)
        alert = Alert(id=f"{number}", to=to, level=20, kind="FeedLost", at=at, body="{}")
        await store.commit(Change(alerts=(alert,)))
    await store.close()
    platforms.chat = 403, {"ok": False, "description": "Forbidden: bot was blocked by the user"}
    finding = (await asyncio.to_thread(look, desk, telegram(platforms)))["telegram alerts"]
    since = f"{NOON - timedelta(minutes=1):%Y-%m-%d %H:%M} UTC"
    assert finding.said == f"chat 111: the user has blocked the bot, alerts wait since {since}"


def test_chats_that_are_off_are_not_asked(desk: Path, platforms: Platforms) -> None:
    found = look(desk, telegram(platforms, ENABLED="false") | discord(platforms, ENABLED="false"))
    assert not [name for name in found if name.startswith(("telegram", "discord"))]
    assert platforms.asked == []


@pytest.mark.parametrize("status", [401, 404])
def test_a_refused_token_of_telegram(desk: Path, platforms: Platforms, status: int) -> None:
    platforms.status, platforms.body = status, {"ok": False, "error_code": status}
    finding = look(desk, telegram(platforms))["telegram"]
    assert told(finding) == "fault: ADDRESS: its token is refused -> take a new one from @BotFather"


def test_a_refused_token_of_discord(desk: Path, platforms: Platforms) -> None:
    other = "MTI.another.anotheranotheranotheranother"
    finding = look(desk, discord(platforms, TOKEN=other))["discord"]
    assert told(finding) == (
        "fault: ADDRESS: its token is refused -> "
        "reset it in Discord's developer portal, and set the new one"
    )


@pytest.mark.parametrize(
    "around", ["bot{}", "TOKEN={}", "<{}>", "({})", "{},", "https://x.test/bot{}"]
)
def test_what_was_copied_along_with_a_token_is_named(
    desk: Path, platforms: Platforms, around: str
) -> None:
    platforms.status, platforms.body = 404, {"ok": False, "error_code": 404}
    finding = look(desk, telegram(platforms, TOKEN=around.format(TOKEN)))["telegram"]
    assert "something stands before or after it: keep only the token" in told(finding)
    assert "new one" not in told(finding)


@pytest.mark.parametrize("token", ["another", "765432100", "\u0410" * 40])
def test_what_is_no_token_is_to_be_copied_again(
    desk: Path, platforms: Platforms, token: str
) -> None:
    platforms.status, platforms.body = 401, {"message": "401: Unauthorized"}
    for found in (
        look(desk, discord(platforms, TOKEN=token))["discord"],
        look(desk, telegram(platforms, TOKEN=token))["telegram"],
    ):
        assert "it does not look like one" in told(found)
        assert "new one" not in told(found)


def test_a_bot_that_discord_forbids(desk: Path, platforms: Platforms) -> None:
    platforms.status, platforms.body = 403, {"message": "Forbidden"}
    finding = look(desk, discord(platforms))["discord"]
    assert told(finding).startswith("fault: ADDRESS: it is forbidden to this bot -> look at it in")


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (200, b"<html>"), (200, []), (302, b""), (200, {"ok": True})]
)
def test_a_strange_answer(desk: Path, platforms: Platforms, status: int, body: object) -> None:
    platforms.status, platforms.body = status, body
    finding = look(desk, telegram(platforms))["telegram"]
    assert told(finding).startswith(f"fault: ADDRESS: a strange answer (status {status}) -> try")
    assert "base_url" in finding.todo


def test_nobody_listens_there(desk: Path, platforms: Platforms) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        found = look(
            desk, telegram(platforms, BASE_URL=address) | discord(platforms, API_URL=address)
        )
    for name in ("telegram", "discord"):
        assert "it cannot be reached (ClientConnectorError)" in found[name].said
        assert "look at this machine's network" in found[name].todo
    assert found["telegram people"].verdict is Verdict.OK


def test_whoever_listens_there_does_not_answer(desk: Path, platforms: Platforms) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = look(desk, telegram(platforms, BASE_URL=address), within=0.05)
    assert told(found["telegram"]).startswith("fault: ADDRESS: no answer within 0.05 s -> look at")


def test_a_bot_that_may_join_no_group(desk: Path, platforms: Platforms) -> None:
    platforms.may_join = False
    finding = look(desk, telegram(platforms, GROUPS="[-1001]"))["telegram groups"]
    assert told(finding) == (
        "look: 1 group listed, and the bot may join none -> @BotFather, /setjoingroups, Enable"
    )


def test_a_guild_that_the_bot_is_not_in(desk: Path, platforms: Platforms) -> None:
    finding = look(desk, discord(platforms, GUILDS='["7", "8"]'))["discord guilds"]
    assert told(finding) == (
        "fault: the bot is not in 8 -> "
        "invite it there, with the scopes bot and applications.commands"
    )


def test_nobody_may_command_and_nobody_hears(desk: Path, platforms: Platforms) -> None:
    found = look(desk, telegram(platforms, USERS="{}", ALERTS="[]"))
    assert told(found["telegram people"]) == (
        'look: nobody may command -> put your numeric id into [chat.telegram]: users = { "111" = '
        '"owner" }'
    )
    assert found["telegram alerts"].verdict is Verdict.LOOK


def test_a_missing_token_is_a_mistake_of_the_settings(desk: Path, platforms: Platforms) -> None:
    said = telegram(platforms)
    del said[TELEGRAM + "TOKEN"]
    (finding,) = look(desk, said).values()
    assert finding.verdict is Verdict.FAULT
    assert "chat.telegram has no token: set QUARTERDECK__CHAT__TELEGRAM__TOKEN" in finding.said


def test_a_token_from_a_file_names_the_file(desk: Path, platforms: Platforms) -> None:
    said = telegram(platforms, TOKEN_FILE="telegram.token")
    del said[TELEGRAM + "TOKEN"]
    (desk / "telegram.token").write_text(TOKEN)
    (desk / "telegram.token").chmod(0o600)
    found = look(desk, said)
    assert found["telegram token"].said == "from telegram.token"
    assert found["telegram"].verdict is Verdict.OK
