"""What the operator wrote, bot.toml and the environment, checked whole before anything starts.

The models below are the file: their field names are its keys, their bounds what is allowed.
`load` tells every mistake at once, each with the place where it was made.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin
from zoneinfo import ZoneInfo

from annotated_types import Ge, Gt, Le, Lt
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from chatbot.bursts import QuietHours
from chatbot.logs import MASK, TELEGRAM_TOKEN
from chatbot.rules import Action, Condition
from chatbot.rules import Rule as AlertRule
from chatbot.state import beside
from trading.desk_limits import DeskLimits
from trading.errors import InvalidSymbol, SettingsError
from trading.halt import EVERYONE
from trading.risk.limits import Limits
from trading.types import Mode, Symbol

PREFIX = "QUARTERDECK__"
NO_LIVE = "no real venue yet: live is not possible in this version; nothing was started"

Keys = tuple[str | int, ...]
"""Where a value stands, as in ("traders", "majors", "limits", "max_positions")."""


class Wrong(ValueError):
    """A value that breaks more than its own bounds, said in words.

    *key* names the key at fault where a whole section was checked.
    """

    def __init__(self, why: str, *, key: str = "") -> None:
        super().__init__(why)
        self.key = key


# -- kinds of values ----------------------------------------------------------------------

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_TIMEFRAMES = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "1d"]


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise Wrong("a number is wanted")  # Python would count true as 1
    return value


def _duration(value: object) -> timedelta:
    said = re.fullmatch(r"(\d{1,6})\s*([smhd])", value) if isinstance(value, str) else None
    if said is None:
        raise ValueError("not a time")
    return timedelta(seconds=int(said[1]) * _UNITS[said[2]])


def _clock_time(value: object) -> time:
    said = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if said is None:
        raise ValueError("not a time of the day")
    return time(int(said[1]), int(said[2]))


def _span(value: object) -> tuple[time, time]:
    begin, dash, end = value.partition("-") if isinstance(value, str) else ("", "", "")
    span = _clock_time(begin.strip()), _clock_time(end.strip())
    if not dash or span[0] == span[1]:
        raise ValueError("not a span of the day")
    return span


def _condition(value: object) -> Condition:
    if not isinstance(value, str):
        raise Wrong("a text is wanted")
    try:
        return Condition.parse(value)
    except ValueError as error:
        raise Wrong(str(error)) from None


def _web_address(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value.get_secret_value()):
        raise ValueError("not an address")
    return value


def _symbol(value: object) -> Symbol:
    try:
        return Symbol.parse(value if isinstance(value, str) else "")
    except InvalidSymbol:
        raise ValueError("not a symbol") from None


def _timezone(value: str) -> str:
    try:
        return value if value == "UTC" else ZoneInfo(value).key
    except (LookupError, ValueError, OSError):
        raise ValueError("not a time zone") from None


def _one_of(names: Callable[[], Iterable[str]]) -> AfterValidator:
    """Among *names*, asked for only when there is a value to check."""

    def check(value: str) -> str:
        known = sorted(names())
        if value not in known:
            raise Wrong(f"allowed {_or(known)}{_perhaps(value, known)}")
        return value

    return AfterValidator(check)


def _strategies() -> list[str]:
    from trading.strategies import names

    return names()


def _recordings() -> list[str]:
    files = (resources.files("trading.market") / "data").iterdir()
    return [file.name.removesuffix(".npz") for file in files if file.name.endswith(".npz")]


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=24)]
"""Of a venue, feed or trader: what can be typed in a chat and in a variable alike."""
_NAME_RULE = 'a name is lower case letters, digits and single "_", at most 24, as in majors'
Whole = Annotated[int, BeforeValidator(_no_truth)]
Number = Annotated[Decimal, BeforeValidator(_no_truth)]
Share = Number
"""A fraction: 0.03 is 3 %."""
Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""Whole seconds, minutes, hours or days: "90s", "15m", "4h", "1d"."""
ClockTime = Annotated[time, BeforeValidator(_clock_time)]
Pair = Annotated[Symbol, BeforeValidator(_symbol)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# -- the file -----------------------------------------------------------------------------


class Bot(Section):
    name: str = Field(
        "harbour", pattern=r"^\S(.{0,30}\S)?$", description="1 to 32 characters on one line"
    )
    state_dir: str = Field("state", min_length=1, description="a folder")
    timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        "UTC", description='a zone of the tz database, as in "UTC" or "Europe/Berlin"'
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def zone(self) -> tzinfo:
        """Where the trading day begins at 00:00; UTC works without a tz database."""
        return UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)


