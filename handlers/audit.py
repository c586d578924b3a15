"""What was said and answered, written down: who, where, what, when."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Coroutine, Sequence
from typing import Any

from handlers.line import is_digits
from handlers.message import CommandLine, Message
from handlers.reply import Outcome, Reply
from trading.clocks import Clock
from trading.errors import TradingError
from trading.ports import AuditEntry, Change, Store

log = logging.getLogger(__name__)

SAID_LIMIT = 400
UNSAVED = 1_000
"""Words that are kept in memory while history takes none."""
ANSWERS = frozenset({"confirm", "cancel"})
"""What says yes or no to a question."""


class AuditTrail:
    """In the order in which it was answered."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._noted: list[AuditEntry] = []
        """What is yet to be written."""
        self._unsaved: list[AuditEntry] = []
        """What history did not take; written with the next word."""

    def note(self, message: Message, line: CommandLine, reply: Reply) -> None:
        """Keep in mind until it is written that *message* was answered so."""
        caller = message.caller
        # A refusal leaves the id to the act that the same button may still become.
        acted = message.id if reply.outcome is not Outcome.REFUSED else ""
        word = AuditEntry(
            id=acted or secrets.token_hex(8),
            at=self._clock.now(),
            who=f"{caller.name} ({caller.user})",
            role=caller.role.name.lower(),
            where=f"{caller.place} ({caller.chat})",
            said=kept(line),
            outcome=reply.outcome.value,
            answer=reply.title,
        )
        self._noted.append(word)

    def write(self) -> Coroutine[Any, Any, None]:
        """Write all that is noted at this moment; whoever waits for it knows it durable.

        What history does not take is told in the log, kept, and written with the next word.
        """
        noted, self._noted = self._noted, []
        return self._written(noted)

    async def _written(self, noted: Sequence[AuditEntry]) -> None:
        if not noted:
            return
        waited = tuple(self._unsaved)
        try:
            await self._store.commit(Change(audit=(*waited, *noted)))
            self._unsaved = [word for word in self._unsaved if word not in waited]
        except TradingError as error:
            self._unsaved = [*self._unsaved, *noted][-UNSAVED:]
            for word in noted:
                log.error("not audited: %s said %r: %s", word.who, word.said, error)  # noqa: TRY400  # expected, and told
        except Exception:
            for word in noted:
                log.exception("not audited: %s said %r", word.who, word.said)


def kept(line: CommandLine) -> str:
    """What the audit keeps of *line*: no digits of a second factor, however it is mistyped.

    Of any other command every digit stays: how much was bought is what an audit is for.
    """
    said = line.text
    if is_digits(said):
        return "***"
    mistyped = line.command is None and re.match(r"\s*/?(?:\w+\s+)?\w{4}\s+\d", said)
    if line.name in ANSWERS or mistyped:
        said = re.sub(r"\d[\d\s]{4,}\d", "***", said)
    return said[:SAID_LIMIT]
