"""From a line of text to a reply.  Every face and every button ends up here."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import NoReturn

from handlers import traders
from handlers.access import (
    RateLimit,
    TooLate,
    TooOften,
    check_fresh,
    check_on,
    check_role,
)
from handlers.alarm import closes_everything, is_cry, stop_offered, with_stop
from handlers.audit import ANSWERS, AuditTrail
from handlers.command import Command, Commands
from handlers.commands.help import suggestion
from handlers.context import Context, Services
from handlers.line import LONGEST, is_digits
from handlers.meaning import BUTTONS, BadUsage, Known
from handlers.message import CommandLine, Message, read
from handlers.reply import Choice, Level, Outcome, Priority, Reply, offer, weighed
from handlers.texts.phrases import DOUBT, REFUSED, clipped, sentence
from trading.common.tasks import Tasks, ended_within, turns
from trading.common.text import clean
from trading.errors import (
    NotDone,
    Refused,
    StoreError,
    VenueError,
    VenueRejected,
    VenueUncertain,
)
from trading.types import Symbol

log = logging.getLogger(__name__)

REMEMBERED = 1_000
"""Message ids whose answers are kept in memory; the audit has the others."""
TIMEOUT = 1.0
"""Seconds that history may take before an answer goes on without it."""
LEAVING = 8
"""Turns of the loop in which an answer that is there leaves."""
NOTHING_SENT = "Nothing was sent."
SOMETHING_SENT = "Something was sent before that, as a cancel: /orders tells what rests."


class Dispatcher:
    """The one error boundary: `handle` always returns a reply."""

    def __init__(
        self,
        services: Services,
        *,
        off: Collection[str] = frozenset(),
        rate: RateLimit | None = None,
    ) -> None:
        """*off*: commands that the settings switch off; *rate*: None, nobody is held back."""
        self._services = services
        self._off = off
        self._rate = rate
        self._answers: OrderedDict[str, asyncio.Task[Reply]] = OrderedDict()
        self._tasks = Tasks()
        self._audit = AuditTrail(store=services.store, clock=services.clock)

    @property
    def commands(self) -> Commands:
        return self._services.commands

    async def handle(self, message: Message) -> Reply:
        """Answer *message*.  The act goes on even if whoever asked hangs up meanwhile."""
        line = message.line or read(self.commands, message.text)
        message = replace(message, text=line.text, id=clean(message.id), line=line)
        if message.id in self._answers:
            return repeated(await asyncio.shield(self._answers[message.id]))
        task = self._tasks.start(self._answer(message, line))
        if message.id:
            self._answers[message.id] = task
            task.add_done_callback(partial(self._forget_refused, message.id))
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return await asyncio.shield(task)

    def _forget_refused(self, key: str, done: asyncio.Task[Reply]) -> None:
        """What was refused did not act: the same button may be pressed again, and act then."""
        failed = done.cancelled() or done.exception() is not None
        if not failed and done.result().outcome is Outcome.REFUSED:
            self._answers.pop(key, None)

    async def settle(self) -> None:
        """Wait until everything said is answered and audited."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- answering ------------------------------------------------------------------------

    async def _answer(self, message: Message, line: CommandLine) -> Reply:
        found = line.command
        earlier = await self._answered_before(found, message)
        if earlier is not None:
            return weighed(earlier, weight(found, earlier))
        reply = self._weighed(found, await self._reply(message, line), message)
        self._audit.note(message, line, reply)
        if found is not None and found.acts and not found.instant:
            # Durable before it is told, so that a redelivery after a crash acts once.
            audit = self._tasks.start(self._audit.write())
            await ended_within(self._services.clock, TIMEOUT, audit)
        else:
            self._tasks.start(self._audit_soon())
        return reply

    async def _audit_soon(self) -> None:
        """Once the answer has left: the thread that writes would take every other turn of it."""
        await turns(LEAVING)
        await self._audit.write()

    def _weighed(self, found: Command | None, reply: Reply, message: Message) -> Reply:
        """*reply* with what it may cost the chat."""
        reply = self._offered(reply, message)
        withheld = (
            self._rate is not None
            and reply.outcome is Outcome.REFUSED
            and reply.asked is None
            and self._rate.withholds(found, message.caller, reply.title)
        )
        asked = weight(found, reply) if reply.asked is None else reply.asked
        return replace(weighed(reply, asked), withheld=withheld)

    def _offered(self, reply: Reply, message: Message) -> Reply:
        """Without buttons that would only be refused: off, or above the caller's role."""
        kept = tuple(c for c in reply.choices if self._may(c, message))
        return reply if len(kept) == len(reply.choices) else replace(reply, choices=kept)

    def _may(self, choice: Choice, message: Message) -> bool:
        found = read(self.commands, choice.command).command
        return found is not None and found.role <= message.caller.role

    async def _reply(self, message: Message, line: CommandLine) -> Reply:
        found, words = line.command, list(line.words)
        if found is None and is_cry(message.text):
            return stop_offered(message.text, message.caller, self._services.commands.get("stop"))
        try:
            if self._rate is not None:
                self._rate.check(found, message.caller)
            if line.is_cut and not line.instant:
                raise Refused(f"that is longer than {LONGEST:,} characters")
            return await self._run(found or self._missing(line.name, words), words, message)
        except (Refused, NotDone) as refusal:
            return self._refused(refusal, found, words, message)
        except VenueError as error:
            return venue_failed(error, line.name)
        except StoreError as error:
            return history_failed(error)
        except Exception:
            reference = secrets.token_hex(3)
            log.exception("/%s failed, reference %s", line.name, reference)
            return self._broken(line, reference)

    def _missing(self, name: str, words: list[str]) -> NoReturn:
        """Say that there is no such command, and which may have been meant."""
        if is_digits(" ".join([name, *words])):
            raise BadUsage("Digits alone answer no question: /confirm CODE DIGITS", usage=False)
        check_on(name, self._off)
        near = suggestion(self._services.commands, name)
        said = f"No /{clipped(name, 20)}" if name else "There is no word in this"
        if not near:
            raise BadUsage(said, (Choice("Help", "/help"),), usage=False)
        again = " ".join([f"/{near}", *words])
        raise BadUsage(
            f"{said}. Did you mean /{near}?", offer(near.capitalize(), again), usage=False
        )

    async def _run(self, found: Command, words: list[str], message: Message) -> Reply:
        check_role(found, message.caller)
        check_fresh(found, message, self._services.clock.now())
        holding = traders.may_hold(self._services) if found.held else None
        arguments = found.bind(words, self._known(found), holding)
        act = partial(found.run, Context(message, self._services), **arguments)
        if found.at_once:
            ask = self._services.confirmations.ask_for_digits
            question = ask(message.caller, message.text, act)
            if question is not None:
                return question
        return await act()

    def _known(self, found: Command) -> Known:
        if found.takes(Symbol):
            return traders.known_symbols(self._services)
        return dict.fromkeys(self._services.desk.traders, ())

    # -- what went wrong ------------------------------------------------------------------

    def _refused(
        self, refusal: Refused | NotDone, found: Command | None, words: list[str], message: Message
    ) -> Reply:
        if isinstance(refusal, NotDone):
            return not_done(refusal, found.name if found else "that")
        if isinstance(refusal, BadUsage):
            return self._misused(refusal, found, words)
        if isinstance(refusal, TooLate):
            return too_late(refusal, message)
        if isinstance(refusal, TooOften):
            return too_often(refusal)
        return refused(refusal, found.name if found else "that")

    def _misused(self, mistake: BadUsage, found: Command | None, words: list[str]) -> Reply:
        text, choices = NOTHING_SENT, mistake.choices
        if found is None:
            text = ""
        elif mistake.usage:
            text += f" {found.usage_with_example(self._example_base(words))}"
        if found is not None and (
            is_cry(said := " ".join(words)) or closes_everything(f"{found.name} {said}")
        ):
            choices = with_stop(choices)[:BUTTONS]
        return Reply(
            f"{REFUSED} {mistake}",
            text=text,
            choices=choices,
            level=Level.NOTICE,
            outcome=Outcome.REFUSED,
            asks=bool(choices),
        )

    def _example_base(self, words: list[str]) -> str:
        """The symbol that was typed, if it is one of ours; else the first that is traded."""
        items = self._services.desk.traders.values()
        bases = [s.base for t in items for s in t.symbols]
        said = next((w.upper().partition("/")[0] for w in words), "")
        return said if said in bases else next(iter(bases), "BTC")

    def _broken(self, line: CommandLine, reference: str) -> Reply:
        typed = f"/{line.text.removeprefix('/')}"
        again = () if line.name == "confirm" else offer("Again", typed)
        reply = Reply(
            f"{REFUSED} /{clipped(line.name, 20)} failed, reference {reference}",
            text="Trading goes on.",
            choices=(*again, Choice("Status", "/status")),
            level=Level.URGENT,
            outcome=Outcome.FAILED,
            reference=reference,
        )
        if line.instant:
            return replace(reply, text=self._after_broken_stop(), level=Level.CRITICAL)
        return reply

    def _after_broken_stop(self) -> str:
        if self._services.desk.latch.active:
            return "Entries are blocked; whether resting ones were cancelled is not known."
        return "Nothing is blocked: trading goes on."

    # -- once, and remembered -------------------------------------------------------------

    async def _answered_before(self, found: Command | None, message: Message) -> Reply | None:
        """What was answered before a restart; a stop does not ask, it stops again."""
        if not message.id or found is None or found.instant or not found.acts:
            return None
        looking = self._tasks.start(self._services.store.audited(message.id))
        if not await ended_within(self._services.clock, TIMEOUT, looking):
            looking.cancel()
            return None
        entry = None if looking.exception() is not None else looking.result()
        if entry is None:
            return None
        outcome = Outcome(entry.outcome) if entry.outcome in set(Outcome) else Outcome.DONE
        return repeated(Reply(entry.answer, outcome=outcome))