class Schedule(Section):
    misfire_grace: Duration = Field(
        timedelta(minutes=1), ge=timedelta(seconds=1), le=timedelta(hours=1)
    )
    reconcile_every: Duration = Field(
        timedelta(minutes=1), ge=timedelta(seconds=5), le=timedelta(hours=1)
    )


class Console(Section):
    enabled: bool = True


class Chat(Section):
    console: Console = Console()


class PaperVenue(Section):
    kind: Literal["paper"]
    slippage: Share = Field(Decimal("0.0005"), ge=0, le=Decimal("0.05"))
    commission: Share = Field(Decimal("0.001"), ge=0, le=Decimal("0.05"))
    commission_per_unit: Number = Field(Decimal(0), ge=0, le=1000)
    participation: Share = Field(Decimal("0.1"), gt=0, le=1)


class ReplayFeed(Section):
    kind: Literal["replay"]
    data: Annotated[str, _one_of(_recordings)] = "crash_2021_05_19"
    speed: Number = Field(Decimal(60), gt=0, le=3600)


TIMEFRAMES: Mapping[str, Sequence[str]] = {"replay": ("1m",)}
"""What each kind of feed has candles of."""


class Partial(Section):
    share: Share = Field(gt=0, le=1)
    at_r: Number | None = Field(None, gt=0, le=100)
    at_percent: Number | None = Field(None, gt=0, le=1000)

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        if (self.at_r is None) == (self.at_percent is None):
            raise Wrong("give either at_r or at_percent")
        return self


class Exits(Section):
    time_limit: Duration | None = Field(None, ge=timedelta(minutes=1), le=timedelta(days=30))
    trail_r: Number | None = Field(None, gt=0, le=50)
    partials: tuple[Partial, ...] = Field(
        (), max_length=5, description="at most 5 of {share, at_r} or {share, at_percent}"
    )
    break_even: bool = False

    @field_validator("partials")
    @classmethod
    def _no_more_than_the_whole(cls, partials: tuple[Partial, ...]) -> tuple[Partial, ...]:
        if sum(partial.share for partial in partials) > 1:
            raise Wrong("the shares add up to more than 1, the original size")
        return partials


