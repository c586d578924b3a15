"""The outbox: every alert reaches each chat that asked for it, at least once.

Alerts are made by `announce`, written by whoever books the fact, and read back from the store:
so a restart loses none.  Each chat has a worker of its own; one that is slow, hung or down delays
neither trading nor the others.  One clerk talks to the store for all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from chatbot.delivery.back import back
from chatbot.delivery.budget import Crowded
from chatbot.delivery.bursts import WINDOW, QuietHours
from chatbot.delivery.rooms import Guest, Rooms
from chatbot.delivery.waiting import (
    Chat,
    Delivery,
    Health,
    QueuedAlert,
    Subscriber,
    Throttled,
    reply_of,
)
from chatbot.ports import Speaker
from chatbot.unique import unique_hex
from handlers.alert_prefs import AlertPreferences
from handlers.format import plural
from handlers.in_place import InPlace, Stories
from handlers.reply import Level, Reply, dump
from trading.clocks import Clock
from trading.common.tasks import within
from trading.events import Event, HaltAdvanced, PriceReached
from trading.ports import Alert, Change, Meter, NoMeter, Store

log = logging.getLogger(__name__)
GIVEN_UP = timedelta(days=7)
"""So long an alert waits for a chat that is gone from the settings: it may come back."""
EDITED_WITHIN = timedelta(seconds=15)
"""So long a stage may take to be edited into the answer of a stop; then an alert tells it."""
PAGE = 100
"""Alerts acknowledged in one commit; and read at once, beyond those already in hand."""
Describe = Callable[[Event], Reply | None]


class Fold(Protocol):
    """Makes one reply of several, each with its event's class name, that came in *seconds*."""

    def __call__(self, replies: Sequence[tuple[str, Reply]], *, seconds: int) -> Reply: ...


class Followers(Protocol):
    """Who else an event concerns, and what follows from having told it."""

    def audience(self, event: Event) -> Collection[str] | None:
        """The chats that *event* is for, whatever they hear else; None: whoever wants it."""
        ...

    def announced(self, event: Event, reply: Reply, told: Sequence[str]) -> Reply:
        """*event* is about to be told to these chats: how it reads there."""
        ...


class Nobody:
    """Every event is for whoever wants it, and nothing follows."""

    def audience(self, event: Event) -> Collection[str] | None:
        return None

    def announced(self, event: Event, reply: Reply, told: Sequence[str]) -> Reply:
        return reply


class InPlaces(Protocol):
    """Which stories are told in a chat by editing its message."""

    def state(self, chat: str, story: str) -> InPlace | None: ...


