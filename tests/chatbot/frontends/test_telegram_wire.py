"""Whatever Telegram, or what stands between, answers: no word is kept from being heard.

The first half reads without a network, whatever can be drawn; the second drives the real client.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Update

from chatbot.frontends.telegram.offsets import INSISTING, STRIDE, Offset
from chatbot.frontends.telegram.places import READ, UNREADABLE
from chatbot.frontends.telegram.wire import HIGHEST, Garbled, answer_in, number, updates_in
from tests.chatbot.frontends.test_telegram import BEN, GROUP, MALLORY, a_chat

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
GOOD: dict[str, Any] = {
    "update_id": 700_000_001,
    "message": {
        "message_id": 1,
        "date": 1_760_128_869,
        "chat": {"id": 2, "type": "private", "first_name": "ben"},
        "from": {"id": 2, "is_bot": False, "first_name": "ben"},
        "text": "/stop",
        "entities": [{"type": "bot_command", "offset": 0, "length": 5}],
    },
}
PRESS: dict[str, Any] = {
    "update_id": 700_000_002,
    "callback_query": {
        "id": "1",
        "from": {"id": 2, "is_bot": False, "first_name": "ben"},
        "chat_instance": "1",
        "data": "/stop",
        "message": GOOD["message"],
    },
}


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a value, as the keys that lead there."""
    inside: list[tuple[Any, Any]] = list(value.items()) if isinstance(value, dict) else []
    inside += enumerate(value) if isinstance(value, list) else ()
    return [at, *(each for key, inner in inside for each in paths(inner, (*at, key)))]