class RiskLimits(Section):
    """The keys of `trading.risk.limits.Limits`, with what is allowed."""

    max_positions: Whole = Field(3, ge=1, le=50)
    risk_per_trade: Share = Field(Decimal("0.003"), gt=0, le=Decimal("0.05"))
    max_position: Share = Field(Decimal("0.20"), gt=0, le=1)
    max_exposure: Share = Field(Decimal("0.60"), gt=0, le=1)
    min_notional: Number = Field(Decimal(10), ge=0, le=1_000_000)
    max_daily_loss: Share = Field(Decimal("0.03"), gt=0, le=Decimal("0.5"))
    max_weekly_loss: Share = Field(Decimal("0.07"), gt=0, le=Decimal("0.5"))
    max_drawdown: Share = Field(Decimal("0.10"), gt=0, le=Decimal("0.5"))
    loss_streak: Whole = Field(3, ge=1, le=100)
    loss_streak_rest: Duration = Field(timedelta(minutes=60), ge=timedelta(0), le=timedelta(days=7))
    symbol_rest: Duration = Field(timedelta(minutes=15), ge=timedelta(0), le=timedelta(days=7))
    max_price_age: Duration = Field(
        timedelta(minutes=3), ge=timedelta(seconds=1), le=timedelta(days=1)
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.risk_per_trade > self.max_daily_loss:
            raise Wrong(f"above max_daily_loss ({self.max_daily_loss})", key="risk_per_trade")
        if self.max_daily_loss > self.max_weekly_loss:
            raise Wrong(f"above max_weekly_loss ({self.max_weekly_loss})", key="max_daily_loss")
        return self

    def build(self) -> Limits:
        return Limits(**{field.name: getattr(self, field.name) for field in fields(Limits)})


class Trader(Section):
    enabled: bool = True
    venue: str = Field(description="the name of a section [venues.NAME]")
    feed: str = Field(description="the name of a section [feeds.NAME]")
    strategy: Annotated[str, _one_of(_strategies)] = Field(description="the name of a strategy")
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Of the strategy; checked when it is built."""
    symbols: tuple[Pair, ...] = Field(
        min_length=1, max_length=100, description='1 to 100 symbols, each as in "BTC/USDT"'
    )
    timeframe: _TIMEFRAMES = "1m"
    mode: Mode = Mode.PAPER
    capital: Number = Field(Decimal(10_000), gt=0, le=1_000_000_000)
    exits: Exits = Exits()
    limits: RiskLimits = RiskLimits()

    @property
    def bar(self) -> timedelta:
        return _duration(self.timeframe)

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


class WholeDesk(Section):
    """The keys of `trading.desk_limits.DeskLimits`, with what is allowed."""

    max_exposure: Share | None = Field(None, gt=0, le=1)
    max_positions: Whole | None = Field(None, ge=1, le=500)
    max_daily_loss: Share | None = Field(None, gt=0, le=Decimal("0.5"))

    def build(self) -> DeskLimits:
        return DeskLimits(**self.model_dump())


class Rule(Section):
    """As `chatbot.rules` carries it out."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9 _-]{0,22}[A-Za-z0-9])?$",
        description='1 to 24 letters, digits, " ", "_" or "-"',
    )
    condition: Annotated[Condition, BeforeValidator(_condition), PlainSerializer(str)] = Field(
        description='as in "error_rate > 0.01" or "feed_ok == false"'
    )
    duration: Duration = Field(timedelta(minutes=1), ge=timedelta(0), le=timedelta(days=1))
    action: Action = "notify"

    def build(self) -> AlertRule:
        return AlertRule(
            name=self.name, condition=self.condition, duration=self.duration, action=self.action
        )


