"""The outbox: every alert reaches each chat that asked for it, at least once.

Alerts are made by `announce`, written by whoever books the fact, and read back from the store:
so a restart loses none.  Each chat has a worker of its own; one that is slow, hung or down delays
neither trading nor the others.  One clerk talks to the store for all of them.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from chatbot.delivery.bursts import BURST, WINDOW, QuietHours, Throttle, next_burst
from chatbot.frontends import Speaker
from chatbot.supervise import within
from handlers.format import clock_time, long_duration, plural
from handlers.hearing import Hearing
from handlers.in_place import InPlace, Stories
from handlers.reply import Choice, Column, Level, Reply, Table, dump, load
from handlers.words import clipped
from trading.clocks import Clock
from trading.events import ChatBack, ChatLost, Event, HaltAdvanced
from trading.ports import Alert, Change, Meter, NoMeter, Store

log = logging.getLogger(__name__)

GIVEN_UP = timedelta(days=7)
"""So long an alert waits for a chat that is gone from the settings: it may come back."""
EDITED_WITHIN = timedelta(seconds=15)
"""So long a stage may take to be edited into the answer of a stop; then an alert tells it."""
GATHERED = 10
"""So many urgent alerts that wait at once become one message; fewer keep their own."""
WAITED_LINES, LINE = 5, 22
"""How many of the alerts that waited are listed when a chat is back, and how wide."""
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


class Throttled(Exception):
    """The platform says: not before *retry_after* seconds.  Raised by a speaker."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"again in {retry_after:g} s")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    key: str
    """As in `telegram:111`, `console:`; alerts wait under it."""
    speaker: str
    chat: str
    """The platform's own id of the chat."""
    at_least: Level = Level.INFO
    owner: bool = True
    """An owner reads here: hears of critical alerts that nobody acknowledged."""
    on_call: bool = False
    """Hears of nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How patient the outbox is; seconds."""

    first_delay: float = 1.0
    """After a failure; doubled after each further one."""
    longest_delay: float = 60.0
    patience: float = 30.0
    """A message that takes longer counts as failed, and may arrive twice."""
    back_after: float = 60.0
    """A chat that failed for longer hears first that it is back."""
    poll: float = 5.0
    """The store is looked at this often even if nobody wakes the outbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How one platform does, for status pages."""

    waiting: int
    last_success: datetime | None
    failing_since: datetime | None
    """None: the last message went through, or none was sent yet."""
    problem: str
    """The error's kind, never its words: they may hold a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """How long a chat was away, and what waited for it."""

    away: timedelta
    waited: int
    critical: int
    """Of those; they go first, each by itself."""


# -- one chat -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Parcel:
    alert: Alert
    reply: Reply


class _Chat:
    """What one chat still has to hear, and how it fares."""

    def __init__(
        self, subscriber: Subscriber, speaker: Speaker, quiet_hours: QuietHours | None
    ) -> None:
        self.subscriber = subscriber
        self.speaker = speaker
        self.quiet_hours = quiet_hours
        self.at_least = subscriber.at_least
        self.muted: frozenset[str] = frozenset()
        """Kinds that are not told here, unless critical."""
        self.stir = asyncio.Event()
        """Something arrived."""
        self.alarm = asyncio.Event()
        """Something critical arrived: worth a try although the chat is failing."""
        self.last_success: datetime | None = None
        self.failing_since: datetime | None = None
        self.problem = ""
        self.absence: Absence | None = None
        """It is back, and has heard the critical alerts; that it was away is still to be told."""
        self._throttle = Throttle()
        self._critical: deque[_Parcel] = deque()
        self._urgent: deque[_Parcel] = deque()
        self._quiet: deque[_Parcel] = deque()
        self._told: deque[datetime] = deque(maxlen=BURST - 1)
        """When the last quiet alerts that were told had happened."""

    @property
    def waiting(self) -> int:
        return len(self._critical) + len(self._urgent) + len(self._quiet)

    def hopeful(self, now: datetime) -> bool:
        """Something waits, and is likely to arrive soon."""
        quiet = 0 if self.quiet_for(now) else len(self._quiet)
        waits = len(self._critical) + len(self._urgent) + quiet
        return waits > 0 and self.failing_since is None

    def quiet_for(self, now: datetime) -> float:
        """Seconds until the quiet hours are over; 0 outside of them."""
        return self.quiet_hours.left(now) if self.quiet_hours else 0.0

    def wants(self, kind: str, level: Level) -> bool:
        if self.subscriber.on_call:
            return False
        return level >= self.at_least and (level >= Level.CRITICAL or kind not in self.muted)

    @property
    def critical(self) -> int:
        return len(self._critical)

    def take(self, alert: Alert) -> bool:
        """Queue *alert*; False if it only repeats what was said."""
        reply = self._throttle.admit(alert, _read(alert))
        if reply is None:
            return False
        self._queue(alert.level).append(_Parcel(alert, reply))
        self.stir.set()
        if alert.level >= Level.CRITICAL:
            self.alarm.set()
        return True

    def next(self, now: datetime, *, hurry: bool) -> tuple[Sequence[_Parcel], float | None]:
        """What to say now, as one message; or nothing, and for how many seconds."""
        if self._critical:
            return [self._critical[0]], None
        urgent = self._next_urgent()
        quiet_for = self.quiet_for(now)
        if quiet_for or not self._quiet:
            return urgent, (quiet_for or None) if self._quiet and not urgent else None
        if urgent and urgent[0].alert.at <= self._quiet[0].alert.at:
            return urgent, None
        night = self._of_the_night()
        if night > 1:
            return list(itertools.islice(self._quiet, night)), None
        size, hold = next_burst((p.alert.at for p in self._quiet), self._told, now)
        if size or hurry:
            return list(itertools.islice(self._quiet, size or None)), None
        return urgent, None if urgent else hold

    def _next_urgent(self) -> list[_Parcel]:
        """One by one; what has gathered because the chat is slow, as one."""
        gathered = len(self._urgent) >= GATHERED
        return list(itertools.islice(self._urgent, None if gathered else 1))

    def _of_the_night(self) -> int:
        """How many of those in front came in quiet hours, and are told as one."""
        came = (self.quiet_for(parcel.alert.at) > 0 for parcel in self._quiet)
        return sum(1 for _ in itertools.takewhile(bool, came))

    def rest(self, now: datetime) -> list[_Parcel]:
        """All but the critical ones that may be told now, oldest first."""
        quiet = () if self.quiet_for(now) else self._quiet
        return sorted((*self._urgent, *quiet), key=lambda parcel: parcel.alert.at)

    def done(self, parcels: Sequence[_Parcel], now: datetime) -> None:
        for parcel in parcels:
            queue = self._queue(parcel.alert.level)
            queue.remove(parcel)
            if queue is self._quiet:
                self._told.append(parcel.alert.at)
        self.last_success, self.failing_since, self.problem = now, None, ""

    def was_away(self, now: datetime, *, at_least: float) -> Absence | None:
        """The absence to tell of, if it is over now and lasted so many seconds."""
        away = self.down_for(now)
        if self.absence is not None or away.total_seconds() <= at_least:
            return self.absence
        return Absence(away=away, waited=self.waiting, critical=self.critical)

    def failed(self, error: Exception, now: datetime) -> None:
        if self.failing_since is None:
            self.failing_since = now
            log.warning("%s does not take alerts", self.subscriber.key, exc_info=error)
        self.problem = type(error).__name__

    def down_for(self, now: datetime) -> timedelta:
        return now - self.failing_since if self.failing_since else timedelta()

    def _queue(self, level: int) -> deque[_Parcel]:
        if level >= Level.CRITICAL:
            return self._critical
        return self._urgent if level >= Level.URGENT else self._quiet


# -- all of them ----------------------------------------------------------------------------------


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
        followers: Followers | None = None,
        stories: InPlaces | None = None,
        meter: Meter = NoMeter(),  # noqa: B008  # holds nothing
    ) -> None:
        self._store = store
        self._followers = followers or Nobody()
        self._stories = stories or Stories()
        self._held: dict[str, Alert] = {}
        """Stages that an edit is about to tell where they would be told."""
        self._meter = meter
        self._clock = clock
        self._describe = describe
        self._fold = fold
        self._delivery = delivery or Delivery()
        self._chats = {s.key: _Chat(s, speakers[s.speaker], quiet_hours) for s in subscribers}
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

    def announce(self, event: Event) -> Sequence[Alert]:
        """One alert for each chat that wants *event*.  Never raises."""
        kind = type(event).__name__
        reply = self._described(event, kind)
        if reply is None:
            return ()
        told = self._hearers(event, kind, reply.level)
        if not told:
            return ()
        body = dump(self._followers.announced(event, reply, told))
        number = secrets.token_hex(8)
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

    def _hearers(self, event: Event, kind: str, level: Level) -> list[str]:
        """Whoever wants it, or whom it is for; never the chat that was answered, or is lost."""
        audience = self._followers.audience(event)
        lost = event.own if isinstance(event, ChatLost | ChatBack) else ()
        return [
            key
            for key, chat in self._chats.items()
            if key != event.origin
            and key not in lost
            and (chat.wants(kind, level) if audience is None else key in audience)
        ]

    # -- what each chat hears

    @property
    def subscribers(self) -> Sequence[Subscriber]:
        return [chat.subscriber for chat in self._chats.values()]

    def hearing(self, key: str) -> Hearing:
        """What the chat *key*, a subscriber's, hears now."""
        chat = self._chats[key]
        return Hearing(
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
        for chat in self._chats.values():
            chat.quiet_hours = quiet_hours
            chat.stir.set()

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
        by_speaker: dict[str, list[_Chat]] = {}
        for chat in self._chats.values():
            by_speaker.setdefault(chat.subscriber.speaker, []).append(chat)
        return {name: _health(chats) for name, chats in by_speaker.items()}

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_books(), name="outbox: clerk")
            for key, chat in self._chats.items():
                group.create_task(self._serve(chat), name=f"outbox: {key}")

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
            state = self._stories.state(alert.to, _read(alert).story)
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

    async def _serve(self, chat: _Chat) -> None:
        delay = self._delivery.first_delay
        while True:
            chat.stir.clear()
            chat.alarm.clear()
            parcels, hold = chat.next(self._clock.now(), hurry=self._hurry)
            if not parcels and chat.absence is None:
                await self._rest(hold, chat.stir)
            elif await self._told_them(chat, parcels):
                delay = self._delivery.first_delay
            else:
                self._progress.set()
                await self._rest(delay, chat.alarm)
                delay = min(delay * 2, self._delivery.longest_delay)

    async def _told_them(self, chat: _Chat, parcels: Sequence[_Parcel]) -> bool:
        try:
            await self._tell(chat, parcels)
        except Throttled as told:
            log.info("%s: %s", chat.subscriber.key, told)
            await self._clock.sleep(told.retry_after)
            return True
        except Exception as error:  # noqa: BLE001  # whatever a platform's library raises
            chat.failed(error, self._clock.now())
            return False
        return True

    async def _tell(self, chat: _Chat, parcels: Sequence[_Parcel]) -> None:
        """Say *parcels*; after a long absence the rest with the word that the chat is back."""
        now = self._clock.now()
        away = chat.was_away(now, at_least=self._delivery.back_after)
        back_is_told = away is not None and chat.at_least <= Level.NOTICE
        critical = bool(parcels) and parcels[0].alert.level >= Level.CRITICAL
        if away is not None and back_is_told and not critical:
            rest = chat.rest(now)
            reply = back(chat.speaker.name, away, [(p.alert.at, p.reply) for p in rest])
            await self._said(chat, rest, reply)
            chat.absence = None
            return
        await self._said(chat, *self._as_one(parcels))
        chat.absence = away if back_is_told else None

    async def _said(self, chat: _Chat, parcels: Sequence[_Parcel], reply: Reply) -> None:
        await self._send(chat, reply)
        now = self._clock.now()
        chat.done(parcels, now)
        for parcel in parcels:
            self._meter.time("queue", max(0.0, (now - parcel.alert.at).total_seconds()))
        self._tell_clerk(parcel.alert for parcel in parcels)

    async def _send(self, chat: _Chat, reply: Reply) -> None:
        await within(
            self._clock,
            self._delivery.patience,
            chat.speaker.send(chat.subscriber.chat, reply, silent=self._is_silent(chat, reply)),
        )

    def _is_silent(self, chat: _Chat, reply: Reply) -> bool:
        if reply.level >= Level.CRITICAL:
            return False
        return reply.level < Level.URGENT or chat.quiet_for(self._clock.now()) > 0

    def _as_one(self, parcels: Sequence[_Parcel]) -> tuple[Sequence[_Parcel], Reply]:
        """Fold them; if that fails, tell the first by itself."""
        if len(parcels) > 1:
            try:
                replies = [(p.alert.kind, p.reply) for p in parcels]
                return parcels, self._fold(replies, seconds=_seconds(parcels))
            except Exception:
                log.exception("alerts could not be folded")
        return parcels[:1], parcels[0].reply

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


