"""`[alerts]`: what is told, when, and the operator's own rules."""

from __future__ import annotations

from datetime import time, timedelta, tzinfo
from decimal import Decimal
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    field_validator,
)

from chatbot.delivery.bursts import QuietHours
from chatbot.settings.values import (
    ClockTime,
    Duration,
    LevelName,
    Section,
    Share,
    Wrong,
    span,
    web_address,
)
from chatbot.watch.rules import Action, AlertCondition, AlertRule


def _condition(value: object) -> AlertCondition:
    if not isinstance(value, str):
        raise Wrong("a text is wanted")
    try:
        return AlertCondition.parse(value)
    except ValueError as error:
        raise Wrong(str(error)) from None


class RuleSettings(Section):
    """As `chatbot.watch.rules` carries it out."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9 _-]{0,22}[A-Za-z0-9])?$",
        description='1 to 24 letters, digits, " ", "_" or "-"',
    )
    condition: Annotated[AlertCondition, BeforeValidator(_condition), PlainSerializer(str)] = Field(
        description='as in "error_rate > 0.01" or "feed_ok == false"'
    )
    duration: Duration = Field(timedelta(minutes=1), ge=timedelta(0), le=timedelta(days=1))
    action: Action = "notify"

    def build(self) -> AlertRule:
        return AlertRule(
            name=self.name, condition=self.condition, duration=self.duration, action=self.action
        )


class AlertSettings(Section):
    drawdown: Share = Field(Decimal("0.05"), gt=0, le=Decimal("0.5"))
    console: LevelName = "info"
    quiet: Annotated[tuple[time, time], BeforeValidator(span)] | None = Field(
        None, description='two different times of the day, as in "23:00-07:00"'
    )
    escalate_after: Duration | None = Field(None, ge=timedelta(minutes=1), le=timedelta(days=1))
    heartbeat: ClockTime | None = Field(None, description='a time of the day, as in "08:00"')
    ping_url: Annotated[SecretStr, AfterValidator(web_address)] | None = Field(
        None, description="an address that begins with https:// or http://"
    )
    rules: tuple[RuleSettings, ...] = Field(
        (), max_length=50, description="at most 50 sections [[alerts.rules]]"
    )

    @field_validator("rules")
    @classmethod
    def _each_name_once(cls, rules: tuple[RuleSettings, ...]) -> tuple[RuleSettings, ...]:
        names = [rule.name for rule in rules]
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice:
            raise Wrong(f"two rules are called {twice}")
        return rules

    def quiet_hours(self, zone: tzinfo) -> QuietHours | None:
        return None if self.quiet is None else QuietHours(*self.quiet, zone)
