"""What a chat command is: its name, its parameters, who may use it, and what it does to risk.

All but the role and the family is read from the function itself, so that `/help`, the menus of the
platforms, the documents, the parser and the code cannot disagree.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from types import ModuleType
from typing import Annotated, Any, Literal, NewType

from handlers.caller import Role
from handlers.format import listed, whole_percent
from handlers.meaning import BadUsage, Known, holders, is_everyone, symbol_meant, traders_meant
from handlers.reply import Reply, offer
from handlers.texts.phrases import clipped
from trading.errors import Refused
from trading.types import Symbol

NAME_LIMIT, DESCRIPTION_LIMIT = 32, 100

TraderName = NewType("TraderName", str)
"""Given as `trader=NAME`; may be left out where only one can be meant."""
Traders = NewType("Traders", tuple[str, ...])
"""Given as `trader=NAME` or `trader=all`; where it is left out, all of them, in their order."""
Rest = NewType("Rest", str)
"""All words that are left, spaces included."""
HaltId = NewType("HaltId", str)
"""Typed as `H17`, or as `all`: `EVERY_HALT`."""
EVERY_HALT = HaltId("ALL")
Code = NewType("Code", str)
Share = NewType("Share", Decimal)
"""Above 0 and at most 1; typed as `50%`, `0.5`, `half` or `all`."""
Price = NewType("Price", Decimal)
"""Above 0; typed as `117050`, or as we write it: `117,050.0`."""
Money = NewType("Money", Decimal)
"""Above 0, in quote currency."""


@dataclass(frozen=True, slots=True)
class Range:
    low: int
    high: int


Rows = Annotated[int, Range(1, 8)]
Page = Annotated[int, Range(1, 9_999)]

Handler = Callable[..., Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    kind: Any
    """The annotation, without `| None`."""
    required: bool
    named: bool
    """Only as `name=value`."""
    doc: str

    @property
    def placeholder(self) -> str:
        return self.name.upper() if self.required else f"[{self.name}]"

    @property
    def options(self) -> tuple[str, ...]:
        """The words it takes, if they are few and fixed."""
        if typing.get_origin(self.kind) is Literal:
            return tuple(str(word) for word in typing.get_args(self.kind))
        if inspect.isclass(self.kind) and issubclass(self.kind, Enum):
            return tuple(str(member.value) for member in self.kind)
        return ()

    @property
    def range(self) -> Range | None:
        if typing.get_origin(self.kind) is not Annotated:
            return None
        return next((m for m in self.kind.__metadata__ if isinstance(m, Range)), None)

    @property
    def says_whom(self) -> bool:
        """Which trader, or traders: to be left out where that is clear."""
        return self.kind in _WHOM

    @property
    def is_typeable(self) -> bool:
        """Whether something is known that turns words into it."""
        return self.kind in (Symbol, *_WHOM, *_PARSERS) or bool(self.options or self.range)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    name: str
    run: Handler
    role: Role
    family: str
    """`Look`, `Stop`, `Desk`; `Talk` for what explains itself and is not listed by /help."""
    acts: bool
    """It does something: its answer is a new message, and a repeated press counts once."""
    loosens: bool
    """It loosens or spends: refused when it comes late."""
    at_once: bool
    """It loosens without a question of its own; with a second factor its digits are asked for."""
    instant: bool
    """It makes things safer: waits for no history, no queue and no second look."""
    held: bool
    """It is about what is open: whoever alone holds the symbol is meant."""
    rank: int
    """Place within its family."""
    example: str
    """Words after the name; `SYMBOL` stands for one that is traded here."""
    summary: str
    details: str
    parameters: tuple[Parameter, ...]

    @property
    def usage(self) -> str:
        """As in `/close SYMBOL [share]`."""
        shown = [p.placeholder for p in self.parameters if not p.named]
        return " ".join([f"/{self.name}", *shown])

    def usage_with_example(self, base: str) -> str:
        """As in `/close SYMBOL [share], as in /close BTC 50%`."""
        if not self.example:
            return self.usage
        return f"{self.usage}, as in /{self.name} {self.example.replace('SYMBOL', base)}"

    def takes(self, kind: object) -> bool:
        return any(p.kind is kind for p in self.parameters)

    @property
    def whom(self) -> Parameter | None:
        """The parameter that says which trader, or which traders."""
        return next((p for p in self.parameters if p.says_whom), None)

    def line(self, given: Mapping[str, str]) -> str:
        """The line that says the same as these named values.

        Positional as long as nothing is left out, `name=value` from there on.
        """
        words, gap = [f"/{self.name}"], False
        for each in self.parameters:
            value = " ".join(given.get(each.name, "").split())
            if not value:
                gap = True
            elif gap or each.named:
                words.append(f"{each.name}={value}")
            else:
                words.append(value)
        return " ".join(words)

    def bind(
        self, words: Sequence[str], known: Known, holding: Known | None = None
    ) -> dict[str, object]:
        """Turn *words* into the arguments that the function declares.  Raises `BadUsage`.

        *holding*: what each trader has open, or may have, for what is about that.
        """
        given = self._assign(words)
        meant = traders_meant(given.get("trader"), known) if self.whom else known
        values: dict[str, object] = {}
        for each in self.parameters:
            if each.says_whom or each.name not in given:
                continue
            if each.kind is Symbol:
                symbol, meant = symbol_meant(given[each.name], meant, self._again(words))
                meant = holders(symbol, meant, holding) if holding is not None else meant
                values[each.name] = symbol
            else:
                values[each.name] = _convert(each, given[each.name])
        return values | self._trader(given, meant, words)

    def _assign(self, words: Sequence[str]) -> dict[str, str]:
        given, plain = self._by_name(words)
        for each in self.parameters:
            if each.kind is Rest and plain:
                given[each.name] = " ".join([*filter(None, [given.get(each.name)]), *plain])
                plain.clear()
            elif each.named or each.name in given:
                continue
            elif plain:
                given[each.name] = plain.pop(0)
            elif each.required:
                raise BadUsage(f"/{self.name} needs {each.placeholder}")
        if plain:
            raise BadUsage(f"/{self.name} does not take “{clipped(' '.join(plain), 20)}”")
        return given

    def _by_name(self, words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
        """What was given as `name=value`, and all other words."""
        names = {p.name for p in self.parameters}
        given: dict[str, str] = {}
        plain: list[str] = []
        for word in words:
            name, equals, value = word.partition("=")
            key = name.lower()
            if equals and value and key in names:
                # Said twice, it means neither: what refuses refuses it, a stop takes all.
                given[key] = value if given.get(key, value) == value else f"{given[key]} {value}"
            else:
                plain.append(word)
        return given, plain

    def _trader(
        self, given: Mapping[str, str], meant: Known, words: Sequence[str]
    ) -> dict[str, object]:
        """Which trader, or traders, if the function wants them."""
        wanted = self.whom
        if wanted is None or not (wanted.required or "trader" in given):
            return {}
        if not meant:
            raise Refused("No trader is set up yet")
        if wanted.kind is Traders:
            return {wanted.name: Traders(tuple(meant))}
        if len(meant) == 1:
            return {wanted.name: TraderName(next(iter(meant)))}
        if not wanted.required:
            return {}  # all of them: the same as nothing said
        raise self.which(list(meant), words)

    def which(self, names: Sequence[str], words: Sequence[str]) -> BadUsage:
        """Ask which trader is meant, with a button for each that says the line again."""
        again = self._again([w for w in words if w.partition("=")[0].lower() != "trader"])
        return BadUsage(
            f"Which trader: {listed(list(names), 'or')}?",
            (c for name in names for c in offer(name, f"{again} trader={name}")),
            usage=False,
        )

    def _again(self, words: Sequence[str]) -> str:
        return " ".join([f"/{self.name}", *words])


def command(
    *,
    role: Role = Role.VIEWER,
    family: str,
    acts: bool = False,
    loosens: bool = False,
    at_once: bool = False,
    instant: bool = False,
    held: bool = False,
    rank: int = 50,
    example: str = "",
) -> Callable[[Handler], Command]:
    """Make a function a chat command: on every platform, in /help and in the documents."""

    def mark(run: Handler) -> Command:
        summary, details, docs = _read(inspect.getdoc(run) or "")
        return Command(
            name=getattr(run, "__name__", ""),
            run=run,
            role=role,
            family=family,
            acts=acts or instant or loosens,
            loosens=loosens,
            at_once=at_once,
            instant=instant,
            held=held,
            rank=rank,
            example=example,
            summary=summary,
            details=details,
            parameters=_parameters(run, docs),
        )

    return mark


class Commands(Mapping[str, Command]):
    """All commands by name, by family and rank.  Built once, never changed."""

    FAMILIES = ("Look", "Stop", "Trade", "Tell", "Desk", "Talk")

    def __init__(self, commands: Iterable[Command]) -> None:
        self._by_name: dict[str, Command] = {}
        for each in sorted(commands, key=self._place):
            _check(each)
            if each.name in self._by_name:
                raise ValueError(f"two commands are called /{each.name}")
            self._by_name[each.name] = each

    @classmethod
    def found_in(cls, modules: Iterable[ModuleType]) -> Commands:
        found = (v for m in modules for v in vars(m).values() if isinstance(v, Command))
        return cls({id(each): each for each in found}.values())

    def _place(self, each: Command) -> tuple[int, int, str]:
        if each.family not in self.FAMILIES:
            raise ValueError(f"/{each.name} is of no family that /help knows")
        return self.FAMILIES.index(each.family), each.rank, each.name

    def __getitem__(self, name: str) -> Command:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


# -- from words to values -----------------------------------------------------------------


def _share(name: str, word: str) -> Share:
    text = word.lower().removesuffix("%").strip()
    if text in _SHARES and not word.endswith("%"):
        return _SHARES[text]
    share = _decimal(name, text, word)
    if word.endswith("%"):
        share /= 100
    elif share >= 1:
        raise BadUsage(f"{name} {clipped(word, 20)} is unclear: write 50%, 0.5 or all")
    if not Decimal("0.01") <= share <= 1:
        raise BadUsage(f"{name} is 1 to 100\u00a0%, not {clipped(whole_percent(share), 20)}")
    return Share(share)


_SHARES = {"all": Share(Decimal(1)), "half": Share(Decimal("0.5"))}


_DIGITS = 30
"""Characters of a number that anybody types."""


def _decimal(name: str, text: str, word: str) -> Decimal:
    try:
        value = Decimal(text if len(text) <= _DIGITS else "nan")
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or abs(value.adjusted()) > 12:  # noqa: PLR2004  # nobody types more
        raise BadUsage(f"{name} is a share such as 50%, not {clipped(word, 20)}")
    return value


def _positive(name: str, word: str) -> Decimal:
    plain = (
        word.replace(",", "") if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", word) else word
    )
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", plain) and Decimal(plain) > 0:
        return Decimal(plain)
    raise BadUsage(f"{name} is a number above 0, not {clipped(word, 20)}")


_WHOM = (TraderName, Traders)


def _halt_id(name: str, word: str) -> HaltId:
    if is_everyone(word):
        return EVERY_HALT
    if not re.fullmatch(r"[Hh]([0-9]{1,9}|[A-Za-z]{3}-[0-9]{1,4})", word):
        raise BadUsage(f"{name} is a number such as H17, not {clipped(word, 20)}")
    return HaltId(word.upper())


_PARSERS: dict[Any, Callable[[str, str], object]] = {
    str: lambda _, word: word,
    Rest: lambda _, word: Rest(word),
    Code: lambda _, word: Code(word.upper()),
    HaltId: _halt_id,
    Share: _share,
    Price: _positive,
    Money: _positive,
}


def _convert(parameter: Parameter, word: str) -> object:
    name = parameter.name.capitalize()
    if parameter.range:
        return _integer(name, word, parameter.range)
    if parameter.options:
        if word.lower() not in parameter.options:
            options = listed(parameter.options, "or")
            raise BadUsage(f"{name} is {options}, not {clipped(word, 20)}")
        kind = parameter.kind
        return (
            kind(word.lower())
            if isinstance(kind, type) and issubclass(kind, Enum)
            else word.lower()
        )
    return _PARSERS[parameter.kind](name, word)


def _integer(name: str, word: str, limits: Range) -> int:
    if re.fullmatch(r"[0-9]{1,9}", word) and limits.low <= int(word) <= limits.high:
        return int(word)
    raise BadUsage(f"{name} is {limits.low} to {limits.high:,}, not {clipped(word, 20)}")


# -- from the function to the command -----------------------------------------------------


def _read(text: str) -> tuple[str, str, dict[str, str]]:
    """Split a docstring into summary, details, and what it says of each parameter."""
    summary, _, rest = text.partition("\n")
    docs: dict[str, str] = {}
    details: list[str] = []
    for line in rest.strip().splitlines():
        described = re.fullmatch(r"([a-z_]+): (.+)", line)
        if described:
            docs[described[1]] = described[2]
        else:
            details.append(line)
    return summary, re.sub(r"(?<=\S)\n(?=\S)", " ", "\n".join(details)).strip(), docs


def _parameters(run: Handler, docs: Mapping[str, str]) -> tuple[Parameter, ...]:
    signature = inspect.signature(run, eval_str=True)
    return tuple(
        Parameter(
            name=each.name,
            kind=_without_none(each.annotation),
            required=each.default is each.empty,
            named=each.kind is each.KEYWORD_ONLY,
            doc=docs.get(each.name, _TRADER_DOC if each.name == "trader" else ""),
        )
        for each in list(signature.parameters.values())[1:]
    )


_TRADER_DOC = "which trader, where there are several"


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        kinds = [k for k in typing.get_args(annotation) if k is not types.NoneType]
        return kinds[0] if len(kinds) == 1 else annotation
    return annotation


def _check(each: Command) -> None:
    """Refuse at start-up what a platform would refuse later.

    Telegram: names of a-z, 0-9 and _, at most 32; descriptions of at most 256.  Discord:
    descriptions of at most 100, for parameters too, and required ones first.
    """
    if not re.fullmatch(rf"[a-z0-9_]{{1,{NAME_LIMIT}}}", each.name):
        raise ValueError(f"/{each.name} is not a name that Telegram accepts")
    if not 0 < len(each.summary) <= DESCRIPTION_LIMIT:
        raise ValueError(f"/{each.name} needs a docstring whose first line is short")
    for parameter in each.parameters:
        if not parameter.is_typeable:
            raise ValueError(f"/{each.name}: nobody can type {parameter.name}")
        if not 0 < len(parameter.doc) <= DESCRIPTION_LIMIT:
            raise ValueError(f"/{each.name}: say briefly what {parameter.name} is")
    positional = [p.required for p in each.parameters if not p.named]
    if positional != sorted(positional, reverse=True):
        raise ValueError(f"/{each.name}: what is required comes first")