def _seconds(parcels: Sequence[_Parcel]) -> int:
    """In how long they came; of a burst, the window that it is counted in."""
    span = max(parcels[-1].alert.at - parcels[0].alert.at, WINDOW)
    return round(span.total_seconds())


def _zone(quiet_hours: QuietHours | None) -> str:
    return "" if quiet_hours is None else str(quiet_hours.zone)


def back(speaker: str, absence: Absence, rest: Sequence[tuple[datetime, Reply]]) -> Reply:
    """What a chat hears when it is there again, instead of *rest*, one by one (oldest first)."""
    name, waited = speaker.capitalize(), absence.waited
    gap, alerts = long_duration(absence.away), plural(waited, "alert")
    shown = sorted(
        sorted(rest, key=lambda each: (each[1].level, each[0]))[-WAITED_LINES:],
        key=lambda each: each[0],
    )
    rows = tuple((clock_time(at), _short(reply.title)) for at, reply in shown)
    return Reply(
        title=f"✓ {name} back after {gap}: {alerts} waited",
        lead=_of_the_rest(absence.critical, len(shown), len(rest)),
        table=Table((Column(right=False), Column(right=False)), rows) if rows else None,
        choices=(Choice(f"All {waited}", f"/alerts last {waited}"),) if waited else (),
        level=max((reply.level for _, reply in rest), default=Level.NOTICE),
    )


