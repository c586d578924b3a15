"""`[venues]`, `[feeds]`, `[traders]` and `[limits]`: what trades, where and how much."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from chatbot.settings.feeds import VoteFeedSettings
from chatbot.settings.keys import keys_of
from chatbot.settings.universe import UniverseSection
from chatbot.settings.values import (
    Address,
    Duration,
    Gateway,
    Name,
    Number,
    Pair,
    Section,
    Share,
    Timeframe,
    Wrong,
    alternatives,
    duration,
    one_of,
)
from trading.market.recordings import CRASH, RECORDINGS
from trading.market.universe import UniversePlan
from trading.risk.limits import EntryRules, Limits, Theme
from trading.safety.desk_limits import DeskLimits
from trading.types import Costs, Mode, Symbol
from trading.venues import exchanges
from trading.venues.ccxt.exchange import Exchange
from trading.venues.ccxt.row import Can, Market


def _strategies() -> list[str]:
    from trading.strategies import names

    return names()


class PaperVenueSettings(Section):
    kind: Literal["paper"]
    slippage: Share = Field(Decimal("0.0005"), ge=0, le=Decimal("0.05"))
    commission: Share = Field(Decimal("0.001"), ge=0, le=Decimal("0.05"))
    commission_per_unit: Number = Field(Decimal(0), ge=0, le=1000)
    participation: Share = Field(Decimal("0.1"), gt=0, le=1)

    def costs(self) -> Costs:
        return Costs(**self.model_dump(exclude={"kind"}))


class ReplayFeedSettings(Section):
    kind: Literal["replay"]
    data: Annotated[str, one_of(lambda: RECORDINGS)] = CRASH
    speed: Number = Field(Decimal(60), gt=0, le=3600)


def _whole_secret(value: SecretStr) -> SecretStr:
    said = value.get_secret_value().strip()
    if not said or len(said.split()) > 1:
        raise ValueError("not a key")
    return SecretStr(said)


_HTTP = "an address that begins with https:// or http://"
_WS = "an address that begins with wss:// or ws://"
_KEY = "one word, without spaces"
_FILE = "a file with nothing else in it, beside this one"
Secret = Annotated[SecretStr, AfterValidator(_whole_secret)]


class ExchangeSettings(Section):
    """What a venue and a feed of kind `ccxt` have in common."""

    exchange: Annotated[str, one_of(exchanges.names)] = Field(description="the name of an exchange")
    market: Market
    url: Address | None = Field(None, description=_HTTP)
    """In place of the exchange's own: for a proxy."""
    ws_url: Gateway | None = Field(None, description=_WS)
    sandbox: bool = False
    _needs: ClassVar[Can] = Can.ENTRIES

    @model_validator(mode="after")
    def _known(self) -> Self:
        known = list(exchanges.markets_of(self.exchange))
        if self.market not in known:
            raise Wrong(f"on {self.exchange} there is {alternatives(known)}", key="market")
        lacking = self.offer.row.lacking
        for what, key in ((self._needs, "market"), (Can.SANDBOX, "sandbox")):
            if lacking(what) and (what is self._needs or self.sandbox):
                raise Wrong(lacking(what).rstrip("."), key=key)
        return self

    @property
    def offer(self) -> Exchange:
        """What there is of that market of the exchange."""
        return exchanges.exchange(self.exchange, self.market)

    @property
    def place(self) -> str:
        """As people call it: `binance swap`."""
        testnet = " testnet" if self.sandbox else ""
        return f"{self.exchange} {self.market}{testnet}"


class CcxtVenueSettings(ExchangeSettings):
    kind: Literal["ccxt"]
    read_only: bool = True
    accept_unproven: bool = False
    """A live trader may go there although `quarterdeck prove` has not seen it done."""
    key: Secret | None = Field(None, description=_KEY)
    """From the environment, or out of `key_file`; so the others."""
    secret: Secret | None = Field(None, description=_KEY)
    passphrase: Secret | None = Field(None, description=_KEY)
    key_file: str | None = Field(None, min_length=1, description=_FILE)
    secret_file: str | None = Field(None, min_length=1, description=_FILE)
    passphrase_file: str | None = Field(None, min_length=1, description=_FILE)


class CcxtFeed(ExchangeSettings):
    kind: Literal["ccxt"]
    _needs: ClassVar[Can] = Can.PRICES


Venue = Annotated[PaperVenueSettings | CcxtVenueSettings, Field(discriminator="kind")]
Feed = Annotated[ReplayFeedSettings | CcxtFeed | VoteFeedSettings, Field(discriminator="kind")]


class Partial(Section):
    share: Share = Field(gt=0, le=1)
    at_r: Number | None = Field(None, gt=0, le=100)
    at_percent: Number | None = Field(None, gt=0, le=1000)

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        if (self.at_r is None) == (self.at_percent is None):
            raise Wrong("give either at_r or at_percent")
        return self


