"""Looking after the process: settings read again, a copy of the history, the end of the log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from chatbot import logs
from chatbot.app.administration import ProcessAdministration
from chatbot.folder.state import StateFolder
from chatbot.settings import Settings, load
from handlers.caller import Role
from handlers.context import Person
from storage.memory import MemoryStore
from storage.store import SqlStore
from tests.process.desk_process import SHIPPED
from tests.process.machine import SmallDisk, can_mount
from trading.accounts.recorder import Recorder
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.errors import Refused, SettingsError
from trading.events import Event, SettingsRefused, SettingsReloaded
from trading.ports import Alert

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Desk:
    """The port on settings in a folder; remembers what was applied and what was announced."""

    def __init__(self, folder: Path, state: Path | None = None) -> None:
        self.file = folder / "bot.toml"
        self.write(SHIPPED)
        self.state = state or folder / "state"
        self.state.mkdir(exist_ok=True)
        self.applied: list[Settings] = []
        self.events: list[Event] = []
        self.clock = ManualClock(NOW)
        self.port = ProcessAdministration(
            settings=load(self.file, {}),
            folder=StateFolder(self.state),
            history=self.state / "history.db",
            recorder=Recorder(
                store=MemoryStore(clock=self.clock),
                bus=Bus(),
                clock=self.clock,
                announce=self._announce,
                offer=lambda alerts: None,
            ),
            clock=self.clock,
            chats=dict,
            people=[Person("anna", Role.OWNER, "console")],
            apply=self.applied.append,
            environ={},
        )

    def write(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")

    def change(self, *pairs: tuple[str, str]) -> None:
        text = SHIPPED
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new, 1)
        self.write(text)

    def in_force(self, key: str) -> str:
        return dict(self.port.settings())[key]

    def _announce(self, event: Event) -> list[Alert]:
        self.events.append(event)
        return []


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# -- /reload ------------------------------------------------------------------------------


async def test_limits_take_effect_and_the_change_is_told(desk: Desk) -> None:
    desk.change(
        ("max_positions = 3 ", "max_positions = 2 "), ("loss_streak = 3 ", "loss_streak = 4 ")
    )

    changes = await desk.port.reload(by="anna, console")

    assert changes == (
        "traders.majors.limits.loss_streak 3 to 4",
        "traders.majors.limits.max_positions 3 to 2",
    )
    assert desk.in_force("traders.majors.limits.max_positions") == "2"
    (applied,) = desk.applied
    assert applied.traders["majors"].limits.build().max_positions == 2
    assert desk.events == [SettingsReloaded(at=NOW, by="anna, console", changes=changes)]


async def test_limits_of_the_desk_exits_and_alerts_take_effect_too(desk: Desk) -> None:
    desk.change(
        ("# max_exposure = 0.6", "max_exposure = 0.5"),
        ("break_even = false", "break_even = true"),
        ("drawdown = 0.005", "drawdown = 0.01"),
    )

    changes = await desk.port.reload(by="anna")

    assert [change.split()[0] for change in changes] == [
        "alerts.drawdown",
        "limits.max_exposure",
        "traders.majors.exits.break_even",
    ]
    assert desk.applied[0].limits.build().max_exposure == Decimal("0.5")


async def test_the_same_settings_change_nothing_and_say_nothing(desk: Desk) -> None:
    assert await desk.port.reload(by="anna") == ()
    assert (desk.applied, desk.events) == ([], [])


async def test_a_mistake_changes_nothing_not_even_what_is_right(desk: Desk) -> None:
    desk.change(
        ("max_positions = 3 ", "max_positions = 2 "), ("loss_streak = 3 ", "loss_streak = 0 ")
    )

    with pytest.raises(SettingsError) as refused:
        await desk.port.reload(by="anna")

    (mistake,) = refused.value.mistakes
    assert "loss_streak = 0" in mistake
    assert desk.applied == []
    assert desk.in_force("traders.majors.limits.max_positions") == "3"
    assert desk.events == [SettingsRefused(at=NOW, mistakes=(mistake,))]


async def test_settings_that_are_gone_change_nothing(desk: Desk) -> None:
    desk.file.unlink()

    with pytest.raises(SettingsError, match="cannot be read"):
        await desk.port.reload(by="anna")

    assert desk.applied == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("capital = 10000", "capital = 9000", "traders.majors.capital 10000 to 9000"),
        ("fast = 12 ", "fast = 13 ", "traders.majors.parameters.fast 12 to 13"),
        ("speed = 60 ", "speed = 61 ", "feeds.crash.speed 60 to 61"),
        ('"BTC/USDT", ', "", "traders.majors.symbols"),
        (
            'reconcile_every = "1m"',
            'reconcile_every = "2m"',
            "schedule.reconcile_every 60s to 120s",
        ),
        ('state_dir = "state"', 'state_dir = "other"', "bot.state_dir"),
    ],
)
async def test_what_only_a_restart_can_change_is_refused_as_a_whole(
    desk: Desk, old: str, new: str, said: str
) -> None:
    desk.change((old, new), ("max_positions = 3 ", "max_positions = 2 "))

    with pytest.raises(SettingsError) as refused:
        await desk.port.reload(by="anna")

    (mistake,) = refused.value.mistakes
    assert mistake.startswith(said)
    assert mistake.endswith(": only at the next start")
    assert desk.applied == []
    assert desk.in_force("traders.majors.limits.max_positions") == "3"


async def test_a_further_trader_needs_a_restart(desk: Desk) -> None:
    head, _, tail = SHIPPED.partition("[traders.majors]")
    trader = "[traders.majors]" + tail.partition("[traders.smc]")[0]
    desk.write(SHIPPED + "\n" + trader.replace("traders.majors", "traders.minors"))

    with pytest.raises(SettingsError, match="only at the next start"):
        await desk.port.reload(by="anna")

    assert (head != "", desk.applied) == (True, [])


async def test_after_a_refusal_the_next_try_is_measured_by_what_is_in_force(desk: Desk) -> None:
    desk.change(("capital = 10000", "capital = 9000"))
    with pytest.raises(SettingsError):
        await desk.port.reload(by="anna")

    desk.change(("max_positions = 3 ", "max_positions = 2 "))

    assert await desk.port.reload(by="anna") == ("traders.majors.limits.max_positions 3 to 2",)


# -- /config and /who ---------------------------------------------------------------------


async def test_secrets_are_masked(desk: Desk) -> None:
    desk.change(("# ping_url", "ping_url"))
    changes = await desk.port.reload(by="anna")

    assert "example.org" not in "\n".join(changes)
    assert "example.org" not in str(desk.port.settings())
    assert desk.in_force("alerts.ping_url") == "**********"


async def test_people_are_those_with_a_role(desk: Desk) -> None:
    assert [person.name for person in desk.port.people()] == ["anna"]


# -- /backup ------------------------------------------------------------------------------


async def test_a_backup_lies_beside_the_history_under_its_date(desk: Desk) -> None:
    await (await SqlStore.open(desk.state / "history.db", clock=desk.clock)).close()

    name = (await desk.port.backup()).name

    assert name == "backups/history-2026-11-21T120000.db"
    assert (desk.state / name).exists()
    assert (desk.state / "backups").stat().st_mode & 0o777 == 0o700


async def test_two_in_a_second_are_one_and_a_refusal(desk: Desk) -> None:
    await (await SqlStore.open(desk.state / "history.db", clock=desk.clock)).close()
    await desk.port.backup()

    with pytest.raises(Refused, match=r"No backup was made: .*\.db exists"):
        await desk.port.backup()


async def test_only_the_newest_backups_stay_and_nothing_else_is_touched(desk: Desk) -> None:
    await (await SqlStore.open(desk.state / "history.db", clock=desk.clock)).close()
    backups = desk.state / "backups"
    backups.mkdir()
    mine = ["history-before-update.db", "notes.txt", "history-2020-01-01T000000.db.part"]
    for name in mine:
        (backups / name).write_text("mine")

    made = []
    for _ in range(12):
        made.append(await desk.port.backup())
        desk.clock.advance(3600)

    names = [one.name.removeprefix("backups/") for one in made]
    assert {path.name for path in backups.iterdir()} == {*mine, *names[2:]}
    assert [one.removed for one in made] == [()] * 10 + [(names[0],), (names[1],)]


async def test_a_folder_that_cannot_be_made_is_a_refusal(desk: Desk) -> None:
    (desk.state / "backups").write_text("in the way")
    with pytest.raises(Refused, match="No backup was made"):
        await desk.port.backup()


@pytest.mark.skipif(not can_mount(), reason="this machine lets nobody mount")
async def test_a_full_disk_is_a_refusal_and_leaves_nothing_half(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "state", 1_000_000)
    try:
        desk = Desk(tmp_path, disk.path)
        await (await SqlStore.open(disk.path / "history.db", clock=desk.clock)).close()
        disk.fill()

        with pytest.raises(Refused, match=r"No backup was made: .*(full|[Nn]o space)"):
            await desk.port.backup()

        assert not list(disk.path.glob("backups/*"))
    finally:
        disk.close()


# -- /log ---------------------------------------------------------------------------------


async def test_the_newest_lines_of_the_log(desk: Desk) -> None:
    folder = desk.state / "logs"
    folder.mkdir()
    entries = [
        json.dumps({"at": f"2026-11-21T12:00:0{n}.000+00:00", "level": "info", "event": f"e{n}"})
        for n in range(4)
    ]
    (folder / logs.FILE).write_text("\n".join([*entries, "no JSON", ""]), encoding="utf-8")

    assert await desk.port.log(3) == ("12:00:02 info e2", "12:00:03 info e3", "no JSON")


async def test_no_log_is_no_lines(desk: Desk) -> None:
    assert await desk.port.log(3) == ()