def _of_the_rest(critical: int, shown: int, rest: int) -> str:
    """As in `1 critical went first. The rest, UTC:`."""
    first = f"{critical} critical went first." if critical else ""
    if not rest:
        return first
    listed = "The rest" if critical else "They were"
    if shown < rest:
        listed = f"{shown} of the other {rest}" if critical else f"{shown} of them"
    return f"{first} {listed}, UTC:".strip()


def _short(title: str) -> str:
    """A title for a narrow column: its first words, and what was won or lost."""
    plain = title.lstrip("✓…⚠?‖■✕ ")
    for end in (" (paper)", " (live)", " (dry run)", ": "):
        plain = plain.partition(end)[0] or plain
    gained = _GAIN.search(title.partition(plain)[2])
    if gained is None:
        return clipped(plain, LINE)
    return f"{clipped(plain, LINE - len(gained[0]) - 1)} {gained[0]}"


_GAIN = re.compile(r"[+-][\d,]+\.\d\d")
"""As in `+33.27`."""


def _read(alert: Alert) -> Reply:
    """The reply as it was written; an older or newer version's may not be readable."""
    try:
        return load(alert.body)
    except Exception:
        log.exception("alert %s cannot be read", alert.id)
        return Reply(
            title=f"⚠ {alert.kind} at {clock_time(alert.at)} UTC: its message cannot be read",
            level=Level.CRITICAL if alert.level >= Level.CRITICAL else Level.URGENT,
        )


def _health(chats: Sequence[_Chat]) -> Health:
    failing = [(c.failing_since, c.problem) for c in chats if c.failing_since]
    since, problem = min(failing, default=(None, ""))
    return Health(
        waiting=sum(chat.waiting for chat in chats),
        last_success=max((c.last_success for c in chats if c.last_success), default=None),
        failing_since=since,
        problem=problem,
    )