class ExitSettings(Section):
    time_limit: Duration | None = Field(None, ge=timedelta(minutes=1), le=timedelta(days=30))
    trail_r: Number | None = Field(None, gt=0, le=50)
    partials: tuple[Partial, ...] = Field(
        (), max_length=5, description="at most 5 of {share, at_r} or {share, at_percent}"
    )
    break_even: bool = False
    stop_limit_gap: Share = Field(Decimal("0.01"), gt=0, le=Decimal("0.2"))

    @field_validator("partials")
    @classmethod
    def _no_more_than_the_whole(cls, partials: tuple[Partial, ...]) -> tuple[Partial, ...]:
        if sum(partial.share for partial in partials) > 1:
            raise Wrong("the shares add up to more than 1, the original size")
        return partials


def _coins(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or not all(coin.isalnum() for coin in value):
        raise Wrong('allowed at least one coin, as in ["DOGE", "SHIB"]')
    return tuple(coin.upper() for coin in value)


class ThemeLimit(Section):
    name: Name = Field(description='lower case letters, digits and single "_", at most 24')
    coins: Annotated[tuple[str, ...], AfterValidator(_coins)] = Field(
        max_length=1_000, description='1 to 1,000 coins, each as in "DOGE"'
    )
    max_exposure: Share = Field(gt=0, le=1)

    def build(self) -> Theme:
        return Theme(name=self.name, coins=frozenset(self.coins), max_exposure=self.max_exposure)


@keys_of(Limits)
class RiskLimits(Section):
    """What limits there are, what is usual and what is allowed: `trading.risk.limits.Limits`."""

    themes: tuple[ThemeLimit, ...] = Field(
        (), max_length=20, description="at most 20 of {name, coins, max_exposure}"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        limits = self.build()
        if limits.risk_per_trade > limits.max_daily_loss:
            raise Wrong(f"above max_daily_loss ({limits.max_daily_loss})", key="risk_per_trade")
        if limits.max_daily_loss > limits.max_weekly_loss:
            raise Wrong(f"above max_weekly_loss ({limits.max_weekly_loss})", key="max_daily_loss")
        return self

    @field_validator("themes")
    @classmethod
    def _each_once(cls, themes: tuple[ThemeLimit, ...]) -> tuple[ThemeLimit, ...]:
        names = [theme.name for theme in themes]
        twice = next((name for n, name in enumerate(names) if name in names[:n]), None)
        if twice:
            raise Wrong(f"two themes are called {twice}")
        return themes

    def build(self) -> Limits:
        limits = {field.name: getattr(self, field.name) for field in fields(Limits)}
        return Limits(**limits | {"themes": tuple(theme.build() for theme in self.themes)})


@keys_of(EntryRules)
class EntrySettings(Section):
    """How a trader enters: `trading.risk.limits.EntryRules`."""

    def build(self) -> EntryRules:
        return EntryRules(**{field.name: getattr(self, field.name) for field in fields(EntryRules)})


class TraderSection(Section):
    enabled: bool = True
    venue: str = Field(description="the name of a section [venues.NAME]")
    feed: str = Field(description="the name of a section [feeds.NAME]")
    strategy: Annotated[str, one_of(_strategies)] = Field(description="the name of a strategy")
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Of the strategy; checked when it is built."""
    symbols: tuple[Pair, ...] = Field(
        min_length=1, max_length=1_000, description='1 to 1,000 symbols, each as in "BTC/USDT"'
    )
    universe: UniverseSection | None = None
    """How it finds more symbols; None: those are all."""
    timeframe: Timeframe = "1m"
    mode: Mode = Mode.PAPER
    capital: Number = Field(Decimal(10_000), gt=0, le=1_000_000_000)
    entries: EntrySettings = EntrySettings()
    exits: ExitSettings = ExitSettings()
    limits: RiskLimits = RiskLimits()

    @property
    def bar(self) -> timedelta:
        return duration(self.timeframe)

    @property
    def plan(self) -> UniversePlan | None:
        return None if self.universe is None else self.universe.build(self.symbols)

    @field_validator("symbols")
    @classmethod
    def _one_account(cls, symbols: tuple[Symbol, ...]) -> tuple[Symbol, ...]:
        twice = next((s for i, s in enumerate(symbols) if s in symbols[:i]), None)
        if twice:
            raise Wrong(f"{twice} stands there twice")
        quotes = sorted({symbol.quote for symbol in symbols})
        if len(quotes) > 1:
            raise Wrong(f"one trader counts in one currency, not in {' and '.join(quotes)}")
        return symbols


@keys_of(DeskLimits)
class WholeDesk(Section):
    """Limits on top of each trader's own: `trading.safety.desk_limits.DeskLimits`."""

    def build(self) -> DeskLimits:
        return DeskLimits(**self.model_dump())
