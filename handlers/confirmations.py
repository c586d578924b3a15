"""Second looks: what sells, loosens or ends the process is asked for, then confirmed with a code.

A code is bound to a person, a chat, an action and what was shown; it holds for 60 s, works once,
and is void after a restart.  The code carries nothing: everything stays here.

Whoever has set up a second factor gives its digits too, where a yes loosens or spends; never
where it makes safer.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from handlers.access import TooLate, require_fresh
from handlers.caller import Caller
from handlers.format import duration, plural
from handlers.line import split
from handlers.message import Message
from handlers.reply import Choice, Level, Outcome, Reply, offer
from handlers.second_factor import CodeAnswer, SecondFactor
from handlers.texts.phrases import LOOK, REFUSED, clipped
from trading.clocks import Clock

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Nothing that reads like something else."""
LENGTH = 4
LIFETIME = 60
"""Seconds."""
REMEMBERED = 256
"""Codes of which we can still say what became of them."""

TRIES = 3
"""Wrong digits after which a question is void."""
SAFE = frozenset({"close", "flatten", "shutdown"})
"""A yes to these neither loosens nor spends; one to anything else does."""

CONFIRM, CANCEL = "/confirm CODE", "/cancel CODE"
"""How a question writes its buttons; `ask` puts the code in."""

_OPEN = {
    CodeAnswer.USED: "These digits were used, wait for new ones",
    CodeAnswer.UNKNOWN: "History does not take that these digits are used",
}
"""Why right digits do not count, and others may."""

Action = Callable[[], Awaitable[Reply]]


def random_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    caller: Caller
    command: str
    action: Action
    until: float
    """Monotonic: a clock that is set back does not prolong it."""
    ended: str = ""
    """How, as in `used. Nothing more was sent.`; empty while it waits for an answer."""
    wrong: int = 0
    """Wrong digits so far."""

    @property
    def loosens(self) -> bool:
        return split(self.command)[0] not in SAFE