class Alerts(Section):
    drawdown: Share = Field(Decimal("0.05"), gt=0, le=Decimal("0.5"))
    console: Literal["info", "notice", "urgent", "critical"] = "info"
    quiet: Annotated[tuple[time, time], BeforeValidator(_span)] | None = Field(
        None, description='two different times of the day, as in "23:00-07:00"'
    )
    escalate_after: Duration | None = Field(None, ge=timedelta(minutes=1), le=timedelta(days=1))
    heartbeat: ClockTime | None = Field(None, description='a time of the day, as in "08:00"')
    ping_url: Annotated[SecretStr, AfterValidator(_web_address)] | None = Field(
        None, description="an address that begins with https:// or http://"
    )
    rules: tuple[Rule, ...] = Field(
        (), max_length=50, description="at most 50 sections [[alerts.rules]]"
    )

    @field_validator("rules")
    @classmethod
    def _each_name_once(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        names = [rule.name for rule in rules]
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice:
            raise Wrong(f"two rules are called {twice}")
        return rules

    def quiet_hours(self, zone: tzinfo) -> QuietHours | None:
        return None if self.quiet is None else QuietHours(*self.quiet, zone)


class Settings(BaseSettings):
    """All settings, frozen.  Made by `load` only."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    bot: Bot = Bot()
    schedule: Schedule = Schedule()
    chat: Chat = Chat()
    venues: dict[Name, PaperVenue] = Field(min_length=1, description="a section [venues.NAME]")
    feeds: dict[Name, ReplayFeed] = Field(min_length=1, description="a section [feeds.NAME]")
    traders: dict[Name, Trader] = Field(min_length=1, description="a section [traders.NAME]")
    limits: WholeDesk = WholeDesk()
    alerts: Alerts = Alerts()

    _said: _Said = PrivateAttr()

    @property
    def file(self) -> Path:
        return self._said.file

    @property
    def state_dir(self) -> Path:
        return beside(self.file, self.bot.state_dir)

    def secrets(self) -> tuple[str, ...]:
        """Every secret value, for the masks of the log."""
        return tuple(_secrets_in(self))

    def mistake(self, *keys: str | int, why: str) -> str:
        """A sentence on the value at *keys*, with its place, for who finds it wrong later."""
        return self._said.mistake(keys, why)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file; both are read by `load`, which knows the places."""
        given = init_settings()
        return (
            InitSettingsSource(settings_cls, given["environment"]),
            InitSettingsSource(settings_cls, given["file"]),
        )


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read and check everything.  Raises `SettingsError` with every mistake at once."""
    file = _File.read(path)
    environment = _Environment.read(environ)
    said = _Said(path, file.lines, environment.variables, _merged(file.tables, environment.tables))
    found = [*_secrets_written(said, file.tables), *environment.mistakes]
    found += _across(said)
    given: dict[str, Any] = {"file": file.tables, "environment": environment.tables}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        found += _explained(said, error.errors(include_url=False))
    if found:
        raise SettingsError(list(dict.fromkeys(m.sentence for m in sorted(found, key=_by_place))))
    settings._said = said  # noqa: SLF001  # made here, and only here
    return settings


# -- where it was said --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Mistake:
    line: int
    """0: not from the file."""
    sentence: str


def _by_place(mistake: _Mistake) -> tuple[bool, int]:
    return mistake.line == 0, mistake.line


@dataclass(frozen=True, slots=True)
class _Said:
    """Every value that was given, and where."""

    file: Path
    lines: Mapping[Keys, int]
    variables: Mapping[Keys, str]
    values: Mapping[str, Any]

    def line(self, keys: Keys) -> int:
        """Of the key, or of the section that it is missing from; 0 if the file has neither."""
        return next(
            (self.lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self.lines), 0
        )

    def variable(self, keys: Keys) -> tuple[Keys, str] | None:
        """The environment variable that set the value at *keys* or around it."""
        for n in range(len(keys), 0, -1):
            if keys[:n] in self.variables:
                return keys[:n], self.variables[keys[:n]]
        return None

    def place(self, keys: Keys) -> str:
        """`bot.toml 41: traders.majors.limits.max_positions`, or the variable."""
        variable = self.variable(keys)
        if variable is not None:
            whole, name = variable
            return name if whole == keys else f"{name}: {_dotted(keys)}"
        line = self.line(keys)
        return f"{self.file.name}{f' {line}' if line else ''}: {_dotted(keys)}"

    def at(self, keys: Keys, why: str) -> _Mistake:
        line = 0 if self.variable(keys) else self.line(keys)
        return _Mistake(line, f"{self.place(keys)}{why}")

    def mistake(self, keys: Keys, why: str) -> str:
        return self.wrong(keys, why).sentence

    def wrong(self, keys: Keys, why: str) -> _Mistake:
        """The value at *keys* is wrong; from the environment it is shown without quotes."""
        value = _shown(keys, self.value(keys))
        if keys in self.variables:
            value = _unquoted(value)
        return self.at(keys, f" = {value}, {why}")

    def value(self, keys: Keys) -> Any:
        value: Any = self.values
        for key in keys:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value


@dataclass(frozen=True, slots=True)
class _File:
    tables: dict[str, Any]
    lines: Mapping[Keys, int]

    @classmethod
    def read(cls, path: Path) -> Self:
        try:
            text = path.read_text(encoding="utf-8")
            return cls(tomllib.loads(text, parse_float=Decimal), _lines_of(text))
        except OSError as error:
            sentence = f"{path} cannot be read: {error.strerror}; name another with --config"
        except UnicodeDecodeError:
            sentence = f"{path.name} is not text in UTF-8"
        except tomllib.TOMLDecodeError as error:
            sentence = _plain_syntax(path, text, str(error))
        raise SettingsError([sentence])


def _lines_of(text: str) -> dict[Keys, int]:
    """The line of every section and key of *text*, which is valid TOML.

    Each statement is read alone, by the real parser: it ends where what was gathered is valid.
    """
    lines: dict[Keys, int] = {}
    section: Keys = ()
    counts: dict[Keys, int] = {}
    gathered, begun = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        begun = begun if gathered else number
        gathered += line + "\n"
        try:
            statement = tomllib.loads(gathered)
        except tomllib.TOMLDecodeError:
            continue  # an array or a text over several lines
        if gathered.lstrip().startswith("["):
            section = _section(statement, counts)
            paths = [section]
        else:
            paths = [section + path for path in _paths(statement)]
        for path in paths:
            for n in range(1, len(path) + 1):
                lines.setdefault(path[:n], begun)
        gathered = ""
    return lines


def _section(statement: Mapping[str, Any], counts: dict[Keys, int]) -> Keys:
    """`[a.b]` is ("a", "b"); the second `[[a.b]]` is ("a", "b", 1)."""
    path: Keys = ()
    inner: Any = statement
    while isinstance(inner, dict) and inner:
        (key, inner), *_ = inner.items()
        path += (key,)
    if isinstance(inner, list):
        counts[path] = counts.get(path, -1) + 1
        path += (counts[path],)
    return path


def _paths(value: Any) -> list[Keys]:
    """Where the innermost values of *value* stand."""
    if isinstance(value, dict) and value:
        return [(key, *path) for key, inner in value.items() for path in _paths(inner)]
    return [()]


_SYNTAX = {
    "Expected '=' after a key": 'a key is followed by "=" and its value',
    "Invalid value": 'no value that can be read; text stands in quotes, as in "paper"',
    "Cannot overwrite a value": "this key stands here for the second time",
    "Cannot declare": "this section stands here for the second time",
    "Unclosed array": 'a list is not closed with "]"',
    "Unclosed inline table": 'a table is not closed with "}"',
    "Unterminated string": "a text is not closed with its quote",
    "Illegal character '\\n'": "a text is not closed with its quote",
    "Expected newline or end of document": "something follows that does not belong on this line",
    "Expected ']' at the end of a table": 'a section is not closed with "]"',
}


def _plain_syntax(path: Path, text: str, told: str) -> str:
    said = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", told, re.DOTALL)
    words, line = (said[1], said[2]) if said else (told, None)
    plain = next((plain for begin, plain in _SYNTAX.items() if words.startswith(begin)), words)
    return f"{path.name} {line or text.rstrip().count(chr(10)) + 1}: {plain}"


# -- the environment ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Environment:
    tables: dict[str, Any]
    variables: Mapping[Keys, str]
    mistakes: Sequence[_Mistake]

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Take every `QUARTERDECK__A__B=value`; lists and maps are JSON."""
        tables: dict[str, Any] = {}
        variables: dict[Keys, str] = {}
        mistakes = [_Mistake(0, sentence) for sentence in _near_misses(environ)]
        for name in sorted(n for n in environ if n.upper().startswith(PREFIX)):
            keys = tuple(name[len(PREFIX) :].lower().split("__"))
            if not all(keys):
                mistakes.append(_Mistake(0, f"{name} names no setting"))
                continue
            try:
                value = _decoded(keys, environ[name])
            except ValueError:
                shown = _unquoted(_shown(keys, environ[name]))
                mistakes.append(_Mistake(0, f"{name} = {shown}, lists and maps are JSON"))
                continue
            variables[keys] = name
            tables = _merged(tables, _nested(keys, value))
        return cls(tables, variables, mistakes)


def _decoded(keys: Sequence[str], text: str) -> Any:
    if SECRET_NAME.search(keys[-1]):
        return SecretStr(text)
    if text.lstrip().startswith(("[", "{")):
        return json.loads(text, parse_float=Decimal)
    if _kind(keys) is Any:  # a strategy's parameter: nothing here says what it is
        try:
            return json.loads(text, parse_float=Decimal)
        except ValueError:
            return text
    return text


def _near_misses(environ: Mapping[str, str]) -> Iterator[str]:
    """Variables that would be taken for settings by everybody but us."""
    for name in sorted(environ):
        rest = name.upper().removeprefix("QUARTERDECK_")
        section = next((s for s in Settings.model_fields if rest.startswith(f"{s.upper()}_")), None)
        if rest != name.upper() and section:
            yield f"{name} is not read; settings begin with {PREFIX}{section.upper()}__"


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(under)
    for key, value in over.items():
        below = both.get(key)
        both[key] = (
            _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return both


# -- secrets ------------------------------------------------------------------------------

SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:token|(?:api)?key|secret|password|passphrase|credential)s?$", re.IGNORECASE
)


