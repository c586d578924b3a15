"""What each chat is told: levels and kinds, acknowledging what is critical, prices to wait for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Literal

from handlers import traders
from handlers.alert_prefs import AlertPreferences, PriceNotice, Unanswered
from handlers.alerts import SILENT
from handlers.caller import Role
from handlers.command import Rest, command
from handlers.context import Context
from handlers.format import by_step, clock_time, exact, plural
from handlers.meaning import BadUsage, symbol_meant
from handlers.reply import Choice, Level, Reply, load, offer
from handlers.texts.phrases import DONE, clipped
from handlers.texts.screen import LINES, first_fitting, lines
from trading import events
from trading.errors import Refused
from trading.events import Event
from trading.ports import Alert

NOTHING = Rest("")
LEVELS = tuple(level.name.lower() for level in Level)
MOST = 100
"""Alerts that one question may be about."""
STATUS = Choice("Status", "/status")
_NONE: Mapping[str, str] = {}
_LOST = 3
"""Chats that are named, of those that hear nothing."""


def spoken(kind: str) -> str:
    """`StopMoved` as people type it: `stop moved`."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in kind).strip()


KINDS = {
    spoken(name): name
    for name, each in vars(events).items()
    if inspect.isclass(each)
    and issubclass(each, Event)
    and each not in {*SILENT, Event, events.TraderEvent, events.SymbolEvent}
}
"""Every kind of alert, by the words for it."""


# -- /alerts --------------------------------------------------------------------------------------


@command(family="Tell", rank=10, example="level urgent")
async def alerts(
    ctx: Context,
    what: Literal["last", "level", "mute", "unmute"] | None = None,
    value: Rest = NOTHING,
) -> Reply:
    """What this chat is told, and the newest of it.

    A level is the least that is told; critical alerts always are. Changing needs operator.
    what: last, level, mute or unmute; left out: what this chat hears
    value: for last a number, for level a level, else a kind of alert such as stop moved
    """
    preferences = _preferences(ctx)
    if what is None:
        return heard(preferences, len(ctx.services.notices.unanswered()), chats=_chats(ctx))
    if what == "last":
        count, page = _count_and_page(value)
        told = await ctx.services.notices.told(preferences.chat, limit=count)
        return last(told, page)
    if ctx.caller.role < Role.OPERATOR:
        raise Refused(f"/alerts {what} needs operator, you are {ctx.caller.role.name.lower()}")
    changed = _changed(preferences, what, value)
    await ctx.services.notices.hear(
        preferences.chat, at_least=changed.at_least, muted=changed.muted
    )
    after = ctx.services.notices.preferences(preferences.chat) or changed
    unanswered = len(ctx.services.notices.unanswered())
    return heard(after, unanswered, changed=True, chats=_chats(ctx))


def _chats(ctx: Context) -> Mapping[str, str]:
    return ctx.services.administration.chats()


def _preferences(ctx: Context) -> AlertPreferences:
    """What the caller's chat hears; from the socket, its owner asks about the console."""
    for chat in (ctx.caller.chat, *(["console:"] if ctx.caller.place == "terminal" else [])):
        preferences = ctx.services.notices.preferences(chat)
        if preferences is not None:
            return preferences
    raise Refused("This chat is told no alerts: bot.toml lists those that are")


def _changed(preferences: AlertPreferences, what: str, value: str) -> AlertPreferences:
    at_least, muted = preferences.at_least, preferences.muted
    if what == "level":
        at_least = _level(value)
    elif what == "mute":
        muted |= {_kind(value)}
    else:
        muted -= {_kind(value)}
    return AlertPreferences(
        chat=preferences.chat, at_least=at_least, muted=muted, quiet=preferences.quiet,
        zone=preferences.zone, queued=preferences.queued,
    )  # fmt: skip


def _level(word: str) -> Level:
    if word.lower() not in LEVELS:
        raise BadUsage(f"Level is {', '.join(LEVELS[:-1])} or {LEVELS[-1]}, not {_what(word)}")
    return Level[word.upper()]


def _kind(words: str) -> str:
    bare = _bare(words)
    found = [name for said, name in KINDS.items() if _bare(said) == bare]
    if found:
        return found[0]
    near = [said for said in KINDS if bare and bare[:4] in _bare(said)][:3]
    hint = f"; perhaps {', '.join(near)}" if near else ", but as in stop moved"
    raise BadUsage(f"No alert is called {_what(words)}{hint}", usage=False)


def _bare(words: str) -> str:
    return "".join(c for c in words.lower() if c.isalnum())