# -- pure ---------------------------------------------------------------------------------


def weight(found: Command | None, reply: Reply) -> Priority:
    """How urgent the answer to *found* is: by what it does, and how it ended.

    Whoever only looks, or is refused, gets no place before others by what the answer says.
    """
    if found is None or not found.acts or reply.outcome is Outcome.REFUSED:
        return Priority.LOOK
    if found.instant:
        return Priority.STOP
    answers_a_question = reply.outcome is Outcome.CONFIRM or found.name in ANSWERS
    return max(reply.priority, Priority.QUESTION if answers_a_question else Priority.NEWS)


def refused(refusal: Refused, name: str) -> Reply:
    return _told(str(refusal), f"/{name} was refused", NOTHING_SENT)


def not_done(error: NotDone, name: str) -> Reply:
    reply = _told(str(error), f"/{name} was not done", SOMETHING_SENT)
    return replace(
        reply,
        choices=(Choice("Positions", "/positions"), Choice("Orders", "/orders")),
        level=Level.URGENT,
        outcome=Outcome.FAILED,
    )


def _told(why: str, title: str, sent: str) -> Reply:
    told = f"{why[:1].upper()}{why[1:]}" if why[:1].isalpha() else why
    if len(told) <= _TITLE:
        return _no(told, sent)
    return _no(title, f"{sentence(told)} {sent}")