MASKED = frozenset({"ping_url"})
"""May stand in the file, and yet is told nobody: who has it can answer for us."""


def _secrets_written(said: _Said, tables: Mapping[str, Any]) -> Iterator[_Mistake]:
    """What must not stand in a file that is copied, shown and committed."""
    for keys, value in _leaves(tables):
        if _is_secret(keys, value):
            variable = PREFIX + "__".join(str(key) for key in keys).upper()
            line = said.line(keys)
            yield _Mistake(
                line,
                f"{said.file.name} {line}: {_dotted(keys)} looks like a secret; "
                f"take it out of the file and set {variable} in the environment",
            )


def _is_secret(keys: Keys, value: Any) -> bool:
    names = [key for key in keys if isinstance(key, str)]
    if names and SECRET_NAME.search(names[-1]):
        return True
    return isinstance(value, str) and TELEGRAM_TOKEN.search(value) is not None


def _leaves(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _leaves(inner, (*keys, key))
        case list():
            for index, inner in enumerate(value):
                yield from _leaves(inner, (*keys, index))
        case _:
            yield keys, value


def _secrets_in(value: Any) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            for _, inner in value:
                yield from _secrets_in(inner)
        case dict():
            for inner in value.values():
                yield from _secrets_in(inner)
        case list() | tuple():
            for inner in value:
                yield from _secrets_in(inner)


# -- what goes together -------------------------------------------------------------------


def _across(said: _Said) -> Iterator[_Mistake]:
    """Checks between sections, on what was given: other mistakes do not hide these."""
    traders = _tables(said.values.get("traders"))
    enabled = {name: trader for name, trader in traders.items() if _is_on(trader)}
    if traders and not enabled:
        yield said.at(("traders",), ": none is enabled, there is nothing to run")
    if EVERYONE in traders:
        yield said.at(("traders", EVERYONE), f': "{EVERYONE}" means every trader, choose another')
    for name, trader in traders.items():
        yield from _references(said, name, trader)
        if name in enabled and trader.get("mode") == Mode.LIVE:
            yield said.wrong(("traders", name, "mode"), NO_LIVE)
    yield from _owned_twice(said, enabled)


def _references(said: _Said, name: str, trader: Mapping[str, Any]) -> Iterator[_Mistake]:
    for key, section in (("venue", "venues"), ("feed", "feeds")):
        known = _tables(said.values.get(section))
        named = trader.get(key)
        if isinstance(named, str) and named not in known:
            why = f"there is no [{section}.{named}]{_perhaps(named, known)}"
            yield said.wrong(("traders", name, key), why)
    feed = _tables(said.values.get("feeds")).get(str(trader.get("feed")), {})
    offered = TIMEFRAMES.get(str(feed.get("kind")))
    timeframe = trader.get("timeframe")
    if offered and timeframe in get_args(_TIMEFRAMES) and timeframe not in offered:
        why = f"feed {trader['feed']} has candles of {_or(offered)} only"
        yield said.wrong(("traders", name, "timeframe"), why)


def _owned_twice(said: _Said, enabled: Mapping[str, Mapping[str, Any]]) -> Iterator[_Mistake]:
    """(account, symbol) has one owner.  On paper each trader has an account of its own."""
    owners: dict[tuple[str, str], str] = {}
    for name, trader in enabled.items():
        symbols = trader.get("symbols")
        if trader.get("mode") != Mode.LIVE or not isinstance(symbols, list):
            continue
        for symbol in symbols:
            owner = owners.setdefault((str(trader.get("venue")), str(symbol).upper()), name)
            if owner != name:
                why = f": {symbol} on {trader.get('venue')} already belongs to {owner}"
                yield said.at(("traders", name, "symbols"), why)


def _tables(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        return {}
    return {name: table for name, table in value.items() if isinstance(table, dict)}


def _is_on(trader: Mapping[str, Any]) -> bool:
    return str(trader.get("enabled", True)).lower() not in {"false", "0", "no", "off", "n", "f"}


# -- mistakes in words --------------------------------------------------------------------


def _explained(said: _Said, errors: Sequence[ErrorDetails]) -> Iterator[_Mistake]:
    for error in errors:
        keys: Keys = tuple(error["loc"])
        if keys and keys[-1] == "[key]":
            yield said.at(keys[:-1], f": {_NAME_RULE}")
        elif error["type"] == "extra_forbidden":
            yield from _unknown(said, keys)
        elif error["type"] == "missing":
            yield _missing(said, keys)
        else:
            yield _not_allowed(said, keys, error)


def _unknown(said: _Said, keys: Keys) -> Iterator[_Mistake]:
    if said.variable(keys) is None and _is_secret(keys, said.value(keys)):
        return  # already told, with what to do
    name = str(keys[-1])
    siblings = _keys_of(keys[:-1])
    near = difflib.get_close_matches(name, siblings, 1)
    meant = (
        [(*keys[:-1], near[0])]
        if near
        else [path for path in _all_keys(said.values) if path[-1] == name]
    )
    set_by = [(k, v) for k, v in said.variables.items() if k[: len(keys)] == keys]
    for whole, variable in set_by:
        hint = _variable((*meant[0], *whole[len(keys) :])) if meant else ""
        yield _Mistake(0, f"{variable} is no setting{_meant(hint) or _known(siblings)}")
    if not set_by:
        hint = _dotted(meant[0]) if meant else ""
        yield said.at(keys, f" is not known{_meant(hint) or _known(siblings)}")


def _missing(said: _Said, keys: Keys) -> _Mistake:
    owner = keys[:2]
    if len(keys) > len(owner) and owner not in said.lines:
        for whole, variable in said.variables.items():
            if whole[:2] == owner:  # a name that only a variable knows: most likely misspelt
                known = [str(k[1]) for k in said.lines if len(k) == 2 and k[0] == owner[0]]  # noqa: PLR2004  # section and name
                near = difflib.get_close_matches(str(owner[1]), known, 1)
                hint = _variable((owner[0], near[0], *whole[2:])) if near else ""
                why = f"there is no [{_dotted(owner)}] in {said.file.name}"
                return _Mistake(0, f"{variable}: {why}{_meant(hint)}")
    field = _field(keys)
    return said.at(keys, f" is missing{f', wanted: {_allowed(field)}' if field else ''}")


def _not_allowed(said: _Said, keys: Keys, error: ErrorDetails) -> _Mistake:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Wrong):
        if cause.key:
            return said.wrong((*keys, cause.key), str(cause))
        return said.wrong(keys, str(cause))
    deeper = next((v for k, v in said.variables.items() if k[: len(keys)] == keys != k), None)
    field = _field(keys)
    if deeper and not isinstance(said.value(keys[:-1]), list):
        return _Mistake(0, f"{deeper} is no setting: {_dotted(keys)} has no keys of its own")
    return said.wrong(keys, f"allowed {_allowed(field)}" if field else error["msg"])


def _allowed(field: FieldInfo) -> str:
    """What may stand there, in words: from the description, the kind, or the bounds."""
    if field.description:
        return field.description
    options = _options(field.annotation)
    if options:
        return _or(options)
    low = next((m for m in field.metadata if isinstance(m, Ge | Gt)), None)
    high = next((m for m in field.metadata if isinstance(m, Le | Lt)), None)
    if low is None or high is None:
        return "keys of its own, as a section"
    begin = f"above {_text(low.gt)}" if isinstance(low, Gt) else _text(low.ge)
    return f"{begin} to {_text(high.le if isinstance(high, Le) else high.lt)}"


def _options(annotation: Any) -> Sequence[str]:
    if annotation is bool:
        return ("true", "false")
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    return ()


def _field(keys: Sequence[str | int]) -> FieldInfo | None:
    """The field that holds the value at *keys*: its own, or that of the table around it."""
    field: FieldInfo | None = None
    for n in range(len(keys)):
        kind = _kind(keys[:n])
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(keys[n]))
    return field


