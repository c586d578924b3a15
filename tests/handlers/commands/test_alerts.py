"""What a chat is told, as people ask for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from handlers.alert_prefs import Unanswered
from handlers.commands.alerts import KINDS, last, spoken
from handlers.reply import Level, Outcome, Reply, dump
from tests.builders import a_quote
from tests.handlers.fakes import ANNA, BEN, CLEO, House
from tests.handlers.story import BTC, ETH, RULES, at, checked, reads, shown
from trading.accounts.views import Price
from trading.ports import Alert


@pytest.fixture
def house() -> House:
    house = House()
    for symbol, now in ((BTC, "117050.0"), (ETH, "4016.00")):
        house.trader.prices[symbol] = Price(
            symbol=symbol,
            rules=RULES[symbol],
            quote=a_quote(symbol=symbol, price=Decimal(now)),
            age=timedelta(seconds=1),
            stale=False,
            day_open=None,
        )
    return house


def an_alert(number: int, title: str, *, to: str = BEN.chat) -> Alert:
    body = dump(Reply(title=title))
    return Alert(id=str(number), to=to, level=20, kind="FeedLost", at=at("20:50"), body=body)


HALTED = Unanswered(
    id="A3", title="■ Halted majors (paper) by guard", at=at("20:40"), chats=(BEN.chat,)
)
BARE = Unanswered(id="A4", title="⚠ SOL unprotected (paper)", at=at("20:41"), chats=(BEN.chat,))


# -- /alerts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("many", [1, 3, 9])
async def test_alerts_and_status_name_the_chats_that_hear_nothing(house: House, many: int) -> None:
    house.administration.problems = {"Telegram": "", "Discord": ""} | {
        f"Telegram chat -100{n}": "lost 12 min ago, the user has blocked the bot"
        for n in range(many)
    }

    told = checked(await house.say("/alerts"))
    assert "Telegram chat -1000: lost 12 min ago, the user has blocked the bot" in told.text
    assert told.text.count("lost 12 min ago") == min(many, 3)
    assert ("And 6 chats more that hear nothing." in told.text) == (many == 9)
    assert told.level is Level.URGENT

    told = checked(await house.say("/status"))
    need = "Telegram chat -1000 needs you" if many == 1 else f"{many} chats need you"
    assert told.title == f"⚠ Trading (paper), {need}"
    assert "Telegram chat -1000: lost 12 min ago, the user has blocked the bot" in told.lead
    assert "Telegram, Discord: ok" in told.text


async def test_alerts_tells_what_this_chat_hears(house: House) -> None:
    house.notices.chats[BEN.chat] = replace(
        house.notices.chats[BEN.chat],
        muted=frozenset({"StopMoved"}),
        quiet="23:00-07:00",
        zone="UTC",
    )

    reads(
        await house.say("/alerts"),
        """
This chat: info and up, sound from urgent
Quiet 23:00-07:00 UTC. Muted: stop moved. Queued 0.
[Urgent only: /alerts level urgent] [Last 5: /alerts last 5]
""",
    )


async def test_alerts_says_when_something_critical_waits_for_an_answer(house: House) -> None:
    house.notices.open = [HALTED]

    reads(
        await house.say("/alerts"),
        """