class Outbox:
    """Makes alerts of events, and delivers what waits in the store.

    A speaker returns from `send` when its platform has the message.  It raises `Throttled` when
    told to wait, and anything else when a retry may help: there is no other kind of failure, so a
    message that can never go (refused markup) is the speaker's to mend.
    """

    def __init__(
        self,
        *,
        store: Store,
        speakers: Mapping[str, Speaker],
        subscribers: Sequence[Subscriber],
        clock: Clock,
        describe: Describe,
        fold: Fold,
        delivery: Delivery | None = None,
        quiet_hours: QuietHours | None = None,
        stories: InPlaces | None = None,
        guest: Guest = lambda key: None,
        meter: Meter = NoMeter(),  # noqa: B008  # holds nothing
    ) -> None:
        self._store = store
        self._followers: Followers = Nobody()
        self._stories = stories or Stories()
        self._held: dict[str, Alert] = {}
        """Stages that an edit is about to tell where they would be told."""
        self._meter = meter
        self._clock = clock
        self._describe = describe
        self._fold = fold
        self._delivery = delivery or Delivery()
        self._workers: asyncio.TaskGroup | None = None
        self._rooms = Rooms(
            subscribers=subscribers, speakers=speakers, quiet_hours=quiet_hours, guest=guest,
            opened=self._serve_from_now_on,
        )  # fmt: skip
        self._chats = self._rooms.chats
        self._known: set[str] = set()
        """Ids in a queue, or told and not yet acknowledged."""
        self._told: list[str] = []
        """Ids to acknowledge."""
        self._unbooked: set[str] = set()
        """Ids in a queue that came from memory; the store may never have heard of them."""
        self._told_unbooked: set[str] = set()
        """Of those, the ones told: never again, should the store bring them up after all."""
        self._gone: set[str] = set()
        """Ids that wait for chats which are not in the settings."""
        self._to_read = True
        self._hurry = False
        self._work = asyncio.Event()
        self._progress = asyncio.Event()

    # -- what the desk calls

    def follow(self, followers: Followers) -> None:
        """*followers* are asked for whom an event is, from now on: they are built on us."""
        self._followers = followers

    def announce(self, event: Event) -> Sequence[Alert]:
        """One alert for each chat that wants *event*.  Never raises."""
        kind = type(event).__name__
        reply = self._described(event, kind)
        if reply is None:
            return ()
        audience = self._followers.audience(event)
        told = self._rooms.hearers(event, kind, reply.level, audience)
        if not told:
            return ()
        body = dump(self._followers.announced(event, reply, told))
        number = unique_hex(8)
        return tuple(
            Alert(
                id=f"{number}|{key}",
                to=key,
                level=int(reply.level),
                kind=kind,
                at=event.at,
                body=body,
            )
            for key in told
        )

    # -- what each chat hears

    @property
    def subscribers(self) -> Sequence[Subscriber]:
        return self._rooms.subscribers

    def reaches(self, key: str) -> bool:
        """See `Rooms.reaches`."""
        return self._rooms.reaches(key)

    def hears(self, kind: str, level: Level) -> bool:
        """Whether any chat wants such an alert."""
        return any(chat.wants(kind, level) for chat in self._rooms)

    def preferences(self, key: str) -> AlertPreferences:
        """What the chat *key*, a subscriber's, hears now."""
        chat = self._chats[key]
        return AlertPreferences(
            chat=key,
            at_least=chat.at_least,
            muted=chat.muted,
            quiet=str(chat.quiet_hours or ""),
            zone=_zone(chat.quiet_hours),
            queued=chat.waiting,
        )

    def hear(self, key: str, *, at_least: Level, muted: frozenset[str]) -> None:
        """From now on *key* hears no less than that; what waits already is told all the same."""
        self._chats[key].at_least, self._chats[key].muted = at_least, muted

    def use(self, quiet_hours: QuietHours | None) -> None:
        """Keep other quiet hours from now on, in every chat."""
        self._rooms.use(quiet_hours)

    def wake(self) -> None:
        """Look into the store: something was committed."""
        self._to_read = True
        self._work.set()

    async def heard(self, event: Event) -> None:
        """For the bus: wake at any event."""
        self.wake()

    def offer(self, alerts: Sequence[Alert]) -> None:
        """Deliver these from memory, as the store cannot take them.

        Each is told once, even if the store has it later.
        """
        for alert in alerts:
            old = alert.id in self._known or alert.id in self._told_unbooked
            if alert.to in self._chats and not old:
                self._unbooked.add(alert.id)
                self._enqueue(alert)
        self._look_at_held()

    def waiting(self) -> int:
        """Alerts that have not reached their chat, as far as the store was read."""
        return sum(chat.waiting for chat in self._chats.values())

    def failures(self) -> Mapping[str, Health]:
        """Each chat that does not take its alerts now, by its key."""
        chats = self._chats.items()
        return {key: _health([chat]) for key, chat in chats if chat.failing_since is not None}

    def health(self) -> Mapping[str, Health]:
        """By the speaker's name; of several chats the one that fails longest counts."""
        by_speaker: dict[str, list[Chat]] = {}
        for chat in self._chats.values():
            by_speaker.setdefault(chat.subscriber.speaker, []).append(chat)
        return {name: _health(chats) for name, chats in by_speaker.items()}

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._workers = group
                group.create_task(self._keep_books(), name="outbox: clerk")
                for key, chat in self._chats.items():
                    self._serve_from_now_on(key, chat)
        finally:
            self._workers = None

    async def drain(self, seconds: float) -> None:
        """Before the end: tell at once what waits, for at most *seconds*.

        Holds nothing back to fold it, and does not wait for chats that are failing.
        """
        self._hurry = True
        self.wake()
        for chat in self._chats.values():
            chat.stir.set()
        with suppress(TimeoutError):
            await within(self._clock, seconds, self._settled())

    # -- the clerk

    async def _keep_books(self) -> None:
        delay = self._delivery.first_delay
        while True:
            self._work.clear()
            # Both are tried: a full disk takes no acknowledgement, and can still be read.
            fine = [await self._attempt(step) for step in (self._read, self._acknowledge)]
            self._progress.set()
            if all(fine):
                delay = self._delivery.first_delay
                await self._rest(self._delivery.poll, self._work)
                self._to_read = self._to_read or not self._work.is_set()
            else:
                await self._clock.sleep(delay)
                delay = min(delay * 2, self._delivery.longest_delay)

    async def _attempt(self, step: Callable[[], Awaitable[None]]) -> bool:
        try:
            await step()
        except Exception:
            log.exception("the outbox cannot use the store")
            return False
        return True

    async def _read(self) -> None:
        """Take what is new.  The store lists all that waits, so ask for more than is in hand."""
        limit = len(self._known) + len(self._gone) + PAGE
        while self._to_read:
            self._to_read = False
            try:
                alerts = await self._store.waiting_alerts(limit=limit)
            except BaseException:
                self._to_read = True
                raise
            for alert in alerts:
                self._take(alert)
            self._look_at_held()
            if len(alerts) == limit:
                limit, self._to_read = limit * 2, True
            else:
                self._give_up([alert for alert in alerts if alert.to not in self._chats])

    def _give_up(self, waiting: Sequence[Alert]) -> None:
        """Of what waits for chats that are gone from the settings, end what has waited long."""
        self._gone = {alert.id for alert in waiting}
        now = self._clock.now()
        old = [a for a in waiting if now - a.at > GIVEN_UP and a.id not in self._known]
        if old:
            chats = ", ".join(sorted({alert.to for alert in old}))
            log.warning(
                "%s given up: no longer in the settings: %s", plural(len(old), "alert"), chats
            )
            self._known.update(alert.id for alert in old)
            self._tell_clerk(old)

    async def _acknowledge(self) -> None:
        while self._told:
            ids = tuple(self._told[:PAGE])
            await self._store.commit(Change(delivered=ids))
            del self._told[: len(ids)]
            self._known.difference_update(ids)

    def _take(self, alert: Alert) -> None:
        self._unbooked.discard(alert.id)
        if alert.id in self._told_unbooked:
            self._told_unbooked.discard(alert.id)
            self._known.add(alert.id)
            self._told.append(alert.id)
        elif alert.id not in self._known:
            self._enqueue(alert)

    def _enqueue(self, alert: Alert) -> None:
        """Hand *alert* to its chat.  One whose chat is gone from the settings waits for long."""
        if alert.kind == PriceReached.__name__:
            self._rooms.let_in(alert.to)  # asked for there, before a restart
        chat = self._chats.get(alert.to)
        if chat is None:
            return
        self._known.add(alert.id)
        if alert.kind == HaltAdvanced.__name__:
            self._held[alert.id] = alert
        elif not chat.take(alert):
            self._tell_clerk([alert])

    def _look_at_held(self) -> None:
        """Tell the stages that no edit tells, and forget those that one has told."""
        for alert in tuple(self._held.values()):
            state = self._stories.state(alert.to, reply_of(alert).story)
            late = self._hurry or self._clock.now() - alert.at > EDITED_WITHIN
            if state is InPlace.FOLLOWED and not late:
                continue
            del self._held[alert.id]
            if state is InPlace.SHOWN or not self._chats[alert.to].take(alert):
                self._tell_clerk([alert])

    def _tell_clerk(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            if alert.id in self._unbooked:
                self._unbooked.discard(alert.id)
                self._known.discard(alert.id)
                self._told_unbooked.add(alert.id)
            else:
                self._told.append(alert.id)
        self._work.set()
        self._progress.set()

    async def _settled(self) -> None:
        self._look_at_held()
        while self._to_read or self._told or self._hopeful():
            self._progress.clear()
            await self._progress.wait()

    def _hopeful(self) -> bool:
        now = self._clock.now()
        return any(chat.hopeful(now) for chat in self._chats.values())

    # -- the workers

    def _serve_from_now_on(self, key: str, chat: Chat) -> None:
        """A worker of its own; before `run` nobody works."""
        if self._workers is not None:
            self._workers.create_task(self._serve(chat), name=f"outbox: {key}")

    async def _serve(self, chat: Chat) -> None:
        delay = self._delivery.first_delay
        while True:
            chat.stir.clear()
            chat.alarm.clear()
            alerts, hold = chat.next(self._clock.now(), hurry=self._hurry)
            if not alerts and chat.absence is None:
                await self._rest(hold, chat.stir)
            elif await self._told_them(chat, alerts):
                delay = self._delivery.first_delay
            else:
                self._progress.set()
                await self._rest(delay, chat.alarm)
                delay = min(delay * 2, self._delivery.longest_delay)

    async def _told_them(self, chat: Chat, alerts: Sequence[QueuedAlert]) -> bool:
        try:
            await self._tell(chat, alerts)
        except Throttled as told:
            log.info("%s: %s", chat.subscriber.key, told)
            if isinstance(told, Crowded):  # for what is more important there may be room
                await self._rest(told.retry_after, chat.stir)
            else:
                await self._clock.sleep(told.retry_after)
            return True
        except Exception as error:  # noqa: BLE001  # whatever a platform's library raises
            chat.failed(error, self._clock.now())
            return False
        return True

    async def _tell(self, chat: Chat, alerts: Sequence[QueuedAlert]) -> None:
        """Say *parcels*; after a long absence the rest with the word that the chat is back."""
        now = self._clock.now()
        away = chat.was_away(now, at_least=self._delivery.back_after)
        back_is_told = away is not None and chat.at_least <= Level.NOTICE
        critical = bool(alerts) and alerts[0].alert.level >= Level.CRITICAL
        if away is not None and back_is_told and not critical:
            rest = chat.rest(now)
            reply = back(chat.speaker.name, away, [(p.alert.at, p.reply) for p in rest])
            await self._said(chat, rest, reply)
            chat.absence = None
            return
        await self._said(chat, *self._as_one(alerts))
        chat.absence = away if back_is_told else None

    async def _said(self, chat: Chat, alerts: Sequence[QueuedAlert], reply: Reply) -> None:
        await self._send(chat, reply)
        now = self._clock.now()
        chat.done(alerts, now)
        for queued in alerts:
            self._meter.time("queue", max(0.0, (now - queued.alert.at).total_seconds()))
        self._tell_clerk(queued.alert for queued in alerts)

    async def _send(self, chat: Chat, reply: Reply) -> None:
        await within(
            self._clock,
            self._delivery.longest,
            chat.speaker.send(chat.subscriber.chat, reply, silent=self._is_silent(chat, reply)),
        )

    def _is_silent(self, chat: Chat, reply: Reply) -> bool:
        if reply.level >= Level.CRITICAL:
            return False
        return reply.level < Level.URGENT or chat.quiet_for(self._clock.now()) > 0

    def _as_one(self, alerts: Sequence[QueuedAlert]) -> tuple[Sequence[QueuedAlert], Reply]:
        """Fold them; if that fails, tell the first by itself."""
        if len(alerts) > 1:
            try:
                replies = [(p.alert.kind, p.reply) for p in alerts]
                return alerts, self._fold(replies, seconds=_seconds(alerts))
            except Exception:
                log.exception("alerts could not be folded")
        return alerts[:1], alerts[0].reply

    async def _rest(self, seconds: float | None, unless: asyncio.Event) -> None:
        if seconds is None:
            await unless.wait()
            return
        with suppress(TimeoutError):
            await within(self._clock, seconds, unless.wait())

    def _described(self, event: Event, kind: str) -> Reply | None:
        try:
            return self._describe(event)
        except Exception:
            log.exception("%s could not be put into words", kind)
            return Reply(
                title=f"⚠ {kind}: its message could not be made",
                text="It did happen, and trading goes on. The log tells why.",
                level=Level.URGENT,
            )


def _seconds(alerts: Sequence[QueuedAlert]) -> int:
    """In how long they came; of a burst, the window that it is counted in."""
    span = max(alerts[-1].alert.at - alerts[0].alert.at, WINDOW)
    return round(span.total_seconds())


def _zone(quiet_hours: QuietHours | None) -> str:
    return "" if quiet_hours is None else str(quiet_hours.zone)


def _health(chats: Sequence[Chat]) -> Health:
    failing = [(c.failing_since, c.problem) for c in chats if c.failing_since]
    since, problem = min(failing, default=(None, ""))
    return Health(
        waiting=sum(chat.waiting for chat in chats),
        last_success=max((c.last_success for c in chats if c.last_success), default=None),
        failing_since=since,
        problem=problem,
    )
