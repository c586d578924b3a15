"""Alert rules: a condition that has held long enough is told once, and tightens if it is to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from chatbot.settings import load
from chatbot.watch.rules import NUMBERS, TRUTHS, AlertCondition, AlertRule, RuleWatch, Value
from storage.memory import MemoryStore
from tests.builders import BTC, NOON, XRP
from tests.chatbot.test_side_by_side import two_traders
from tests.world import settled
from trading.accounts.recorder import Recorder
from trading.bus import Bus
from trading.clocks import ManualClock
from trading.errors import SettingsError
from trading.events import Event, RuleBroken, RuleRestored
from trading.ports import Alert

SHIPPED = Path(__file__).parents[3] / "bot.toml"


class Brakes:
    """Remembers how it was used."""

    def __init__(self) -> None:
        self.used: list[tuple[str, str, str, str]] = []
        self.broken = False

    async def pause(self, scope: str, *, by: str, why: str) -> object:
        self._use("pause", scope, by, why)
        return None

    async def stop(self, scope: str, *, by: str, why: str) -> object:
        self._use("stop", scope, by, why)
        return None

    def _use(self, *what: str) -> None:
        if self.broken:
            raise RuntimeError("the brakes are broken")
        self.used.append((what[0], what[1], what[2], what[3]))


class World:
    """A desk whose metrics are what the test says."""

    def __init__(self, *rules: AlertRule, store: MemoryStore | None = None) -> None:
        self.clock = ManualClock(NOON)
        self.store = store or MemoryStore(clock=self.clock)
        self.said: list[Event] = []
        self.values: dict[str, Value] = {"drawdown": Decimal(0), "feed_ok": True}
        self.brakes = Brakes()

        def announce(event: Event) -> list[Alert]:
            self.said.append(event)
            return []

        self.watch = RuleWatch(
            rules=rules,
            read=lambda: self.values,
            brakes=self.brakes,
            recorder=Recorder(
                store=self.store,
                bus=Bus(),
                clock=self.clock,
                announce=announce,
                offer=lambda alerts: None,
            ),
            store=self.store,
            clock=self.clock,
        )

    async def after(self, seconds: float, **values: Value) -> list[Event]:
        """So many seconds with these values; what was said in them."""
        self.values |= values
        self.said.clear()
        for _ in range(round(seconds / 5)):
            self.clock.advance(5)
            await settled()
        return list(self.said)


def a_rule(condition: str, minutes: float = 1, **changes: str) -> AlertRule:
    action = changes.get("action", "notify")
    assert action in ("notify", "pause", "stop")
    return AlertRule(
        name=changes.get("name", "a rule"),
        condition=AlertCondition.parse(condition),
        duration=timedelta(minutes=minutes),
        action=action,  # type: ignore[arg-type]  # looked at above
    )


async def running(world: World) -> asyncio.Task[None]:
    task = asyncio.create_task(world.watch.run())
    await settled()
    return task


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


# -- conditions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("error_rate > 0.01", Decimal("0.011"), True),
        ("error_rate > 0.01", Decimal("0.01"), False),
        ("error_rate >= 0.01", Decimal("0.01"), True),
        ("signal_rate<500", Decimal(499), True),
        ("signal_rate <= 500", Decimal("500.1"), False),
        ("exchange_active == false", False, True),
        ("exchange_active == false", True, False),
        ("feed_ok != true", False, True),
        ("drawdown > 0.05", None, None),
    ],
)
def test_a_condition_holds_or_not_or_is_unknown(
    text: str, value: Value, holds: bool | None
) -> None:
    assert AlertCondition.parse(text).holds(value) is holds


@pytest.mark.parametrize(
    "text",
    ["error_rate > 0.01", "feed_ok == false", "positions >= 3", "majors.drawdown > 0.05"],
)
def test_a_condition_reads_as_it_was_written(text: str) -> None:
    assert str(AlertCondition.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "write it as in"),
        ("error_rate", "write it as in"),
        ("error_rate > 0.01 or drawdown > 1", "write it as in"),
        ("eror_rate > 0.01", "there is no metric eror_rate, did you mean error_rate?; there are "),
        ("feed_ok > 1", "feed_ok is compared by == !=, not >"),
        ("feed_ok == down", "feed_ok is true or false, not down"),
        ("drawdown == 0.05", "drawdown is compared by > >= < <=, not =="),
        ("drawdown > nan", "drawdown is compared with a number, not nan"),
        ("majors.drawdwn > 1", "there is no metric drawdwn, did you mean drawdown?"),
        ("majors.loop_lag > 1", "loop_lag is of the whole desk; write it without majors."),
        ("a.majors.drawdown > 1", "write it as in"),
        ("drawdown > 5%", "drawdown is compared with a number, not 5%"),
    ],
)
def test_what_is_no_condition_is_told_with_what_is_allowed(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        AlertCondition.parse(text)


def test_the_shipped_file_lists_every_metric() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert not [name for name in (*NUMBERS, *TRUTHS) if name not in text]


def test_a_mistake_in_a_rule_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bot.toml"
    rules = """