This chat: info and up, sound from urgent
No quiet hours. Muted: nothing. Queued 0.
1 critical alert waits for an answer.
[Acknowledge: /ack] [Urgent only: /alerts level urgent] [Last 5: /alerts last 5]
""",
    )


async def test_a_level_is_chosen_for_one_chat(house: House) -> None:
    reply = await house.say("/alerts level critical")

    assert reply.title == "✓ This chat: critical, sound from critical"
    assert house.notices.chats[BEN.chat].at_least is Level.CRITICAL
    assert house.notices.chats["console:"].at_least is Level.INFO
    assert any(c.command == "/alerts level info" for c in reply.choices)


@pytest.mark.parametrize("words", ["stop moved", "StopMoved", "stop_moved", "Stop Moved"])
async def test_a_kind_is_muted_in_any_spelling(house: House, words: str) -> None:
    reply = await house.say(f"/alerts mute {words}")

    assert "Muted: stop moved." in reply.text
    assert house.notices.chats[BEN.chat].muted == {"StopMoved"}
    assert "Muted: nothing." in (await house.say(f"/alerts unmute {words}")).text


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("/alerts mute", "No alert is called nothing, but as in stop moved"),
        ("/alerts mute moved", "No alert is called moved; perhaps stop moved"),
        ("/alerts level loud", "Level is info, notice, urgent or critical, not loud"),
        ("/alerts last many", "Last is followed by a number, not many"),
        ("/alerts louder", "What is last, level, mute or unmute, not louder"),
    ],
)
async def test_what_is_not_understood_changes_nothing(house: House, typed: str, told: str) -> None:
    before = dict(house.notices.chats)

    assert (await house.say(typed)).title == f"✕ {told}"
    assert house.notices.chats == before


async def test_a_viewer_looks_and_changes_nothing(house: House) -> None:
    house.notices.chats[CLEO.chat] = replace(house.notices.chats[BEN.chat], chat=CLEO.chat)

    assert (await house.say("/alerts", CLEO)).outcome is Outcome.DONE
    refused = await house.say("/alerts level critical", CLEO)
    assert refused.title == "✕ /alerts level needs operator, you are viewer"


async def test_a_chat_without_alerts_is_told_so(house: House) -> None:
    assert (await house.say("/alerts", CLEO)).title.startswith("✕ This chat is told no alerts")


async def test_the_socket_asks_about_the_console(house: House) -> None:
    owner = replace(ANNA, user="local:1000", place="terminal", chat="local:1000")

    await house.say("/alerts level notice", owner)

    assert house.notices.chats["console:"].at_least is Level.NOTICE


async def test_the_last_alerts_are_told_newest_first(house: House) -> None:
    house.notices.alerts = [an_alert(2, "✓ Feed back after 9 s"), an_alert(1, "⚠ Feed lost")]

    reads(
        await house.say("/alerts last 7"),
        """
Last 2 alerts, newest first, UTC
20:50:00 ✓ Feed back after 9 s
20:50:00 ⚠ Feed lost
[Status]
""",
    )


async def test_what_does_not_fit_is_on_the_next_page(house: House) -> None:
    long = "Closed SOL short at target (paper), +33.27 USDT (+3.40 %) and more words"
    house.notices.alerts = [an_alert(n, f"{n} {long}") for n in range(9)]

    first = await house.say("/alerts last 9")
    second = await house.press("Older", first)

    assert first.title == "Last 9 alerts, 1 to 6, newest first, UTC"
    assert second.title == "Last 9 alerts, 7 to 9, newest first, UTC"
    assert [line.split()[1] for r in (first, second) for line in r.text.split("\n")] == [
        str(n) for n in range(9)
    ]


def test_an_alert_that_cannot_be_read_is_named_all_the_same() -> None:
    broken = replace(an_alert(1, "x"), body="?")
    assert "feed lost" in shown(checked(last([broken], 1)))


def test_no_alert_is_no_fault() -> None:
    assert checked(last([], 1)).title == "No alert yet in this chat"


def test_kinds_are_words_that_people_type() -> None:
    assert KINDS[spoken("StopMoved")] == "StopMoved"
    assert "cycle ended" not in KINDS, "nobody is told of it anyway"


# -- /ack -----------------------------------------------------------------------------------------


async def test_ack_names_what_was_seen(house: House) -> None:
    house.notices.open = [HALTED, BARE]

    reads(
        await house.say("/ack a3"),
        """
