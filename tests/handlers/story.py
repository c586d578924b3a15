"""The story that MESSAGES.md tells: 10 Oct 2025, the trader `majors`, ben at his phone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from handlers import load_commands
from handlers.command import Commands
from handlers.format import NBSP
from handlers.reply import LABEL_LIMIT, Choice, Reply
from handlers.texts.screen import LINES, TABLE_COLUMNS, TABLE_ROWS, lines, width
from tests import builders
from trading.accounts.views import Closed, Cycle, Halting, HoldingView, Swept, View
from trading.model.halt import Halt, Reached, Stage, Verb
from trading.types import MarketRules, Order, OrderRole, OrderStatus, OrderType, Side, Symbol

COMMANDS: Commands = load_commands()

BTC, ETH, SOL, XRP, ADA, LINK = (
    Symbol(base, "USDT") for base in ("BTC", "ETH", "SOL", "XRP", "ADA", "LINK")
)
NOW = datetime(2025, 10, 10, 20, 41, 9, tzinfo=UTC)


def at(text: str) -> datetime:
    """The time `HH:MM` or `HH:MM:SS` of that day."""
    hour, minute, second = (*map(int, text.split(":")), 0)[:3]
    return datetime(2025, 10, 10, hour, minute, second, tzinfo=UTC)


def D(text: str) -> Decimal:  # noqa: N802  # shorter than the figures it holds
    return Decimal(text)


RULES = {
    BTC: MarketRules(tick=D("0.1"), lot=D("0.00001")),
    ETH: MarketRules(tick=D("0.01"), lot=D("0.0001")),
    SOL: MarketRules(tick=D("0.01"), lot=D("0.01")),
    XRP: MarketRules(tick=D("0.0001"), lot=D("1")),
    ADA: MarketRules(tick=D("0.0001"), lot=D("1")),
    LINK: MarketRules(tick=D("0.001"), lot=D("0.1")),
}


def holding(  # a row of the story
    symbol: Symbol, size: str, entry: str, now: str, stop: str, **changes: Any
) -> HoldingView:
    side = Side.SELL if size.startswith("-") else Side.BUY
    plan = builders.a_plan(side=side, size=abs(D(size)), entry=D(entry), stop=D(stop), target=None)
    position = builders.a_position(
        symbol=symbol,
        quantity=D(size),
        average_price=D(entry),
        entered=abs(D(size)),
        opened_at=NOW - timedelta(minutes=71),
        id=f"o-{symbol.base}",
    )
    made = builders.a_holding(
        position=position,
        plan=plan,
        rules=RULES[symbol],
        quote=builders.a_quote(symbol=symbol, price=D(now), at=NOW - timedelta(seconds=1)),
        age=timedelta(seconds=1),
    )
    return replace(made, **changes)


HOLDINGS = (
    holding(BTC, "0.00563", "116014.5", "117050.0", "110793.0"),
    holding(ETH, "0.1224", "3995.17", "4016.00", "3755.00"),
    holding(SOL, "1.80", "203.52", "207.40", "187.20"),
)


def order(symbol: Symbol, side: Side, size: str, price: str, role: OrderRole) -> Order:
    stop = role is OrderRole.PROTECT
    return builders.an_order(
        id=f"{role.value}-{symbol.base}",
        symbol=symbol,
        side=side,
        quantity=D(size),
        type=OrderType.STOP if stop else OrderType.LIMIT,
        price=None if stop else D(price),
        stop_price=D(price) if stop else None,
        role=role,
        status=OrderStatus.OPEN,
    )


ORDERS = (
    order(XRP, Side.SELL, "356", "2.75", OrderRole.ENTRY),
    order(ADA, Side.SELL, "1239", "0.79", OrderRole.ENTRY),
    order(BTC, Side.SELL, "0.00563", "110793", OrderRole.PROTECT),
    order(ETH, Side.SELL, "0.1224", "3755", OrderRole.PROTECT),
    order(SOL, Side.SELL, "1.8", "187.2", OrderRole.PROTECT),
)


def the_view(**changes: Any) -> View:
    """20:41:09 of the story: three open, two entries rest, nothing is wrong."""
    view = builders.a_view(
        limits=builders.some_limits(max_positions=5),
        timeframe=timedelta(minutes=15),
        as_of=NOW,
        day_ends_in=timedelta(hours=2),
        market=NOW,
        equity=D("9789.97"),
        known_equity=D("9789.97"),
        known_equity_at=NOW,
        wallet=D("9774.61"),
        open_profit=D("15.363457"),
        today=D("1.57"),
        day_start=D("9788.40"),
        week_start=D("9931.41"),
        peak=D("10240.00"),
        drawdown=(D("10240.00") - D("9789.97")) / D("10240.00"),
        exposure=D("1508.51"),
        exposures={BTC: D("658.99"), ETH: D("476.20"), SOL: D("373.32")},
        holdings=HOLDINGS,
        orders=ORDERS,
        symbols=5,
        trades_today=6,
        last_cycle=Cycle(at=NOW - timedelta(minutes=11), seconds=0.04, bars=1, decisions=0),
        cycle_every=timedelta(minutes=15) - timedelta(seconds=30),
    )
    return replace(view, **changes)


def a_halt(**changes: Any) -> Halt:
    halt = builders.a_halt(
        id="H17", scope="majors", verb=Verb.STOP, by="ben, Telegram", why="/stop", at=NOW
    )
    return replace(halt, **changes)


def reached(stage: Stage, when: datetime = NOW, note: str = "") -> tuple[str, Reached]:
    return "majors", Reached(stage=stage, at=when, note=note)


def a_halting(**changes: Any) -> Halting:
    halting = Halting(halt=a_halt(), earlier=None, durable=True, swept=(a_sweep(),))
    return replace(halting, **changes)


def a_sweep(**changes: Any) -> Swept:
    return builders.a_sweep(**({"seconds": 0.4} | changes))


# -- how a reply reads --------------------------------------------------------------------


def shown(reply: Reply, *, age: str = "1 s old") -> str:
    """Return *reply* as MESSAGES.md writes it, tables indented by two."""
    table = []
    if reply.table:
        rows = [tuple(c.title for c in reply.table.columns), *reply.table.rows]
        if not any(rows[0]):
            del rows[0]
        widths = [max(len(row[i]) for row in rows) for i in range(len(reply.table.columns))]
        for row in rows:
            text = "  "
            for i, column in enumerate(reply.table.columns):
                cell = row[i].rjust(widths[i]) if column.right and i else row[i].ljust(widths[i])
                text += " " * column.gap * (i > 0) + cell
            table.append(text.rstrip())
    buttons = " ".join(map(button, reply.choices))
    parts = [reply.title, reply.lead, *table, reply.text, buttons]
    return "\n".join(p for p in parts if p).replace("{age}", age).replace(NBSP, " ")


def button(choice: Choice) -> str:
    short = choice.command == f"/{choice.label.lower()}"
    return f"[{choice.label}]" if short else f"[{choice.label}: {choice.command}]"


def checked(reply: Reply) -> Reply:
    """Every reply keeps to one screen, and its buttons to commands that there are."""
    assert len(reply.title) <= 76, reply.title
    assert lines(reply) <= LINES, f"{lines(reply)} lines:\n{shown(reply)}"
    assert "\n\n" not in reply.prose, reply
    assert not re.search(r"\bNone\b|\bnan\b|-0\.00(?!\d)", f"{reply.title}\n{reply.prose}"), reply
    if reply.table:
        assert width(reply.table) <= TABLE_COLUMNS, shown(reply)
        assert 0 < len(reply.table.rows) <= TABLE_ROWS
        assert all(len(row) == len(reply.table.columns) for row in reply.table.rows)
    assert len(reply.choices) <= 5, reply.choices
    for choice in reply.choices:
        name = choice.command.split()[0].removeprefix("/")
        assert choice.command.startswith("/"), choice
        assert name in COMMANDS, f"no such command: {choice}"
        assert 0 < len(choice.label) <= LABEL_LIMIT
    for name in re.findall(r"(?<!\w)/([a-z_]+)", f"{reply.title} {reply.prose}"):
        assert name in COMMANDS or reply.title.startswith(("✕ No /", "✕ There is no /")), (
            f"/{name} is not a command"
        )
    return reply


def reads(reply: Reply, text: str, *, age: str = "1 s old") -> None:
    """Assert that *reply* keeps to the rules and reads exactly as *text*."""
    assert shown(checked(reply), age=age) == text.strip("\n")


Rules = Callable[[Symbol], MarketRules]


def rules(symbol: Symbol) -> MarketRules:
    return RULES[symbol]


def lines_of(reply: Reply) -> Sequence[str]:
    return shown(reply).split("\n")


def sold(**changes: object) -> Closed:
    closed = builders.a_close(
        order=builders.an_exit(symbol=SOL, quantity=D("0.90"), filled=D("0.90")),
        symbol=SOL,
        asked=D("0.90"),
        quantity=D("0.90"),
        price=D("207.39"),
        profit=D("3.30"),
        left=D("0.90"),
    )
    return replace(closed, **changes)  # type: ignore[arg-type]
