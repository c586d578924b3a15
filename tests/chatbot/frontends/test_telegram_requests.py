"""The library's requests over aiohttp: what is told of what goes wrong."""

from __future__ import annotations

import pytest
from telegram.error import NetworkError, TelegramError, TimedOut

from chatbot.frontends.telegram.connection import Polling, connect
from tests.chatbot.frontends.test_telegram import BEN, a_chat
from tests.servers.telegram import TOKEN, Fault, TelegramServer

IN_TIME = Polling()
"""As long as a desk waits: nothing of these tests comes near it."""
HANGS = Polling(answer=1.0, connect=1.0, longest=1.0)
"""What hangs is waited out; what answers has twenty times what it needs."""


@pytest.mark.parametrize(
    ("fault", "polling", "told"),
    [
        (Fault.DROP, IN_TIME, NetworkError),
        (Fault.DROP_AFTER, IN_TIME, NetworkError),
        (Fault.HANG, HANGS, TimedOut),
    ],
)
async def test_a_request_that_fails_is_told_in_words_without_its_address(
    fault: Fault, polling: Polling, told: type[TelegramError]
) -> None:
    async with TelegramServer() as server:
        server.fail("getMe", fault)
        connection = connect(TOKEN, server.base_url, polling)
        with pytest.raises(told) as failed:
            await connection.bot.get_me()

        assert type(failed.value) is told
        assert TOKEN not in str(failed.value)
        assert failed.value.__cause__ is None
        assert (await connection.bot.get_me()).is_bot  # the next one connects again
        for each in connection.requests:
            await each.shutdown()


async def test_a_proxy_that_the_environment_names_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with TelegramServer() as server:
        monkeypatch.setenv("http_proxy", server.base_url)
        through = connect(TOKEN, "http://telegram.example", IN_TIME)
        monkeypatch.setenv("no_proxy", "telegram.example")
        past = connect(TOKEN, "http://telegram.example", IN_TIME)

        assert (await through.bot.get_me()).is_bot
        with pytest.raises(NetworkError):
            await past.bot.get_me()
        for each in (*through.requests, *past.requests):
            await each.shutdown()


async def test_an_answer_leaves_before_the_next_poll_is_made() -> None:
    async with a_chat() as chat:

        def asked() -> list[str]:
            methods = [method for method, _ in chat.server.requests]
            return [each for each in methods if each in ("getUpdates", "sendMessage")]

        await chat.ask(BEN, "/status")
        await chat.server.until(lambda: asked()[-1] == "getUpdates", "the next poll")
        before = len(asked())
        await chat.ask(BEN, "/status")

        assert asked()[before] == "sendMessage"
