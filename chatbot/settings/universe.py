"""`[traders.NAME.universe]`: how a trader finds its symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from chatbot.settings.values import Duration, Number, Section, Share, Whole, Wrong
from trading.market.universe import CORE, CYCLES, EVENT, ROTATIONAL, Tier, Universe, UniversePlan
from trading.types import ZERO, Symbol


def _base(value: str) -> str:
    if not value.strip().isalnum():
        raise ValueError("not a coin")
    return value.strip().upper()


Base = Annotated[str, AfterValidator(_base)]


class TierSection(Section):
    """What a market must offer to be in a tier, and what may be done in it; else as it is usual."""

    min_volume: Number | None = Field(None, ge=0, le=10**12)
    max_spread_bps: Number | None = Field(None, gt=0, le=1_000)
    min_depth: Number | None = Field(None, ge=0, le=10**12)
    max_allocation: Share | None = Field(None, gt=0, le=1)
    base_size: Share | None = Field(None, gt=0, le=1)

    def build(self, usual: Tier) -> Tier:
        said = {key: value for key, value in self.model_dump().items() if value is not None}
        return replace(usual, **said)


class Tiers(Section):
    core: TierSection = TierSection()
    rotational: TierSection = TierSection()
    event: TierSection = TierSection()

    def build(self, listed: Sequence[Symbol]) -> tuple[Tier, ...]:
        core = replace(CORE, bases=frozenset(symbol.base for symbol in listed))
        return (
            self.core.build(core),
            self.rotational.build(ROTATIONAL),
            self.event.build(EVENT),
        )


class UniverseSection(Section):
    min_volume: Number | None = Field(None, ge=0, le=10**12)
    tiers: Tiers | None = None
    max_symbols: Whole | None = Field(None, ge=1, le=1_000)
    never: tuple[Base, ...] = Field((), description='coins, as in ["LUNA"]')
    every: Duration = Field(timedelta(hours=1), ge=timedelta(minutes=1), le=timedelta(days=1))
    max_age: Duration = Field(timedelta(hours=3), ge=timedelta(minutes=1), le=timedelta(days=7))
    cycles: Whole = Field(CYCLES, ge=1, le=100)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.min_volume is None) == (self.tiers is None):
            why = "give either min_volume, for all markets above it, or tiers"
            raise Wrong(why, key="min_volume")
        if self.max_age < self.every:
            raise Wrong("below every: each survey would be too old before the next", key="max_age")
        return self

    def build(self, listed: Sequence[Symbol]) -> UniversePlan:
        """*listed*: the symbols that the settings name; those of the core tier."""
        tiers = (
            self.tiers.build(listed)
            if self.tiers is not None
            else (Tier(number=1, name="liquid", min_volume=self.min_volume or ZERO),)
        )
        return UniversePlan(
            empty=Universe(
                tiers=tiers, cycles=self.cycles, most=self.max_symbols, never=frozenset(self.never)
            ),
            listed=tuple(listed),
            every=self.every,
            max_age=self.max_age,
        )
