"""One boundary: whatever is said, and whatever breaks, there is an answer, and a stop stops."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.audit import kept
from handlers.line import split
from handlers.message import Message, read
from handlers.reply import Level, Outcome
from tests.builders import a_word
from tests.handlers.fakes import ANNA, BEN, CLEO, House
from tests.handlers.story import COMMANDS, NOW, SOL, checked, reads, shown
from tests.waiting import PATIENCE
from trading.errors import (
    Refused,
    StoreError,
    VenueRejected,
    VenueUnavailable,
    VenueUncertain,
)

CLOSE = "/close SYMBOL [share], as in /close"
RESUME = "/resume [halt] [rebase], as in /resume"
POSITION = "/position SYMBOL, as in /position"
TRADES = "/trades [n] [page], as in /trades"
HERE = "ADA, BTC, ETH, LINK, SOL and XRP"


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("/status", "status", []),
        ("  /STOP  ", "stop", []),
        ("stop", "stop", []),
        ("/stop@harbour_bot now", "stop", ["now"]),
        ("Stop!", "stop", []),
        ("stop… now", "stop", ["now"]),
        ("“Stop”", "stop", []),
        ("/stop\u200b", "stop", []),
        ("/stop_loss SOL 200", "stop_loss", ["SOL", "200"]),
        ("/ stop", "stop", []),
        ("/close SOL 50 %", "close", ["SOL", "50%"]),
        ("/stop\nall of it", "stop", ["all", "of", "it"]),
        ("", "help", []),
        ("/", "help", []),
    ],
)
def test_words_are_read_with_tolerance(text: str, name: str, words: list[str]) -> None:
    assert split(text) == (name, words)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("/postions", "✕ No /postions. Did you mean /positions?\n[Positions]"),
        ("/clsoe SOL 50%", "✕ No /clsoe. Did you mean /close?\n[Close: /close SOL 50%]"),
        ("/xyzzy", "✕ No /xyzzy\n[Help]"),
        ("hello", "✕ No /hello\n[Help]"),
        ("/resme", "✕ No /resme. Did you mean /resume?\n[Resume]"),
        (
            "/close SOL 150%",
            f"✕ Share is 1 to 100 %, not 150 %\nNothing was sent. {CLOSE} SOL 50%",
        ),
        (
            "/close",
            f"✕ /close needs SYMBOL\nNothing was sent. {CLOSE} BTC 50%",
        ),
        (
            "/close LTC",
            f"✕ LTC is not traded here; here is {HERE}\nNothing was sent. {CLOSE} BTC 50%",
        ),
        ("/close XRP", "✕ No position in XRP is open (paper)\nNothing was sent."),
        ("/position", f"✕ /position needs SYMBOL\nNothing was sent. {POSITION} BTC"),
        ("/trades 9", f"✕ N is 1 to 8, not 9\nNothing was sent. {TRADES} 8 2"),
        ("/why", "✕ /why needs SYMBOL\nNothing was sent. /why SYMBOL [n], as in /why BTC 5"),
        ("/status now", "✕ /status does not take “now”\nNothing was sent. /status"),
        (
            "/resume soon",
            f"✕ Halt is a number such as H17, not soon\nNothing was sent. {RESUME} H17",
        ),
        ("/resume H99", "✕ There is no halt H99\nNothing was sent."),
        ("/positions 9", "✕ There is no page 9: 3 positions are open\nNothing was sent."),
        ("/shutdown", "✕ /shutdown needs owner, you are operator\nNothing was sent."),
        ("/help nothing", "✕ There is no /nothing to explain\nNothing was sent."),
        ("/positions trader=x", "✕ There is no trader x; there is majors\nNothing was sent."),
    ],
)  # fmt: skip
async def test_every_mistake_gets_a_helpful_answer(house: House, said: str, answer: str) -> None:
    reply = await house.say(said)

    assert shown(reply) == answer
    assert reply.outcome is Outcome.REFUSED
    assert house.desk.asked == house.trader.asked == []


@pytest.mark.parametrize("said", ["/flatten", "/stop", "/pause", "/close SOL", "/resume"])
async def test_a_viewer_is_refused(house: House, said: str) -> None:
    reply = await house.say(said, CLEO)

    name = said.split(maxsplit=1)[0]
    reads(reply, f"✕ {name} needs operator, you are viewer\nNothing was sent.")
    assert house.desk.asked == []


def is_no_echo(text: str) -> bool:
    """Answers repeat what was typed: `nan` in them is then no fault of ours."""
    return re.search(r"nan|none|-0\.00", text.lower()) is None


@given(st.text(max_size=80).filter(is_no_echo))
def test_whatever_is_said_is_answered(text: str) -> None:
    async def say() -> None:
        house = House()
        checked(await house.say(text, ANNA))
        await house.dispatcher.settle()

    asyncio.run(say())


# -- what breaks --------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["/positions", "positions"])
async def test_a_fault_of_ours_has_a_reference_that_finds_the_traceback(
    said: str, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.trader.broken = RuntimeError("boom")

    reply = await house.say(said)

    reads(
        reply,
        f"✕ /positions failed, reference {reply.reference}\n"
        "Trading goes on.\n[Again: /positions] [Status]",
    )
    assert reply.outcome is Outcome.FAILED
    assert len(reply.reference) == 6
    assert reply.reference in caplog.text
    assert "boom" in caplog.text
    assert caplog.records[-1].levelno == logging.ERROR


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (VenueUnavailable("connection refused"), "✕ The venue does not answer /positions"),
        (VenueRejected("no such market"), "✕ The venue refused /positions"),
        (VenueUncertain("timed out"), "? Unknown: no clear answer to /positions"),
        (StoreError("disk full"), "✕ History does not answer"),
        (Refused("entries are blocked by a halt"), "✕ Entries are blocked by a halt"),
        (Refused("because " + "of this and that, " * 5), "✕ /positions was refused"),
    ],
)
async def test_each_kind_of_failure_has_its_sentence(
    house: House, error: Exception, title: str
) -> None:
    house.trader.broken = error

    assert (await house.say("/positions")).title == title


async def test_a_stop_that_breaks_says_whether_entries_are_blocked(house: House) -> None:
    house.desk.broken = RuntimeError("boom")

    before = await house.say("/stop")
    house.desk.broken = None
    await house.say("/stop")
    house.desk.broken = RuntimeError("boom")
    after = await house.say("/stop")

    assert before.text == "Nothing is blocked: trading goes on."
    assert before.level is Level.CRITICAL
    assert "[Again: /stop]" in shown(before)
    assert after.text.startswith("Entries are blocked;")


async def test_a_stop_that_cannot_be_described_is_told_as_done(house: House) -> None:
    house.trader.broken = RuntimeError("the books are not there yet")

    reply = await house.say("/stop")

    assert house.desk.asked == [("stop", "majors", "ben, Telegram", "/stop")]
    assert reply.title.startswith("■ Stopped")
    assert "positions and their stops stay; exits go on" in reply.text


async def test_a_stop_works_before_there_is_any_trader() -> None:
    house = House()
    house.desk.traders.clear()

    reply = await house.say("/stop")

    assert house.desk.asked == [("stop", "all", "ben, Telegram", "/stop")]
    assert reply.outcome is Outcome.DONE


# -- late words ---------------------------------------------------------------------------


async def test_a_late_resume_is_refused_and_a_late_stop_is_not(house: House) -> None:
    stopped = await house.say("/stop", late=3_600)
    late = await house.say("/resume", late=61)

    assert stopped.title == "■ Stopped majors (paper), by ben, Telegram"
    reads(
        late,
        "✕ /resume was said 1 min ago, too late to act on\n"
        "Nothing was sent. What loosens or spends counts for 60 s.\n[Ask again: /resume]",
    )
    assert (await house.say("/resume", late=59)).outcome is Outcome.CONFIRM


@pytest.mark.parametrize("age", [28, 59, 60])
async def test_what_was_said_within_a_minute_acts_whatever_is_known_of_its_time(
    house: House, age: int
) -> None:
    await house.say("/stop")
    said = Message(BEN, "/resume", NOW - timedelta(seconds=age), timed=False)
    assert (await house.dispatcher.handle(said)).outcome is Outcome.CONFIRM


async def test_of_a_press_whose_time_nobody_knows_no_age_is_told(house: House) -> None:
    await house.say("/stop")
    said = Message(BEN, "/resume", NOW - timedelta(seconds=61), timed=False)
    told = await house.dispatcher.handle(said)
    assert told.title == "✕ When /resume was pressed is not known: it may be too late to act on"


async def test_a_late_pause_pauses(house: House) -> None:
    await house.say("/pause", late=86_400)

    assert house.desk.asked == [("pause", "majors", "ben, Telegram", "/pause")]


# -- once ---------------------------------------------------------------------------------


async def test_the_same_message_twice_acts_once(house: House) -> None:
    first = await house.say("/stop", key="telegram:7")
    second = await house.say("/stop", key="telegram:7")

    assert len(house.desk.asked) == 1
    assert second.title == first.title
    assert second.text == "This came twice, and acted once."


async def test_the_same_message_twice_at_once_acts_once(house: House) -> None:
    answers = await asyncio.gather(*(house.say("/stop", key="telegram:7") for _ in range(5)))

    assert len(house.desk.asked) == 1
    assert {a.title for a in answers} == {"■ Stopped majors (paper), by ben, Telegram"}


async def test_a_message_answered_before_a_restart_acts_once(house: House) -> None:
    house.store.kept["telegram:7"] = a_word(
        id="telegram:7", said="/shutdown", outcome="confirm", answer="⚠ End the process?"
    )

    reply = await house.say("/shutdown", ANNA, key="telegram:7")

    assert (reply.title, reply.outcome) == ("⚠ End the process?", Outcome.CONFIRM)
    assert reply.choices == ()


async def test_what_was_refused_may_be_pressed_again_and_is_audited_both_times(
    house: House,
) -> None:
    await house.say("/stop")
    refused = await house.say("/resume", CLEO, key="press:7")
    asked = await house.say("/resume", key="press:7")

    assert (refused.outcome, asked.outcome) == (Outcome.REFUSED, Outcome.CONFIRM)
    await house.dispatcher.settle()
    assert [word.outcome for word in house.store.written] == ["done", "refused", "confirm"]
    assert [w.outcome for w in house.store.written if w.id == "press:7"] == ["confirm"]


async def test_a_question_that_comes_twice_is_the_same_question(house: House) -> None:
    first = await house.say("/flatten", key="press:7")
    second = await house.say("/flatten", key="press:7")

    assert second == first


async def test_two_messages_are_two_acts(house: House) -> None:
    await house.say("/stop", key="telegram:7")
    again = await house.say("/stop", key="telegram:8")

    assert len(house.desk.asked) == 2
    assert again.title.startswith("■ Already stopped")


# -- the audit ----------------------------------------------------------------------------


async def test_everything_said_is_audited(house: House) -> None:
    await house.say("/stop news", key="telegram:7")
    await house.say("/flatten", CLEO)
    await house.dispatcher.settle()

    stop, flatten = house.store.written
    assert (stop.id, stop.said, stop.outcome) == ("telegram:7", "/stop news", "done")
    assert (stop.who, stop.where, stop.role) == (
        "ben (telegram:2)",
        "Telegram (telegram:2)",
        "operator",
    )
    assert stop.answer == "■ Stopped majors (paper), by ben, Telegram"
    assert (flatten.who, flatten.outcome) == ("cleo (telegram:3)", "refused")
    assert flatten.id not in {"", stop.id}


async def test_what_is_said_is_made_clean_before_anybody_reads_it(house: House) -> None:
    reply = await house.say("/st\0op b\udcf6se \u202eodd", key="telegram:\ud83d")
    await house.dispatcher.settle()

    assert reply.outcome is Outcome.DONE
    (word,) = house.store.written
    assert (word.said, word.id) == ("/stop b\ufffdse odd", "telegram:\ufffd")


async def test_a_history_that_hangs_never_delays_a_stop(house: House) -> None:
    house.store.hanging = True

    async with asyncio.timeout(PATIENCE):
        reply = await house.say("/stop", key="telegram:7")

    assert reply.title.startswith("■ Stopped majors")
    assert house.desk.asked


async def test_a_history_that_hangs_delays_other_acts_by_a_second_at_most(house: House) -> None:
    house.store.hanging = True
    asking = asyncio.create_task(house.say("/flatten", key="telegram:7"))

    waited = 0
    while not asking.done() and waited < 10:
        for _ in range(10):
            await asyncio.sleep(0)
        house.clock.advance(1)
        waited += 1
    reply = await asking

    # Once for looking whether it was answered before, once for the audit.
    assert waited <= 3
    assert reply.outcome is Outcome.CONFIRM


@pytest.mark.parametrize("error", [StoreError("disk full"), RuntimeError("boom")])
async def test_a_history_that_fails_fails_no_command(
    house: House, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    house.store.broken = error

    stopped = await house.say("/stop", key="telegram:7")
    asked = await house.say("/flatten", key="telegram:8")
    await house.dispatcher.settle()

    assert (stopped.outcome, asked.outcome) == (Outcome.DONE, Outcome.CONFIRM)
    assert "not audited: ben (telegram:2) said '/stop'" in caplog.text


async def test_an_act_goes_on_when_whoever_asked_hangs_up(house: House) -> None:
    asking = asyncio.create_task(house.say("/stop", BEN))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await house.dispatcher.settle()

    assert house.desk.asked == [("stop", "majors", "ben, Telegram", "/stop")]
    assert [w.said for w in house.store.written] == ["/stop"]


async def test_a_symbol_that_is_still_held_but_no_longer_traded_can_be_closed(
    house: House,
) -> None:
    house.trader.symbols = tuple(s for s in house.trader.symbols if s != SOL)

    assert (await house.say("/close SOL")).outcome is Outcome.CONFIRM


async def test_nobody_is_offered_what_would_only_be_refused(house: House) -> None:
    seen = {who.name: {c.label for c in (await house.say("/status", who)).choices} for who in
            (CLEO, BEN)}  # fmt: skip

    assert {"Stop", "Pause"} <= seen["ben"]
    assert not {"Stop", "Pause"} & seen["cleo"]
    assert "Refresh" in seen["cleo"]


def test_digits_of_a_second_factor_are_not_kept_however_the_word_is_mistyped() -> None:
    assert kept(read(COMMANDS, "/confirm 7K3Q 123456")) == "/confirm 7K3Q ***"
    assert kept(read(COMMANDS, "/confrim 7K3Q 123 456")) == "/confrim 7K3Q ***"
    assert kept(read(COMMANDS, "7K3Q 123456")) == "7K3Q ***"


@pytest.mark.parametrize(
    "said", ["/notify BTC above 123456", "/buy LINK 100000", "/sell DOGE 1000000"]
)
def test_how_much_was_asked_for_is_kept(said: str) -> None:
    assert kept(read(COMMANDS, said)) == said


@pytest.mark.parametrize(
    "said",
    [
        "123456",
        "123 456",
        " /123456",
        "12-34-56",
        "`123456`",
        "\uff11\uff12\uff13\uff14\uff15\uff16",
    ],
)
async def test_digits_alone_are_neither_kept_nor_repeated(house: House, said: str) -> None:
    reply = await house.say(said)
    await house.dispatcher.settle()

    assert reply.title == "✕ Digits alone answer no question: /confirm CODE DIGITS"
    (word,) = house.store.written
    assert not any(c.isdigit() for c in word.said + word.answer)
