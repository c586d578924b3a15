"""Who is told what: each chat's own choice, critical alerts until somebody answers, prices.

All of it is kept in history as notes, so a restart forgets neither a choice nor a question.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from chatbot.delivery.waiting import Subscriber
from handlers.alert_prefs import AlertPreferences, PriceNotice, Unanswered
from handlers.reply import Choice, Level, Reply
from trading.accounts.recorder import Recorder
from trading.clocks import Clock
from trading.errors import Refused
from trading.events import AlertUnanswered, CycleEnded, DeskStopping, Event, PriceReached
from trading.ports import Alert, Change, Store, WritePriority
from trading.types import Quote, Symbol

log = logging.getLogger(__name__)

_NOBODY = "This place cannot be written to, and no chat hears such alerts: ask in a chat"
BUTTONS = 5
MOST_UNANSWERED, MOST_PRICES = 100, 100
LOOK_EVERY = 5.0
"""Seconds between two looks for what nobody has answered."""


class Hearers(Protocol):
    """What is needed of the outbox."""

    @property
    def subscribers(self) -> Sequence[Subscriber]: ...

    def preferences(self, key: str) -> AlertPreferences: ...

    def hear(self, key: str, *, at_least: Level, muted: frozenset[str]) -> None: ...

    def reaches(self, key: str) -> bool: ...

    def hears(self, kind: str, level: Level) -> bool: ...


Price = Callable[[str, Symbol], Quote | None]
"""The last price that a trader, by its name, has of a symbol."""


class DeskNotices:
    """Implements `handlers.alert_prefs.Notices` for commands, and `Followers` for the outbox."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        outbox: Hearers,
        recorder: Recorder,
        price: Price,
        escalate_after: timedelta | None,
    ) -> None:
        """*escalate_after*: without an answer for so long, owners are told again; None: never."""
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._recorder = recorder
        self._price = price
        self._escalate_after = escalate_after
        self._chosen: set[str] = set()
        """Chats that have chosen for themselves what they hear."""
        self._unanswered: dict[str, Unanswered] = {}
        self._last_id = 0
        self._prices: dict[int, PriceNotice] = {}
        self._last_number = 0
        self._audiences: dict[Event, frozenset[str]] = {}
        """Of events that are being told right now."""

    async def load(self) -> None:
        """Take over what the process before this one was asked.  Raises `StoreError`."""
        for subscriber in self._outbox.subscribers:
            kept = await self._note(_hearing_note(subscriber.key))
            if kept:
                self._chosen.add(subscriber.key)
                self._outbox.hear(
                    subscriber.key,
                    at_least=Level[kept["level"].upper()],
                    muted=frozenset(kept["muted"]),
                )
        kept = await self._note(UNANSWERED)
        self._last_id = kept.get("last", 0)
        self._unanswered = {u.id: u for u in map(_unanswered_of, kept.get("waiting", ()))}
        kept = await self._note(PRICES)
        self._last_number = kept.get("last", 0)
        self._prices = {n.number: n for n in map(_price_of, kept.get("waiting", ()))}

    def use(self, escalate_after: timedelta | None, levels: Mapping[str, Level]) -> None:
        """Go by other settings; a chat that has chosen its level by /alerts keeps it."""
        self._escalate_after = escalate_after
        for chat, level in levels.items():
            preferences = self.preferences(chat)
            if preferences is not None and chat not in self._chosen:
                self._outbox.hear(chat, at_least=level, muted=preferences.muted)

    async def run(self) -> None:
        """Call the owners when nobody answers, until cancelled."""
        while True:
            await self._clock.beat(LOOK_EVERY)
            await self.look()

    # -- what each chat hears -------------------------------------------------------------

    def preferences(self, chat: str) -> AlertPreferences | None:
        known = any(s.key == chat for s in self._outbox.subscribers)
        return self._outbox.preferences(chat) if known else None

    async def hear(self, chat: str, *, at_least: Level, muted: frozenset[str]) -> None:
        self._outbox.hear(chat, at_least=at_least, muted=muted)
        self._chosen.add(chat)
        await self._keep(
            _hearing_note(chat), {"level": at_least.name.lower(), "muted": sorted(muted)}
        )

    async def told(self, chat: str, *, limit: int) -> Sequence[Alert]:
        return await self._store.alerts(chat, limit=limit)

    # -- critical, until somebody answers -------------------------------------------------

    def announced(self, event: Event, reply: Reply, told: Sequence[str]) -> Reply:
        """For the outbox: remember what is critical until it is acknowledged.

        Not what a person did in a chat (it has an origin), nor that the process ends.
        """
        own = isinstance(event, AlertUnanswered | DeskStopping)
        if reply.level < Level.CRITICAL or event.origin or own or self._escalate_after is None:
            return reply
        one = self._remembered(reply.title, event.at, tuple(told))
        self._recorder.keep_soon(Change(notes=(self._unanswered_note(),)), WritePriority.REST)
        button = (Choice("Acknowledge", f"/ack {one.id}"),) if len(reply.choices) < BUTTONS else ()
        return replace(reply, choices=(*reply.choices, *button))

    def _remembered(self, title: str, at: datetime, chats: tuple[str, ...]) -> Unanswered:
        """What is said again in the same words is still the same question."""
        same = next((u for u in self._unanswered.values() if u.title == title), None)
        if same is not None:
            return same
        while len(self._unanswered) >= MOST_UNANSWERED:
            del self._unanswered[next(iter(self._unanswered))]
        self._last_id += 1
        one = Unanswered(id=f"A{self._last_id}", title=title, at=at, chats=chats)
        self._unanswered[one.id] = one
        return one

    def unanswered(self) -> Sequence[Unanswered]:
        return tuple(self._unanswered.values())

    async def acknowledge(self, ids: Sequence[str], *, by: str) -> None:
        if self._take_off(ids, by):
            await self._keep(*self._all_unanswered())

    def acted(self, chat: str, *, by: str) -> None:
        """Somebody acts in *chat*: what was told there has been seen.  Waits for nothing."""
        seen = [u.id for u in self._unanswered.values() if chat in u.chats]
        if self._take_off(seen, f"{by}, by acting"):
            self._recorder.keep_soon(Change(notes=(self._unanswered_note(),)), WritePriority.REST)

    def _take_off(self, ids: Sequence[str], by: str) -> bool:
        gone = [self._unanswered.pop(each) for each in ids if each in self._unanswered]
        if gone:
            log.info("%s acknowledged %s", by, ", ".join(f"{u.id} ({u.title})" for u in gone))
        return bool(gone)

    async def look(self) -> None:
        """Call the owners once for all that nobody has answered in time."""
        now, after = self._clock.now(), self._escalate_after
        waiting = [u for u in self._unanswered.values() if not u.escalated]
        due = [u for u in waiting if after is not None and now - u.at >= after]
        if not due:
            return
        for one in due:
            self._unanswered[one.id] = replace(one, escalated=True)
        more = f" (and {len(due) - 1} more)" if len(due) > 1 else ""
        event = AlertUnanswered(at=now, title=f"{due[0].title}{more}", said_at=due[0].at)
        self._audiences[event] = self._called({chat for one in due for chat in one.chats})
        try:
            await self._keep(*self._all_unanswered(), event)
        finally:
            del self._audiences[event]

    def _called(self, told: Collection[str]) -> frozenset[str]:
        """The owners that were not told; if all were, all of them once more."""
        owners = {s.key for s in self._outbox.subscribers if s.owner}
        return frozenset(owners - set(told) or owners)

    def audience(self, event: Event) -> Collection[str] | None:
        """For the outbox: whom *event* is for."""
        return self._audiences.get(event)

    def _all_unanswered(self) -> tuple[str, object]:
        waiting = [_unanswered_json(u) for u in self._unanswered.values()]
        return UNANSWERED, {"last": self._last_id, "waiting": waiting}

    def _unanswered_note(self) -> tuple[str, str]:
        name, value = self._all_unanswered()
        return name, json.dumps(value)

    # -- prices ---------------------------------------------------------------------------

    def price_notices(self) -> Sequence[PriceNotice]:
        return tuple(self._prices.values())

    async def notify(
        self, symbol: Symbol, *, above: bool, level: Decimal, by: str, chat: str
    ) -> PriceNotice:
        if not self._outbox.reaches(chat):
            chat = ""
            if not self._anybody_hears():
                raise Refused(_NOBODY)
        asked = (symbol, above, level, chat)
        for known in self._prices.values():
            if (known.symbol, known.above, known.level, known.chat) == asked:
                return known
        while len(self._prices) >= MOST_PRICES:
            del self._prices[next(iter(self._prices))]
        self._last_number += 1
        made = PriceNotice(
            number=self._last_number, symbol=symbol, above=above, level=level, by=by, chat=chat
        )
        self._prices[made.number] = made
        await self._keep(*self._all_prices())
        return made

    async def forget(self, number: int) -> bool:
        found = self._prices.pop(number, None)
        if found is not None:
            await self._keep(*self._all_prices())
        return found is not None

    async def heard(self, event: Event) -> None:
        """For the bus: look at prices whenever a trader has handled a bar."""
        if isinstance(event, CycleEnded) and self._prices:
            for notice in list(self._prices.values()):
                await self._compare(notice, event.trader)

    async def _compare(self, notice: PriceNotice, trader: str) -> None:
        quote = self._price(trader, notice.symbol)
        if quote is None or not _is_reached(notice, quote.price):
            return
        told_there = self._outbox.reaches(notice.chat)
        if not (told_there or self._anybody_hears()):
            return  # said once, and nobody would hear it: it waits
        if self._prices.pop(notice.number, None) is None:
            return
        event = PriceReached(
            at=self._clock.now(),
            symbol=notice.symbol,
            price=quote.price,
            above=notice.above,
            level=notice.level,
            by=notice.by,
        )
        if told_there:
            self._audiences[event] = frozenset({notice.chat})
        try:
            await self._keep(*self._all_prices(), event)
        finally:
            self._audiences.pop(event, None)

    def _anybody_hears(self) -> bool:
        return self._outbox.hears(PriceReached.__name__, Level.NOTICE)

    def _all_prices(self) -> tuple[str, object]:
        waiting = [_price_json(notice) for notice in self._prices.values()]
        return PRICES, {"last": self._last_number, "waiting": waiting}

    # -- notes ----------------------------------------------------------------------------

    async def _note(self, name: str) -> dict[str, Any]:
        try:
            kept = json.loads(await self._store.note(name) or "{}")
        except ValueError:
            log.warning("the note %s cannot be read", name)
            return {}
        return dict(kept)

    async def _keep(self, name: str, value: object, *events: Event) -> None:
        change = Change(notes=((name, json.dumps(value)),))
        await self._recorder.keep(change, WritePriority.REST, *events)


