"""Alert rules of the settings: a condition on a named metric, for how long, and what then.

A rule only tightens: it tells, pauses or stops, once each time its condition has held for its
duration.  It never lifts anything; when the condition is over it says so, and people resume.
"""

from __future__ import annotations

import difflib
import json
import logging
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal, Protocol, Self

from trading.accounts.recorder import Recorder
from trading.clocks import Clock
from trading.errors import StoreError
from trading.events import RuleBroken, RuleRestored
from trading.model.halt import EVERYONE
from trading.ports import Change, Store, WritePriority

log = logging.getLogger(__name__)

Known = Decimal | bool
Value = Known | None
"""None: unknown at the moment.  An unknown value neither breaks a rule nor mends it."""
Action = Literal["notify", "pause", "stop"]

NUMBERS: Mapping[str, str] = {
    "error_rate": "share of the questions to the venue that failed, in the last 5 min",
    "drawdown": "share below the highest equity, of the trader that has lost most",
    "day_loss": "share of the day's first equity that is lost, of the trader that has lost most",
    "exposure": "share of equity in positions and entries under way, of all traders together",
    "positions": "open at the moment",
    "price_age": "seconds since the newest price, of the trader that is worst off",
    "scan_age": "seconds since the last scan ended, of the trader that is worst off",
    "scan_seconds": "how long the last scan took, of the slowest trader",
    "signal_rate": "signals per second, in the last 5 min",
    "loop_lag": "seconds that the process was too busy to answer, the worst of the last minute",
    "outbox_waiting": "alerts that have not reached their chat",
    "history_waiting": "facts that the database has not taken yet",
}
TRUTHS: Mapping[str, str] = {
    "feed_ok": "prices come, for every trader",
    "venue_ok": "the venue answers every trader",
    "exchange_active": "the same as venue_ok",
    "chats_ok": "every chat takes its alerts",
    "store_ok": "the database takes what must be remembered",
    "traders_ok": "no trader has crashed",
    "ping_ok": "the address of alerts.ping_url answers",
    "halted": "any trader is halted",
}
"""What conditions may be about: numbers, and what is true or false."""
OF_ONE_TRADER = frozenset(
    {
        *("drawdown", "day_loss", "exposure", "positions", "price_age", "scan_age"),
        *("scan_seconds", "feed_ok", "venue_ok", "exchange_active", "traders_ok", "halted"),
    }
)
"""Those that may be asked of one trader, as in `majors.drawdown`."""

