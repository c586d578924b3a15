"""Watches over the chats themselves: one that is out of reach is told to the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from chatbot.delivery.waiting import Health, Subscriber
from chatbot.ports import ChatPlatform
from handlers.format import ago
from trading.accounts.recorder import Recorder
from trading.clocks import Clock
from trading.events import ChatBack, ChatLost

LOOKS = 6
"""How often it is looked until a trouble has lasted: every 5 s of 30."""
SETTLED = 3
"""For a third of that time, 10 s, all must be well before it is called back: a bad line comes and
goes."""

BARRED = {
    "BlockedByUser": "the user has blocked the bot",
    "NotInChat": "the bot may not write there",
    "ChatUnknown": "there is no such chat or topic, or nobody has opened it yet",
    "MayNotWrite": "the bot may not write there",
    "TokenRefused": "its token is refused",
    "TelegramFailed": "messages are refused there",
    "Forbidden": "the bot may not write there",
    "ChatMigrated": "it has moved to another id",
    "GroupMoved": "it has moved to another id",
    "NotFound": "it is not there any more",
    "BadRequest": "messages are refused there",
    "InvalidToken": "its token is refused",
}
"""What a platform's library calls a failure, and what it means; these do not end by waiting."""
UNREACHED = "messages do not arrive there"


class Deliveries(Protocol):
    """What is needed of the outbox."""

    @property
    def subscribers(self) -> Sequence[Subscriber]: ...

    def failures(self) -> Mapping[str, Health]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """What is wrong with a platform, or one chat."""

    chat: str
    why: str
    own: tuple[str, ...]
    whole: bool
    since: datetime
    seen: datetime
    """When it was found last."""
    told: bool = False


class ChatWatch:
    """Says `ChatLost` once a chat has been out of reach for *after* seconds, and `ChatBack`."""

    def __init__(
        self,
        *,
        platforms: Sequence[ChatPlatform],
        outbox: Deliveries,
        recorder: Recorder,
        clock: Clock,
        after: float = 30.0,
    ) -> None:
        self._platforms = platforms
        self._outbox = outbox
        self._recorder = recorder
        self._clock = clock
        self._after = timedelta(seconds=after)
        self._troubles: dict[str, _Trouble] = {}
        """By the platform's name, or the chat's key."""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._clock.beat(self._after.total_seconds() / LOOKS)
            await self.look()

    def problems(self) -> dict[str, str]:
        """Each platform by title, with what is wrong with it now; and each chat that is lost.

        For `Administration.chats`.  What does not end by waiting is told at once.
        """
        failures, now = self._outbox.failures(), self._clock.now()
        found: dict[str, str] = {}
        for platform in self._platforms:
            found[platform.title] = problem = self._problem(platform, failures)
            lost = () if problem else self._single(platform, failures, now)
            for key, trouble in lost:
                gone = now - trouble.since
                if gone >= self._after or failures[key].problem in BARRED:
                    found[trouble.chat] = f"lost {ago(gone)}, {trouble.why}"
        return found

    async def look(self) -> None:
        """Compare with what was known, and say what has lasted."""
        now = self._clock.now()
        found = dict(self._found(now))
        for key, trouble in found.items():
            known = self._troubles.get(key)
            kept = trouble if known is None else _going_on(known, trouble)
            if now - kept.since >= self._after and not kept.told:
                kept = replace(kept, told=True)
                await self._recorder.say(
                    ChatLost(
                        at=now,
                        chat=kept.chat,
                        why=kept.why,
                        silent=now - kept.since,
                        own=kept.own,
                        whole=kept.whole,
                    )
                )
            self._troubles[key] = kept
        for key in self._troubles.keys() - found.keys():
            await self._ended(key, now)

    async def _ended(self, key: str, now: datetime) -> None:
        trouble = self._troubles[key]
        if trouble.told and now - trouble.seen < self._after / SETTLED:
            return
        del self._troubles[key]
        if trouble.told:
            gap = trouble.seen - trouble.since
            await self._recorder.say(
                ChatBack(
                    at=now, chat=trouble.chat, gap=gap, own=trouble.own, whole=trouble.whole
                )
            )  # fmt: skip

    # -- what is wrong --------------------------------------------------------------------

    def _found(self, now: datetime) -> Iterator[tuple[str, _Trouble]]:
        failures = self._outbox.failures()
        for platform in self._platforms:
            problem = self._problem(platform, failures)
            if problem:
                yield (
                    platform.name,
                    _Trouble(
                        chat=platform.title,
                        why=problem,
                        own=tuple(s.key for s in self._of(platform)),
                        whole=True,
                        since=now,
                        seen=now,
                    ),
                )
            else:
                yield from self._single(platform, failures, now)

    def _single(
        self, platform: ChatPlatform, failures: Mapping[str, Health], now: datetime
    ) -> Iterator[tuple[str, _Trouble]]:
        for subscriber in self._of(platform):
            failure = failures.get(subscriber.key)
            if failure is not None:
                yield (
                    subscriber.key,
                    _Trouble(
                        chat=f"{platform.title} chat {subscriber.chat}",
                        why=BARRED.get(failure.problem, UNREACHED),
                        own=(subscriber.key,),
                        whole=False,
                        since=failure.failing_since or now,
                        seen=now,
                    ),
                )

    def _problem(self, platform: ChatPlatform, failures: Mapping[str, Health]) -> str:
        """What the platform says of itself; or that none of its chats takes anything."""
        if platform.problem:
            return platform.problem
        own = [failures.get(s.key) for s in self._of(platform)]
        barred = any(f is not None and f.problem in BARRED for f in own)
        return UNREACHED if own and all(own) and not barred else ""

    def _of(self, platform: ChatPlatform) -> list[Subscriber]:
        return [s for s in self._outbox.subscribers if s.speaker == platform.name]


def _going_on(known: _Trouble, now: _Trouble) -> _Trouble:
    """The same trouble, seen again; of another kind it is told again."""
    same = known.why == now.why
    return replace(now, since=min(known.since, now.since), told=known.told and same)
