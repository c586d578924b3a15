"""The chats that hear alerts, and those that hear only what was asked for in them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from chatbot.delivery.bursts import QuietHours
from chatbot.delivery.waiting import Chat, Subscriber
from chatbot.ports import Speaker
from handlers.reply import Level
from trading.events import ChatBack, ChatLost, Event

Guest = Callable[[str], Subscriber | None]
"""A chat that hears no alerts, by its key, where people may speak; None: there is no such chat."""


class Rooms:
    def __init__(
        self,
        *,
        subscribers: Sequence[Subscriber],
        speakers: Mapping[str, Speaker],
        quiet_hours: QuietHours | None,
        guest: Guest,
        opened: Callable[[str, Chat], None],
    ) -> None:
        """*opened* is told of each chat that comes in later."""
        self._speakers = speakers
        self._quiet_hours = quiet_hours
        self._guest = guest
        self._opened = opened
        self._guests: set[str] = set()
        self.chats = {each.key: self._chat_of(each) for each in subscribers}
        """By key, guests included."""

    def __iter__(self) -> Iterator[Chat]:
        return iter(self.chats.values())

    @property
    def subscribers(self) -> Sequence[Subscriber]:
        return [chat.subscriber for key, chat in self.chats.items() if key not in self._guests]

    def use(self, quiet_hours: QuietHours | None) -> None:
        """Keep other quiet hours from now on, in every chat."""
        self._quiet_hours = quiet_hours
        for chat in self:
            chat.quiet_hours = quiet_hours
            chat.stir.set()

    def reaches(self, key: str) -> bool:
        """Whether what is for the chat *key* can be told there: it hears alerts, or may ask."""
        return key in self.chats or self._guest(key) is not None

    def let_in(self, key: str) -> None:
        """Make room for a chat that hears no alerts, to tell it what was asked for there."""
        subscriber = None if key in self.chats else self._guest(key)
        if subscriber is not None:
            self._guests.add(key)
            self.chats[key] = chat = self._chat_of(subscriber)
            self._opened(key, chat)

    def hearers(
        self, event: Event, kind: str, level: Level, audience: Collection[str] | None
    ) -> list[str]:
        """Whoever wants it, or whom it is for; never the chat that was answered, or is lost.

        That a chat is lost concerns owners, wherever they can be reached.
        """
        for key in audience or ():
            self.let_in(key)
        lost = event.own if isinstance(event, ChatLost | ChatBack) else None

        def hears(key: str, chat: Chat) -> bool:
            if audience is not None:
                return key in audience
            concerned = lost is not None and chat.subscriber.owner and kind not in chat.muted
            return concerned or chat.wants(kind, level)

        return [
            key
            for key, chat in self.chats.items()
            if key != event.origin and key not in (lost or ()) and hears(key, chat)
        ]

    def _chat_of(self, subscriber: Subscriber) -> Chat:
        return Chat(subscriber, self._speakers[subscriber.speaker], self._quiet_hours)