def _what(words: str) -> str:
    return clipped(words, 20) if words else "nothing"


def _count_and_page(value: str) -> tuple[int, int]:
    words = value.split() or ["5"]
    if len(words) > 2 or not all(w.isdecimal() and len(w) < 4 for w in words):  # noqa: PLR2004  # a number and a page
        raise BadUsage(f"Last is followed by a number, not {_what(value)}")
    count, page = int(words[0]), int(words[1]) if len(words) > 1 else 1
    return max(1, min(count, MOST)), max(1, page)


def heard(
    preferences: AlertPreferences,
    unanswered: int,
    *,
    changed: bool = False,
    chats: Mapping[str, str] = _NONE,
) -> Reply:
    """*chats*: each by name, with what is wrong with it; what is lost hears nothing."""
    level = preferences.at_least.name.lower()
    up = "" if preferences.at_least is Level.CRITICAL else " and up"
    sound = max(preferences.at_least, Level.URGENT).name.lower()
    quiet = (
        f"Quiet {preferences.quiet} {preferences.zone}." if preferences.quiet else "No quiet hours."
    )
    muted = ", ".join(sorted(map(spoken, preferences.muted))) or "nothing"
    wait = "waits" if unanswered == 1 else "wait"
    critical = plural(unanswered, "critical alert")
    waits = f"\n{critical} {wait} for an answer." if unanswered else ""
    lost = [clipped(f"{name}: {why}", 76) for name, why in chats.items() if why]
    silent = "".join(f"\n{line}" for line in lost[:_LOST])
    if len(lost) > _LOST:
        silent += f"\nAnd {len(lost) - _LOST} chats more that hear nothing."
    whole = preferences.at_least is Level.INFO
    other = Choice("Urgent only", "/alerts level urgent")
    return Reply(
        f"{f'{DONE} ' if changed else ''}This chat: {level}{up}, sound from {sound}",
        text=f"{quiet} Muted: {clipped(muted, 120)}. Queued {preferences.queued}.{waits}{silent}",
        choices=(
            *((Choice("Acknowledge", "/ack"),) if unanswered else ()),
            other if whole else Choice("Everything", "/alerts level info"),
            Choice("Last 5", "/alerts last 5"),
        ),
        level=Level.URGENT if lost else Level.INFO,
    )


_WIDTH = 64
"""Of a title in the list: two lines on a phone, with its time."""


def last(told: Sequence[Alert], page: int) -> Reply:
    """The newest alerts, as many as a screen holds, older ones behind a button."""
    if not told:
        return Reply("No alert yet in this chat", choices=(STATUS,))
    at = (page - 1) * _PAGE
    shown = told[at : at + _PAGE]
    if not shown:
        raise Refused(f"There are no more than {plural(len(told), 'alert')} to show")
    head = "Last alert" if len(told) == 1 else f"Last {len(told)} alerts"
    where = f", {at + 1} to {at + len(shown)}" if len(shown) < len(told) else ""
    older = at + len(shown) < len(told)
    choices = offer("Older", f"/alerts last {len(told)} {page + 1}") if older else ()
    title = f"{head}{where}, newest first, UTC"
    return first_fitting(
        Reply(title, text="\n".join(_line(a, width) for a in shown), choices=(*choices, STATUS))
        for width in range(_WIDTH, 20, -4)
    )


_PAGE = 6


def _line(alert: Alert, width: int) -> str:
    return clipped(f"{clock_time(alert.at)} {_title(alert)}", width)


def _title(alert: Alert) -> str:
    try:
        return load(alert.body).title
    except (ValueError, KeyError, TypeError):
        return spoken(alert.kind)


# -- /ack -----------------------------------------------------------------------------------------


@command(role=Role.OPERATOR, family="Tell", rank=20, acts=True, example="A3")
async def ack(ctx: Context, alert: str = "") -> Reply:
    """Say that a critical alert was seen; nobody else is called then.

    Acting in a chat where it was told counts as well. Left out: all of them.
    alert: its number, as in A3
    """
    notices = ctx.services.notices
    waiting = notices.unanswered()
    wanted = alert.upper()
    found = [each for each in waiting if wanted in ("", "ALL", each.id)]
    if wanted not in ("", "ALL") and not found:
        raise Refused(f"{clipped(wanted, 12)} does not wait to be acknowledged")
    if not found:
        return Reply("Nothing waits to be acknowledged", choices=(STATUS,))
    await notices.acknowledge([each.id for each in found], by=ctx.caller.signature)
    return acknowledged(found, ctx.caller.signature)