_NUMBER_SIGNS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
_TRUTH_SIGNS: Mapping[str, Callable[[object, object], bool]] = {
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_EXAMPLE = 'write it as in "error_rate > 0.01", "feed_ok == false" or "NAME.drawdown > 0.05"'


@dataclass(frozen=True, slots=True)
class AlertCondition:
    """As in `error_rate > 0.01`, `feed_ok == false` or `majors.drawdown > 0.05`."""

    metric: str
    sign: str
    bound: Decimal | bool
    trader: str = ""
    """The one that it is about; empty: the whole desk."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ValueError` with what is wrong, as a clause."""
        said = re.fullmatch(r"\s*(?:(\w+)\.)?(\w+)\s*(>=|<=|==|!=|>|<)\s*(\S+)\s*", text)
        if said is None:
            raise ValueError(_EXAMPLE)
        trader, metric, sign, bound = said[1] or "", said[2], said[3], said[4]
        if trader and metric in {*NUMBERS, *TRUTHS} - OF_ONE_TRADER:
            raise ValueError(f"{metric} is of the whole desk; write it without {trader}.")
        if metric in TRUTHS:
            _check_sign(metric, sign, _TRUTH_SIGNS)
            return cls(metric, sign, _truth(metric, bound), trader)
        if metric in NUMBERS:
            _check_sign(metric, sign, _NUMBER_SIGNS)
            return cls(metric, sign, _number(metric, bound), trader)
        known = [*NUMBERS, *TRUTHS]
        near = difflib.get_close_matches(metric, known, 1)
        meant = f", did you mean {near[0]}?" if near else ""
        raise ValueError(f"there is no metric {metric}{meant}; there are {', '.join(known)}")

    def __str__(self) -> str:
        bound = str(self.bound).lower() if isinstance(self.bound, bool) else f"{self.bound:f}"
        return f"{self.key} {self.sign} {bound}"

    @property
    def key(self) -> str:
        """Under which its value is read."""
        return f"{self.trader}.{self.metric}" if self.trader else self.metric

    def holds(self, value: Value) -> bool | None:
        """Whether it holds for *value*; None while that is unknown."""
        if value is None:
            return None
        if isinstance(value, bool) or isinstance(self.bound, bool):
            return _TRUTH_SIGNS[self.sign](value, self.bound)
        return _NUMBER_SIGNS[self.sign](value, self.bound)


def _check_sign(metric: str, sign: str, signs: Mapping[str, object]) -> None:
    if sign not in signs:
        raise ValueError(f"{metric} is compared by {' '.join(signs)}, not {sign}")


def _truth(metric: str, bound: str) -> bool:
    if bound not in ("true", "false"):
        raise ValueError(f"{metric} is true or false, not {bound}")
    return bound == "true"


def _number(metric: str, bound: str) -> Decimal:
    try:
        value = Decimal(bound)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite():
        raise ValueError(f"{metric} is compared with a number, not {bound}")
    return value


# -- at work --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    name: str
    condition: AlertCondition
    duration: timedelta
    action: Action = "notify"

    @property
    def scope(self) -> str:
        """Whom its action is for: the trader that its condition names, or all of them."""
        return self.condition.trader or EVERYONE

    @property
    def key(self) -> str:
        """What makes it the same rule after a restart."""
        return f"{self.name}|{self.condition}|{self.action}"


class Brakes(Protocol):
    """What a rule may do to the desk: tighten."""

    async def pause(self, scope: str, *, by: str, why: str) -> object: ...

    async def stop(self, scope: str, *, by: str, why: str) -> object: ...


NOTE = "rules_broken"
"""Which rules are broken, and since when: a restart neither repeats nor forgets them."""


class RuleWatch:
    """Evaluates the rules every few seconds."""

    def __init__(
        self,
        *,
        rules: Sequence[AlertRule],
        read: Callable[[], Mapping[str, Value]],
        brakes: Brakes,
        recorder: Recorder,
        store: Store,
        clock: Clock,
        every: float = 5.0,
    ) -> None:
        """*every*: seconds between two looks."""
        self._rules = tuple(rules)
        self._read = read
        self._brakes = brakes
        self._recorder = recorder
        self._store = store
        self._clock = clock
        self._every = every
        self._holds_since: dict[str, float] = {}
        """Monotonic; of rules whose condition holds."""
        self._broken: dict[str, datetime] = {}
        """Since when, wall time; of rules that were told."""

    def use(self, rules: Sequence[AlertRule]) -> None:
        """Go by other rules from now on; what is the same goes on as it was."""
        self._rules = tuple(rules)

    async def run(self) -> None:
        """Evaluate until cancelled."""
        await self.load()
        while True:
            await self._clock.beat(self._every)
            await self.look()

    async def load(self) -> None:
        """Take over which rules were broken when the process ended."""
        try:
            kept = json.loads(await self._store.note(NOTE) or "{}")
        except StoreError as error:
            log.warning("which rules were broken is not known: %s", error)
            return
        self._broken = {key: datetime.fromisoformat(since) for key, since in kept.items()}

    async def look(self) -> None:
        """Evaluate every rule once; one that fails does not keep the others from it."""
        if not self._rules:
            return
        values = self._read()
        for rule in list(self._rules):
            try:
                await self._judge(rule, values.get(rule.condition.key))
            except Exception:
                log.exception("the rule %s could not be carried out", rule.name)

    async def _judge(self, rule: AlertRule, value: Value) -> None:
        holds = rule.condition.holds(value)
        if holds is None or value is None:
            return
        if not holds:
            self._holds_since.pop(rule.key, None)
            await self._restore(rule)
            return
        now = self._clock.monotonic()
        since = self._holds_since.setdefault(rule.key, now)
        if now - since >= rule.duration.total_seconds() and rule.key not in self._broken:
            self._broken[rule.key] = self._clock.now() - timedelta(seconds=now - since)
            await self._act(rule, value)

    async def _act(self, rule: AlertRule, value: Known) -> None:
        """Tighten first, tell second."""
        try:
            await self._tighten(rule)
        finally:
            await self._note(
                RuleBroken(
                    at=self._clock.now(),
                    name=rule.name,
                    condition=str(rule.condition),
                    value=value,
                    action=rule.action,
                )
            )

    async def _tighten(self, rule: AlertRule) -> None:
        by, why = f"rule {rule.name}", str(rule.condition)
        if rule.action == "pause":
            await self._brakes.pause(rule.scope, by=by, why=why)
        elif rule.action == "stop":
            await self._brakes.stop(rule.scope, by=by, why=why)

    async def _restore(self, rule: AlertRule) -> None:
        since = self._broken.pop(rule.key, None)
        if since is not None:
            now = self._clock.now()
            await self._note(
                RuleRestored(
                    at=now, name=rule.name, condition=str(rule.condition), lasted=now - since
                )
            )

    async def _note(self, event: RuleBroken | RuleRestored) -> None:
        kept = json.dumps({key: since.isoformat() for key, since in self._broken.items()})
        await self._recorder.keep(Change(notes=((NOTE, kept),)), WritePriority.REST, event)
