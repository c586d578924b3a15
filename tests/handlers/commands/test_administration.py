"""Looking after the desk from a chat."""

from __future__ import annotations

from datetime import timedelta

import pytest

from handlers.reply import Outcome
from tests.handlers.fakes import ANNA, House
from tests.handlers.story import NOW, checked
from trading.ports import AuditEntry, Change


async def test_config_shows_the_settings_in_force_in_pages(house: House) -> None:
    house.administration.values = [(f"traders.majors.limits.k{n}", str(n)) for n in range(20)]

    first = checked(await house.say("/config", ANNA))
    last = checked(await house.say("/config 3", ANNA))

    assert first.title == "20 settings in force"
    assert first.text.splitlines()[0] == "traders.majors.limits.k0 = 0"
    assert [c.command for c in first.choices] == ["/config 2", "/status"]
    assert len(last.text.splitlines()) == 4


async def test_a_page_that_does_not_exist_is_said(house: House) -> None:
    reply = await house.say("/config 9", ANNA)

    assert reply.outcome is Outcome.REFUSED
    assert "no page 9" in reply.title


async def test_who_names_everybody_with_a_role(house: House) -> None:
    reply = checked(await house.say("/who"))

    assert reply.title == "1 person may command this desk"
    assert reply.table is not None
    assert reply.table.rows == (("anna", "owner", "Telegram"),)


async def test_the_log_shows_its_newest_lines(house: House) -> None:
    house.administration.lines = ["20:41:09 info one", "20:41:10 warning two"]

    reply = checked(await house.say("/log 1", ANNA))

    assert (reply.title, reply.text) == ("Last 1 line of the log", "20:41:10 warning two")
    assert (await House().say("/log", ANNA)).title == "The log is empty"


async def test_the_audit_shows_who_said_what_and_the_answer(house: House) -> None:
    word = AuditEntry(
        id="w1",
        at=NOW - timedelta(minutes=1),
        who="ben (telegram:7)",
        role="operator",
        where="Telegram (telegram:7)",
        said="/stop",
        outcome="done",
        answer="Stopped majors (paper)",
    )
    await house.services.store.commit(Change(audit=(word,)))

    reply = checked(await house.say("/audit 1", ANNA))

    assert reply.text.endswith("20:40:09 ben: /stop -> Stopped majors (paper)")


async def test_reload_tells_each_change(house: House) -> None:
    house.administration.changes = ("traders.majors.limits.risk_per_trade 0.003 to 0.0025",)

    reply = checked(await house.say("/reload", ANNA))

    assert reply.title == "✓ Settings reloaded: 1 change"
    assert "risk_per_trade 0.003 to 0.0025" in reply.text


async def test_reload_with_nothing_new_says_so(house: House) -> None:
    assert (await house.say("/reload", ANNA)).title == "Settings read again, nothing changed"


async def test_a_mistake_in_the_settings_changes_nothing_and_is_told(house: House) -> None:
    house.administration.mistakes = ["bot.toml 41: max_positions = 0, allowed 1 to 50"]

    reply = checked(await house.say("/reload", ANNA))

    assert reply.outcome is Outcome.REFUSED
    assert reply.title == "✕ Settings refused, the old ones hold"
    assert "bot.toml 41" in reply.text


async def test_backup_says_where(house: House) -> None:
    reply = checked(await house.say("/backup", ANNA))

    assert reply.title == "✓ Backed up to backups/history.db"
    assert "Removed" not in reply.text
    assert house.administration.asked == ["backup"]


@pytest.mark.parametrize(
    ("removed", "told"),
    [
        (("history-1.db",), "Removed, as the oldest: history-1.db. Nothing was sent."),
        (("history-1.db", "history-2.db"), "oldest: 2 of them, up to history-2.db. Nothing"),
    ],
)
async def test_backup_says_which_old_ones_went(
    house: House, removed: tuple[str, ...], told: str
) -> None:
    house.administration.removed = removed

    assert told in checked(await house.say("/backup", ANNA)).text


async def test_only_owners_look_after_the_desk(house: House) -> None:
    for command in ("/config", "/log", "/audit", "/reload", "/backup"):
        assert (await house.say(command)).title.endswith("needs owner, you are operator")