_TITLE = 70


def too_late(late: TooLate, message: Message) -> Reply:
    reply = _no(str(late), f"{NOTHING_SENT} What loosens or spends counts for 60\u00a0s.")
    return replace(reply, choices=offer("Ask again", message.text.strip()))


def too_often(refusal: TooOften) -> Reply:
    reply = _no(str(refusal), "/stop is never limited.")
    return replace(reply, choices=(Choice("Stop", "/stop"),))


def _no(title: str, text: str) -> Reply:
    return Reply(f"{REFUSED} {title}", text=text, level=Level.NOTICE, outcome=Outcome.REFUSED)


def venue_failed(error: VenueError, name: str) -> Reply:
    said = sentence(clipped(str(error), 200))
    choices: tuple[Choice, ...] = (Choice("Status", "/status"),)
    if isinstance(error, VenueUncertain):
        title, text = f"{DOUBT} Unknown: no clear answer to /{name}", "It may have been done."
        choices = (Choice("Orders", "/orders"), *choices)
    elif isinstance(error, VenueRejected):
        title, text = f"{REFUSED} The venue refused /{name}", "Nothing happened there."
    else:
        title, text = f"{REFUSED} The venue does not answer /{name}", "Nothing happened there."
    return Reply(
        title,
        text=f"{said} {text}".strip(),
        choices=choices,
        level=Level.URGENT,
        outcome=Outcome.FAILED,
    )


def history_failed(error: StoreError) -> Reply:
    return Reply(
        f"{REFUSED} History does not answer",
        text=f"{sentence(clipped(str(error), 200))} Trading goes on; a stop needs no history.",
        choices=(Choice("Status", "/status"), Choice("Stop", "/stop")),
        level=Level.URGENT,
        outcome=Outcome.FAILED,
    )


def repeated(earlier: Reply) -> Reply:
    """The same message came twice; it acted once.

    A question is asked again as it was, in case its first message was lost: its code works once.
    """
    if earlier.outcome is Outcome.CONFIRM and earlier.choices:
        return earlier
    return Reply(
        earlier.title,
        text="This came twice, and acted once.",
        level=earlier.level,
        outcome=earlier.outcome,
        reference=earlier.reference,
        asked=earlier.asked,
    )
