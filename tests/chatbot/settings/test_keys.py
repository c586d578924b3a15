"""A limit is added in one line: what it may be set to stands beside what is usual."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

import pytest
from pydantic import ValidationError

from chatbot.settings.keys import keys_of
from chatbot.settings.values import Section
from tests.architecture.source import ROOT, files
from trading.risk.allowed import count, share, span
from trading.risk.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreLimits(Limits):
    """As if somebody had added three."""

    max_wonders: Annotated[int, count(7)] = 3
    max_awe: Annotated[Decimal | None, share("0.1")] = None
    wonder_rest: Annotated[timedelta, span(timedelta(0), timedelta(hours=1))] = timedelta(minutes=1)


@keys_of(MoreLimits)
class MoreKeys(Section):
    """What `bot.toml` takes then."""


def test_a_new_limit_is_a_key_with_its_usual_value() -> None:
    usual = MoreKeys.model_validate({}).model_dump()
    assert {name: usual[name] for name in ("max_wonders", "max_awe", "wonder_rest")} == {
        "max_wonders": 3, "max_awe": None, "wonder_rest": timedelta(minutes=1)
    }  # fmt: skip
    assert usual["max_exposure"] == Limits().max_exposure


def test_it_is_read_as_people_write_it() -> None:
    written = {"max_wonders": 7, "max_awe": 0.05, "wonder_rest": "90s"}
    read = MoreKeys.model_validate(written).model_dump()
    assert {name: read[name] for name in written} == {
        "max_wonders": 7, "max_awe": Decimal("0.05"), "wonder_rest": timedelta(seconds=90)
    }  # fmt: skip


@pytest.mark.parametrize(
    "written",
    [
        {"max_wonders": 8}, {"max_wonders": 0}, {"max_wonders": True}, {"max_awe": 0.2},
        {"max_awe": 0}, {"wonder_rest": "2h"}, {"wonder_rest": 5}, {"max_wonder": 3},
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused(written: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MoreKeys.model_validate(written)


@pytest.mark.parametrize("limit", [field.name for field in fields(Limits)])
def test_every_limit_is_shown_to_people(limit: str) -> None:
    """Nobody keeps a list of them: a new one that no answer shows fails here."""
    read = re.compile(rf"\.{limit}\b")
    assert any(read.search(path.read_text("utf-8")) for path in files("handlers"))


@pytest.mark.parametrize("limit", [field.name for field in fields(Limits)])
def test_every_limit_is_kept_by_somebody(limit: str) -> None:
    read = re.compile(rf"(\.|\")({limit})\b")
    others = [path for path in files("trading") if path != ROOT / "trading/risk/limits.py"]
    own = (ROOT / "trading/risk/limits.py").read_text("utf-8")
    assert any(read.search(p.read_text("utf-8")) for p in others) or f"self.{limit}" in own