UNANSWERED, PRICES = "unanswered", "price_notices"


def _hearing_note(chat: str) -> str:
    return f"hearing {chat}"


def _is_reached(notice: PriceNotice, price: Decimal) -> bool:
    return price >= notice.level if notice.above else price <= notice.level


def _unanswered_json(one: Unanswered) -> Mapping[str, object]:
    return {
        "id": one.id,
        "title": one.title,
        "at": one.at.isoformat(),
        "chats": list(one.chats),
        "escalated": one.escalated,
    }


def _unanswered_of(kept: Mapping[str, Any]) -> Unanswered:
    return Unanswered(
        id=kept["id"],
        title=kept["title"],
        at=datetime.fromisoformat(kept["at"]),
        chats=tuple(kept["chats"]),
        escalated=kept["escalated"],
    )


def _price_json(notice: PriceNotice) -> Mapping[str, object]:
    return {
        "number": notice.number,
        "symbol": str(notice.symbol),
        "above": notice.above,
        "level": str(notice.level),
        "by": notice.by,
        "chat": notice.chat,
    }


def _price_of(kept: Mapping[str, Any]) -> PriceNotice:
    return PriceNotice(
        number=kept["number"],
        symbol=Symbol.parse(kept["symbol"]),
        above=kept["above"],
        level=Decimal(kept["level"]),
        by=kept["by"],
        chat=kept["chat"],
    )