class Confirmations:
    def __init__(
        self,
        clock: Clock,
        new_code: Callable[[], str] = random_code,
        factor: SecondFactor | None = None,
    ) -> None:
        self._clock = clock
        self._new_code = new_code
        self._factor = factor or SecondFactor(clock)
        self._asked: dict[str, _Question] = {}

    def ask(self, caller: Caller, command: str, reply: Reply, action: Action) -> Reply:
        """Return *reply* as a question; *action* runs when *caller* confirms it in time.

        *command* is what was typed, for `Ask again`.
        """
        code = self._unused_code()
        question = _Question(
            caller=caller,
            command=command,
            action=action,
            until=self._clock.monotonic() + LIFETIME,
        )
        self._asked[code] = question
        lines = [reply.text] if reply.text else []
        if self._wants_digits(question):
            lines.append(f"With six digits from your app: /confirm {code} 123456")
        lines.append(f"Only {caller.name}, here, for {LIFETIME}\u00a0s.")
        return replace(
            reply,
            text="\n".join(lines),
            choices=tuple(Choice(c.label, _with_code(c.command, code)) for c in reply.choices),
            outcome=Outcome.CONFIRM,
        )

    def ask_for_digits(self, caller: Caller, command: str, action: Action) -> Reply | None:
        """A question for what has none of its own; None where no digits are wanted."""
        if not self._factor.is_asked_of(caller.user):
            return None
        name, _ = split(command)
        question = Reply(
            f"{LOOK} Go on with /{name}?",
            choices=(Choice("Cancel", CANCEL), Choice("Go on", CONFIRM)),
        )
        return self.ask(caller, command, question, action)

    async def confirm(self, message: Message, code: str, digits: str = "") -> Reply:
        """Carry out what was asked.  What loosens counts for a minute after it was said."""
        caller = message.caller
        question = self._asked.get(code)
        refusal = self._refusal(code, question, caller, "confirm")
        if refusal is not None or question is None:
            return refusal or _unknown(code)
        refusal = self._late(question, message)
        if refusal is None:
            refusal = await self._without_factor(code, question, digits)
            # Meanwhile it may have been answered otherwise.
            refusal = refusal or self._refusal(code, self._asked.get(code), caller, "confirm")
        if refusal is not None:
            return refusal
        # Ended before anything is awaited: a second press in between finds it used.
        self._asked[code] = replace(question, ended="used. Nothing more was sent.")
        return await question.action()

    def cancel(self, caller: Caller, code: str) -> Reply:
        question = self._asked.get(code)
        refusal = self._refusal(code, question, caller, "cancel")
        if refusal is not None or question is None:
            return refusal or _unknown(code)
        self._asked[code] = replace(question, ended="cancelled. Nothing was sent.")
        return Reply(f"{REFUSED} Cancelled. Nothing was sent.")

    def _refusal(
        self, code: str, question: _Question | None, caller: Caller, verb: str
    ) -> Reply | None:
        if question is None:
            return _unknown(code)
        asked = question.caller
        if caller.user != asked.user:
            return _refused(f"Only {asked.name} may {verb}. Nothing was sent.", question)
        if caller.chat != asked.chat:
            return _refused(f"Only where it was asked: {asked.place}. Nothing was sent.", question)
        if question.ended:
            return _spent(f"Already {question.ended}", question)
        if self._clock.monotonic() >= question.until:
            return _spent("Expired. Nothing was sent.", question)
        return None

    def _late(self, question: _Question, message: Message) -> Reply | None:
        if not question.loosens:
            return None
        try:
            require_fresh("confirm", message, self._clock.now())
        except TooLate as late:
            return _refused(f"{late}. Nothing was sent.", question)
        return None

    # -- the second factor ----------------------------------------------------------------

    def _wants_digits(self, question: _Question) -> bool:
        return question.loosens and self._factor.is_asked_of(question.caller.user)

    async def _without_factor(self, code: str, question: _Question, digits: str) -> Reply | None:
        """What is said instead of acting; None: the digits are right, or none are wanted."""
        if not self._wants_digits(question):
            return None
        if not digits:
            return self._still_open(code, question, "Six digits are missing")
        answer = await self._factor.look(question.caller.user, digits)
        if answer is CodeAnswer.WRONG:
            return self._wrong_digits(code, question)
        if answer is CodeAnswer.HELD_OFF:
            return _refused("Too many wrong digits lately. Nothing was sent.", question)
        return (
            None if answer is CodeAnswer.RIGHT else self._still_open(code, question, _OPEN[answer])
        )

    def _wrong_digits(self, code: str, question: _Question) -> Reply:
        question = replace(question, wrong=question.wrong + 1)
        left = TRIES - question.wrong
        ended = "" if left else f"void after {TRIES} wrong codes. Nothing was sent."
        self._asked[code] = replace(question, ended=ended)
        if not left:
            void = f"Wrong digits {TRIES} times, the question is void. Nothing was sent."
            return _refused(void, question)
        return self._still_open(
            code, question, f"Wrong digits, {plural(left, 'try', 'tries')} left"
        )

    def _still_open(self, code: str, question: _Question, title: str) -> Reply:
        left = timedelta(seconds=question.until - self._clock.monotonic())
        return Reply(
            f"{REFUSED} {title}",
            text=f"Nothing was sent. Type /confirm {code} and the digits from your app, as in "
            f"/confirm {code} 123456. It holds for {duration(left)} more.",
            choices=(Choice("Cancel", _with_code(CANCEL, code)),),
            level=Level.NOTICE,
            outcome=Outcome.REFUSED,
        )

    def _unused_code(self) -> str:
        while len(self._asked) >= REMEMBERED:
            ended = (code for code, each in self._asked.items() if self._has_ended(each))
            del self._asked[next(ended, next(iter(self._asked)))]
        code = self._new_code()
        while code in self._asked:
            code = self._new_code()
        return code

    def _has_ended(self, question: _Question) -> bool:
        return bool(question.ended) or self._clock.monotonic() >= question.until


def _with_code(command: str, code: str) -> str:
    if command in (CONFIRM, CANCEL):
        return command.replace("CODE", code)
    return command


def _refused(sentence: str, question: _Question) -> Reply:
    return Reply(
        f"{REFUSED} {sentence}",
        choices=offer("Ask again", question.command),
        outcome=Outcome.REFUSED,
    )


def _spent(sentence: str, question: _Question) -> Reply:
    return replace(_refused(sentence, question), spent=True)


def _unknown(code: str) -> Reply:
    """Never asked, asked before a restart, or so long ago that it is forgotten."""
    return Reply(
        f"{REFUSED} No question has the code {clipped(code, 8)}. Nothing was sent.",
        text=f"Codes hold for {LIFETIME}\u00a0s, and not over a restart.",
        choices=(Choice("Status", "/status"),),
        outcome=Outcome.REFUSED,
        spent=True,
    )