def _kind(keys: Sequence[str | int]) -> Any:
    """The type of the value at *keys*; None where there can be none."""
    kind: Any = Settings
    for key in keys:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(key))
            kind = field.annotation if field else None
        elif get_origin(kind) in (dict, tuple):
            kind = get_args(kind)[1 if get_origin(kind) is dict else 0]
        else:
            return None
    return kind


def _keys_of(keys: Keys) -> list[str]:
    kind = _kind(keys)
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _all_keys(values: Mapping[str, Any], keys: Keys = ()) -> Iterator[Keys]:
    """Every key there can be, with the names that were given to venues, feeds and traders."""
    names = _keys_of(keys) or (list(_tables(values)) if get_origin(_kind(keys)) is dict else [])
    for name in names:
        yield (*keys, name)
        inner = values.get(name)
        yield from _all_keys(inner if isinstance(inner, dict) else {}, (*keys, name))


def _dotted(keys: Keys) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def _variable(keys: Keys) -> str:
    return PREFIX + "__".join(str(key) for key in keys).upper()


def _shown(keys: Keys, value: Any) -> str:
    """The value as it was written; never a secret."""
    if _is_secret(keys, value) or (keys and keys[-1] in MASKED):
        return MASK
    match value:
        case str() | bool():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(_shown((*keys, i), v) for i, v in enumerate(value))}]"
        case dict():
            return f"{{{', '.join(f'{k} = {_shown((*keys, k), v)}' for k, v in value.items())}}}"
        case _:
            return str(value)


def _unquoted(shown: str) -> str:
    return shown.removeprefix('"').removesuffix('"')


def _text(value: Any) -> str:
    if not isinstance(value, timedelta):
        return f"{value:,}" if isinstance(value, int) else str(value)
    seconds = int(value.total_seconds())
    unit = next(unit for unit in "dhms" if seconds % _UNITS[unit] == 0)
    return f'"{seconds // _UNITS[unit]}{unit if seconds else "s"}"'


def _or(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _perhaps(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def _meant(hint: str) -> str:
    return f", did you mean {hint}?" if hint else ""


def _known(names: Sequence[str]) -> str:
    return f"; known here: {', '.join(names)}" if names else ""