✓ Acknowledged A3, by ben, Telegram
20:40:00 ■ Halted majors (paper) by guard
Nothing was sent; what is halted stays halted.
[Status]
""",
    )
    assert house.notices.acknowledged == [("A3", "ben, Telegram")]


async def test_ack_alone_takes_all(house: House) -> None:
    house.notices.open = [replace(HALTED, id=f"A{n}") for n in range(1, 9)]

    reply = await house.say("/ack")

    assert reply.title == "✓ Acknowledged 8 critical alerts, by ben, Telegram"
    assert "And " in reply.text
    assert house.notices.open == []


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("/ack", "Nothing waits to be acknowledged"),
        ("/ack A9", "✕ A9 does not wait to be acknowledged"),
    ],
)
async def test_ack_of_nothing_says_so(house: House, typed: str, told: str) -> None:
    assert (await house.say(typed)).title == told


async def test_a_viewer_cannot_answer_for_the_desk(house: House) -> None:
    house.notices.open = [HALTED]
    assert (await house.say("/ack", CLEO)).outcome is Outcome.REFUSED
    assert house.notices.open == [HALTED]


# -- /notify --------------------------------------------------------------------------------------


async def test_a_price_is_waited_for(house: House) -> None:
    reads(
        await house.say("/notify BTC above 118,000"),
        """
✓ Told once when BTC is above 118,000
Now 117,050.0, looked at as each candle closes. Nothing is traded on it.
[Take it back: /notify off 1] [All: /notify]
""",
    )
    (notice,) = house.notices.prices
    assert (notice.symbol, notice.above, notice.level) == (BTC, True, Decimal(118_000))
    assert (notice.by, notice.chat) == ("ben, Telegram", BEN.chat)


async def test_where_nothing_can_be_told_later_the_answer_says_who_is_told(house: House) -> None:
    told = "This place cannot be written to: the chats that hear alerts are told."
    assert told not in (await house.say("/notify BTC above 118000", CLEO)).text
    house.notices.unreachable.add(BEN.chat)
    assert told in (await house.say("/notify BTC above 118001", BEN)).text


async def test_notify_alone_lists_and_off_takes_back(house: House) -> None:
    await house.say("/notify BTC above 118000")
    await house.say("/notify ETH below 3,500.5", CLEO)

    reads(
        await house.say("/notify"),
        """
2 prices are waited for
1: BTC above 118,000, ben, Telegram
2: ETH below 3,500.5, cleo, Telegram
[Off 1: /notify off 1] [Off 2: /notify off 2]
""",
    )
    reads(
        await house.say("/notify off 1"),
        """
✓ Price notice 1 is off
2: ETH below 3,500.5, cleo, Telegram
[Off 2: /notify off 2]
""",
    )
    assert (await house.say("/notify off 1")).title == "✕ There is no price notice 1"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("/notify BTC above 100", "BTC is above 100 already, at 117,050.0"),
        ("/notify BTC below 118000", "BTC is below 118,000 already, at 117,050.0"),
        ("/notify BTC over 118000", "Way is above or below, not over"),
        ("/notify BTC", "Way is above or below, not nothing"),
        ("/notify BTC above", "Price is a number above 0 such as 42000, not nothing"),
        ("/notify BTC above 1e99", "Price is a number above 0 such as 42000, not 1e99"),
        ("/notify BTC above inf", "Price is a number above 0 such as 42000, not inf"),
        (
            "/notify GOLD above 1",
            "GOLD is not traded here; here is ADA, BTC, ETH, LINK, SOL and",
        ),
        ("/notify off x", "Off is followed by a number, as in /notify off 3"),
    ],
)
async def test_a_price_that_cannot_be_waited_for(house: House, typed: str, told: str) -> None:
    reply = await house.say(typed)

    assert reply.outcome is Outcome.REFUSED
    assert reply.title.startswith(f"✕ {told}")
    assert house.notices.prices == []


async def test_many_prices_still_fit_a_screen(house: House) -> None:
    for number in range(40):
        await house.say(f"/notify BTC above {200_000 + number}")

    assert "And " in (await house.say("/notify")).text