def damaged(update: dict[str, Any], path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    whole = deepcopy(update)
    place: Any = whole
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = by
    return whole


DAMAGED = st.sampled_from([GOOD, PRESS]).flatmap(
    lambda update: st.builds(damaged, st.just(update), st.sampled_from(paths(update)), ANYTHING)
)


@given(ANYTHING)
def test_whatever_is_answered_is_read_or_refused(answer: Any) -> None:
    for said in (answer, {"ok": True, "result": answer}, {"ok": False, "description": answer}):
        body = json.dumps(said).encode()
        try:
            read = answer_in(body)
            if read["ok"]:
                updates_in(read["result"])
        except Garbled:
            pass


@given(st.binary(max_size=40))
def test_whatever_bytes_come_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(Garbled):
        answer_in(body + b"{")


def test_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(Garbled):
        answer_in(b"[" * 100_000)


@given(st.lists(DAMAGED, max_size=4), st.integers(0, 4))
def test_a_damaged_update_is_passed_over_and_its_neighbours_are_whole(
    bad: list[Any], where: int
) -> None:
    good = {**GOOD, "update_id": 700_000_009}
    at = min(where, len(bad))
    read = updates_in([*bad[:at], good, *bad[at:]])
    assert {"update_id": 700_000_009, READ: Update.de_json(good, None)} in read
    for each in read:
        assert isinstance(each["update_id"], int)
        assert 0 < each["update_id"] <= HIGHEST


def test_who_said_what_cannot_be_read_is_known_if_that_much_is_whole() -> None:
    (read,) = updates_in([damaged(GOOD, ("message", "date"), "yesterday")])
    assert read == {"update_id": 700_000_001, UNREADABLE: {"chat": 2, "user": 2}}
    (read,) = updates_in([damaged(GOOD, ("message", "from"), 7)])
    assert read == {"update_id": 700_000_001, UNREADABLE: {}}
    (read,) = updates_in([{**GOOD, UNREADABLE: {"chat": 1, "user": 1}}])
    assert read == {"update_id": 700_000_001, READ: Update.de_json(GOOD, None)}
    assert read[READ].message.text == "/stop"
    assert not read[READ].api_kwargs


@pytest.mark.parametrize(
    ("given_", "read"),
    [
        ("700000001", 700_000_001),
        (7e8, 700_000_000),
        (True, None),
        ("seven", None),
        ("\u0667", None),
        ("9" * 5_000, None),
        (float("nan"), None),
        (float("inf"), None),
        (2**64, None),
        ([7], None),
        (None, None),
    ],
)
def test_what_is_a_number(given_: Any, read: int | None) -> None:
    assert number(given_) == read


@given(st.lists(st.integers(1, HIGHEST), max_size=5))
def test_no_lone_far_number_moves_the_offset(far: list[int]) -> None:
    here = Offset(700_000_001)
    near = [700_000_001, 700_000_003]
    moved = here.after([*near, *(each + STRIDE for each in far if each > 700_000_001)])
    assert moved.next == 700_000_004


def test_numbers_that_come_again_and_again_are_believed() -> None:
    offset = Offset(7)
    for _ in range(INSISTING - 1):
        offset = offset.after([5 * STRIDE])
        assert offset.next == 7
    assert offset.after([5 * STRIDE]).next == 5 * STRIDE + 1


def test_numbers_that_begin_anew_below_are_believed_at_once() -> None:
    assert Offset(700_000_001).after([5, 6]).next == 7


# -- over the wire ------------------------------------------------------------------------

BODIES = [
    b"",
    b"null",
    b"[]",
    b'"OK"',
    b"7",
    b'{"ok":true}',
    b'{"ok":true,"result":null}',
    b'{"ok":true,"result":true}',
    b'{"ok":true,"result":"OK"}',
    b'{"ok":true,"result":{}}',
    b'{"ok":true,"result":{"update_id":800000000}}',
    b'{"ok":true,"result":[null]}',
    b'{"ok":true,"result":[[]]}',
    b'{"ok":true,"result":[{}]}',
    b'{"ok":true,"result":[{"update_id":null}]}',
    b'{"ok":true,"result":[{"update_id":true}]}',
    b'{"ok":true,"result":[{"update_id":-5}]}',
    b'{"ok":true,"result":[{"update_id":0}]}',
    b'{"ok":true,"result":[{"update_id":"x"}]}',
    b'{"ok":true,"result":[{"update_id":9223372036854775807}]}',
    b'{"ok":true,"result":[{"update_id":2147483647}]}',
    b'{"ok":true,"result":[{"update_id":"9' + b"9" * 6_000 + b'"}]}',
    b'{"ok":true,"result":[{"update_id":1e400}]}',
    b'{"ok":false}',
    b'{"ok":false,"description":7,"parameters":[]}',
    b'{"ok":false,"error_code":500,"description":"soon","parameters":{"retry_after":"soon"}}',
    b"<html>proxy</html>",
    b"\xff\xfe\x00",
    b"[" * 50_000,
]


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize("body", BODIES, ids=[str(n) for n in range(len(BODIES))])
async def test_a_word_that_waits_through_malformed_answers_is_heard(
    body: bytes, status: int
) -> None:
    async with a_chat() as chat:
        await chat.ask(BEN, "/help")
        for _ in range(3):
            chat.server.answer("getUpdates", body, status=status)
        await chat.server.says(BEN, "/stop")
        await chat.tick(lambda: chat.house.desk.asked, "the stop")
        assert len(chat.house.desk.asked) == 1
        assert not chat.server._answers


async def test_updates_that_cannot_be_read_are_passed_over_alone_and_told() -> None:
    async with a_chat() as chat:
        say, spoil = chat.server.says, chat.server._deliver
        spoiled = {**GOOD["message"], "date": "yesterday"}
        elsewhere = {**spoiled, "chat": {"id": GROUP, "type": "supergroup", "title": "Harbour"}}
        await say(BEN, "/status")
        spoil({"message": spoiled})
        spoil({"message": {**spoiled, "date": 1e300}})
        spoil({"message": {**spoiled, "from": {"id": MALLORY.id, "first_name": "m"}}})
        spoil({"message": elsewhere})
        await say(BEN, "/positions")
        spoil({"callback_query": {**PRESS["callback_query"], "message": 7}})
        spoil({"message": {**GOOD["message"], "text": {"a": 1}}})
        spoil({"callback_query": 7})
        await say(BEN, "/stop")
        await chat.server.seen(2, "■ Stopped")
        await chat.server.seen(2, "could not be read")
        await chat.server.seen(GROUP, "could not be read")
        told = [m for m in chat.server.room(2).seen if "could not be read" in m.text]
    assert {m.text for m in chat.heard} == {"/status", "/positions", "/stop"}
    assert list(told[0].buttons) == ["Stop"]
    assert len(told) == 1
    assert chat.foreign_orders == []
    assert chat.server.room(MALLORY.id).seen == []


@pytest.mark.parametrize("method", ["getMe", "deleteWebhook"])
@pytest.mark.parametrize("body", [b"[]", b'{"ok":true,"result":null}', b'{"ok":true,"result":7}'])
async def test_a_greeting_that_is_answered_strangely_is_made_again(
    method: str, body: bytes
) -> None:
    async with a_chat(start=False) as chat:
        chat.server.answer(method, body)
        chat.server.answer(method, body)
        await chat.server.says(BEN, "/stop")
        await chat.tick(lambda: chat.house.desk.asked, "the stop")


@pytest.mark.parametrize("body", [b"[]", b'{"ok":true,"result":null}', b'{"ok":true,"result":7}'])
async def test_an_answer_that_is_confirmed_strangely_is_said_again(body: bytes) -> None:
    async with a_chat() as chat:
        chat.server.answer("sendMessage", body)
        chat.server.answer("sendMessage", body)
        await chat.server.says(BEN, "/status")
        await chat.tick(lambda: chat.server.room(2).seen, "the answer")
