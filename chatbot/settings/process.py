"""`[bot]` and `[schedule]`: the process itself."""

from __future__ import annotations

from datetime import UTC, timedelta, tzinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from chatbot.settings.values import Duration, Section, Whole


def _timezone(value: str) -> str:
    try:
        return value if value == "UTC" else ZoneInfo(value).key
    except (LookupError, ValueError, OSError):
        raise ValueError("not a time zone") from None


class Bot(Section):
    name: str = Field(
        "harbour", pattern=r"^\S(.{0,30}\S)?$", description="1 to 32 characters on one line"
    )
    state_dir: str = Field("state", min_length=1, description="a folder")
    timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        "UTC", description='a zone of the tz database, as in "UTC" or "Europe/Berlin"'
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    keep_backups: Whole = Field(10, ge=1, le=1000)

    @property
    def zone(self) -> tzinfo:
        """Where the trading day begins at 00:00; UTC works without a tz database."""
        return UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)


class ScheduleSettings(Section):
    misfire_grace: Duration = Field(
        timedelta(minutes=1), ge=timedelta(seconds=1), le=timedelta(hours=1)
    )
    reconcile_every: Duration = Field(
        timedelta(minutes=1), ge=timedelta(seconds=5), le=timedelta(hours=1)
    )