def acknowledged(found: Sequence[Unanswered], by: str) -> Reply:
    what = found[0].id if len(found) == 1 else plural(len(found), "critical alert")
    return first_fitting(
        Reply(
            f"{DONE} Acknowledged {what}, by {by}",
            text="\n".join(
                [*_seen(found, count), "Nothing was sent; what is halted stays halted."]
            ),
            choices=(STATUS,),
        )
        for count in range(5, 0, -1)
    )


def _seen(found: Sequence[Unanswered], count: int) -> list[str]:
    shown = [f"{clock_time(a.at)} {clipped(a.title, 60)}" for a in found[-count:]]
    return [*shown, f"And {len(found) - count} more."] if len(found) > count else shown


# -- /notify --------------------------------------------------------------------------------------


@command(family="Tell", rank=30, acts=True, example="SYMBOL above 42000")
async def notify(ctx: Context, symbol: str = "", way: str = "", price: str = "") -> Reply:
    """Tell once when a price is reached, at a candle's close; alone: what is waited for.

    `/notify off 3` takes the third back.
    symbol: what is traded here, as in BTC; or off
    way: above or below; after off the number
    price: in quote currency, as in 42000
    """
    if not symbol:
        return waited_for(ctx.services.notices.price_notices())
    if symbol.lower() == "off":
        return await _off(ctx, way)
    return await _on(ctx, symbol, way, price)


async def _off(ctx: Context, number: str) -> Reply:
    if not (number.isdecimal() and len(number) < 9):  # noqa: PLR2004  # nobody has so many
        raise BadUsage("Off is followed by a number, as in /notify off 3", usage=False)
    if not await ctx.services.notices.forget(int(number)):
        raise Refused(f"There is no price notice {number}")
    return waited_for(ctx.services.notices.price_notices(), f"{DONE} Price notice {number} is off")


async def _on(ctx: Context, word: str, way: str, price: str) -> Reply:
    said = f"/notify {word} {way} {price}".strip()
    symbol, known = symbol_meant(word, traders.known_symbols(ctx.services), said)
    if way.lower() not in ("above", "below"):
        raise BadUsage(f"Way is above or below, not {_what(way)}")
    above, level = way.lower() == "above", _price(price)
    known_price = ctx.services.desk.views(next(iter(known))).price(symbol)
    quote = known_price.quote
    now = "unknown" if quote is None else by_step(quote.price, known_price.rules.tick)
    if quote is not None and (quote.price > level if above else quote.price < level):
        raise Refused(f"{symbol.base} is {way.lower()} {exact(level)} already, at {now}")
    made = await ctx.services.notices.notify(
        symbol, above=above, level=level, by=ctx.caller.signature, chat=ctx.caller.chat
    )
    return Reply(
        f"{DONE} Told once when {symbol.base} is {way.lower()} {exact(level)}",
        text=f"Now {now}, looked at as each candle closes.{_told_where(made, ctx.caller.chat)} "
        "Nothing is traded on it.",
        choices=(Choice("Take it back", f"/notify off {made.number}"), Choice("All", "/notify")),
    )


def _told_where(made: PriceNotice, asked_in: str) -> str:
    """Nothing where it is told in the place that asked."""
    if made.chat == asked_in:
        return ""
    return " This place cannot be written to: the chats that hear alerts are told."


def _price(word: str) -> Decimal:
    try:
        value = Decimal(word.replace(",", "")) if word else Decimal("nan")
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or value <= 0 or abs(value.adjusted()) > 12:  # noqa: PLR2004  # nobody types more
        raise BadUsage(f"Price is a number above 0 such as 42000, not {_what(word)}")
    return value


def waited_for(notices: Sequence[PriceNotice], done: str = "") -> Reply:
    if not notices:
        return Reply(done or "No price is waited for", text="/notify SYMBOL above PRICE adds one.")
    title = f"{plural(len(notices), 'price')} {'is' if len(notices) == 1 else 'are'} waited for"
    choices = [c for n in notices[:3] for c in offer(f"Off {n.number}", f"/notify off {n.number}")]
    most = len(notices)
    while True:
        shown = [_waiting(notice) for notice in notices[:most]]
        rest = [f"And {len(notices) - most} more."] if most < len(notices) else []
        reply = Reply(done or title, text="\n".join([*shown, *rest]), choices=tuple(choices))
        if lines(reply) <= LINES or most == 1:
            return reply
        most -= 1


def _waiting(notice: PriceNotice) -> str:
    way = "above" if notice.above else "below"
    return f"{notice.number}: {notice.symbol.base} {way} {exact(notice.level)}, {notice.by}"