[[alerts.rules]]
name = "one"
condition = "drawdown > 0.05"

[[alerts.rules]]
name = "two"
condition = "drawdwn > 0.05"
duration = "2w"
action = "resume"
"""
    file.write_text(SHIPPED.read_text(encoding="utf-8") + rules)
    line = file.read_text().splitlines().index('condition = "drawdwn > 0.05"') + 1

    with pytest.raises(SettingsError) as refused:
        load(file, {})

    told = refused.value.mistakes
    assert told[0].startswith(
        f'bot.toml {line}: alerts.rules[1].condition = "drawdwn > 0.05", there is no metric drawdwn'
    )
    assert "signal_rate, loop_lag" in told[0]
    assert told[1:] == [
        f'bot.toml {line + 1}: alerts.rules[1].duration = "2w", allowed "0s" to "1d"',
        f'bot.toml {line + 2}: alerts.rules[1].action = "resume", allowed notify, pause or stop',
    ]


def test_a_rule_about_a_trader_that_there_is_not_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "bot.toml"
    rule = '\n[[alerts.rules]]\nname = "one"\ncondition = "{}.drawdown > 0.05"\n'
    file.write_text(SHIPPED.read_text(encoding="utf-8") + rule.format("mayors"))

    with pytest.raises(SettingsError) as refused:
        load(file, {})

    assert refused.value.mistakes[0].endswith(
        'condition = "mayors.drawdown > 0.05", there is no [traders.mayors]; did you mean majors?'
    )
    file.write_text(SHIPPED.read_text(encoding="utf-8") + rule.format("majors"))
    assert load(file, {}).alerts.rules[0].build().scope == "majors"


def test_two_rules_of_one_name_are_refused() -> None:
    one = '{"name": "x", "condition": "drawdown > 0.05"}'
    with pytest.raises(SettingsError, match="two rules are called x"):
        load(SHIPPED, {"QUARTERDECK__ALERTS__RULES": f"[{one}, {one}]"})


# -- at work --------------------------------------------------------------------------------------


async def test_a_rule_breaks_once_after_its_duration_and_is_restored_once() -> None:
    world = World(a_rule("drawdown > 0.05"))
    task = await running(world)

    assert await world.after(60, drawdown=Decimal("0.06")) == []
    (broken,) = await world.after(300)
    assert isinstance(broken, RuleBroken)
    assert (broken.name, broken.condition, broken.value, broken.action) == (
        "a rule", "drawdown > 0.05", Decimal("0.06"), "notify",
    )  # fmt: skip
    (restored,) = await world.after(60, drawdown=Decimal("0.04"))
    assert isinstance(restored, RuleRestored)
    assert restored.lasted == timedelta(seconds=360)
    assert world.brakes.used == []
    await ended(task)


async def test_a_break_in_between_begins_the_duration_anew() -> None:
    world = World(a_rule("feed_ok == false"))
    task = await running(world)

    for _ in range(5):
        assert await world.after(55, feed_ok=False) == []
        assert await world.after(5, feed_ok=True) == []
    await ended(task)


async def test_what_is_unknown_neither_breaks_nor_restores() -> None:
    world = World(a_rule("drawdown > 0.05", 0))
    task = await running(world)

    assert await world.after(60, drawdown=None) == []
    assert len(await world.after(5, drawdown=Decimal("0.06"))) == 1
    assert await world.after(60, drawdown=None) == []
    assert len(await world.after(5, drawdown=Decimal(0))) == 1
    await ended(task)


@pytest.mark.parametrize("action", ["pause", "stop"])
async def test_a_rule_tightens_once_and_never_loosens(action: str) -> None:
    world = World(a_rule("drawdown > 0.05", 0, name="deep", action=action))
    task = await running(world)

    await world.after(60, drawdown=Decimal("0.06"))
    assert world.brakes.used == [(action, "all", "rule deep", "drawdown > 0.05")]
    await world.after(60, drawdown=Decimal(0))
    assert len(world.brakes.used) == 1
    await world.after(5, drawdown=Decimal("0.07"))
    assert len(world.brakes.used) == 2, "it broke again"
    await ended(task)


@pytest.mark.parametrize("action", ["pause", "stop"])
async def test_a_rule_about_one_trader_tightens_that_one_only(action: str) -> None:
    world = World(a_rule("majors.drawdown > 0.05", 0, name="deep", action=action))
    task = await running(world)

    assert await world.after(60, **{"drawdown": Decimal(1), "coins.drawdown": Decimal(1)}) == []
    await world.after(60, **{"majors.drawdown": Decimal("0.06")})

    assert world.brakes.used == [(action, "majors", "rule deep", "majors.drawdown > 0.05")]
    await ended(task)


async def test_a_rule_on_a_truth_tells_it_as_one() -> None:
    world = World(a_rule("feed_ok == false", 0))
    task = await running(world)

    (broken,) = await world.after(5, feed_ok=False)

    assert isinstance(broken, RuleBroken)
    assert broken.value is False
    await ended(task)


async def test_a_rule_that_fails_is_told_and_keeps_no_other_from_it() -> None:
    world = World(
        a_rule("drawdown > 0.05", 0, name="one", action="stop"),
        a_rule("drawdown > 0.05", 0, name="two"),
    )
    world.brakes.broken = True
    task = await running(world)

    said = await world.after(5, drawdown=Decimal("0.06"))

    assert [event.name for event in said if isinstance(event, RuleBroken)] == ["one", "two"]
    await ended(task)


async def test_a_restart_neither_repeats_nor_forgets_a_broken_rule() -> None:
    rule = a_rule("drawdown > 0.05", 0, action="stop")
    before = World(rule)
    task = await running(before)
    await before.after(5, drawdown=Decimal("0.06"))
    await ended(task)

    world = World(rule, store=before.store)
    task = await running(world)
    assert await world.after(60, drawdown=Decimal("0.06")) == []
    (restored,) = await world.after(5, drawdown=Decimal(0))
    assert isinstance(restored, RuleRestored)
    assert world.brakes.used == []
    await ended(task)


async def test_other_rules_take_over_while_it_runs() -> None:
    world = World(a_rule("drawdown > 0.05", 0))
    task = await running(world)
    world.watch.use([a_rule("feed_ok == false", 0, name="feed")])

    assert await world.after(5, drawdown=Decimal("0.06")) == []
    said = await world.after(5, feed_ok=False)
    assert [event.name for event in said if isinstance(event, RuleBroken)] == ["feed"]
    await ended(task)


async def test_on_a_desk_of_two_a_rule_about_one_pauses_that_one_only(tmp_path: Path) -> None:
    rule = """[{"name": "held", "condition": "minors.positions >= 1", "duration": "0s",
        "action": "pause"}]"""
    async with two_traders(tmp_path, QUARTERDECK__ALERTS__RULES=rule) as desk:
        paused = desk.app.desk.latch.covering
        await desk.buy("majors", BTC)
        assert not paused("majors")

        await desk.buy("minors", XRP)
        await desk.until(lambda: paused("minors"), step=0.1)

        assert [(h.scope, h.by) for h in paused("minors")] == [("minors", "rule held")]
        assert not paused("majors")


def test_the_world_knows_the_metrics_it_uses() -> None:
    known: Mapping[str, str] = {**NUMBERS, **TRUTHS}
    assert World().values.keys() <= known.keys()
