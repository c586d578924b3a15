"""Second looks: what sells, loosens or ends the process is asked for, then confirmed with a code.

A code is bound to a person, a chat, an action and what was shown; it holds for 60 s, works once,
and is void after a restart.  The code carries nothing: everything stays here.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from handlers.command import Code, command
from handlers.context import Caller, Context
from handlers.reply import Choice, Outcome, Reply, offer
from handlers.words import REFUSED
from trading.clocks import Clock

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Nothing that reads like something else."""
LENGTH = 4
LIFETIME = 60
"""Seconds."""
REMEMBERED = 256
"""Codes of which we can still say what became of them."""

CONFIRM, CANCEL = "/confirm CODE", "/cancel CODE"
"""How a question writes its buttons; `ask` puts the code in."""

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


class Confirmations:
    def __init__(self, clock: Clock, new_code: Callable[[], str] = random_code) -> None:
        self._clock = clock
        self._new_code = new_code
        self._asked: dict[str, _Question] = {}

    def ask(self, caller: Caller, command: str, reply: Reply, action: Action) -> Reply:
        """Return *reply* as a question; *action* runs when *caller* confirms it in time.

        *command* is what was typed, for `Ask again`.
        """
        code = self._unused_code()
        self._asked[code] = _Question(
            caller=caller,
            command=command,
            action=action,
            until=self._clock.monotonic() + LIFETIME,
        )
        bound = f"Only {caller.name}, here, for {LIFETIME}\u00a0s."
        return replace(
            reply,
            text=f"{reply.text}\n{bound}" if reply.text else bound,
            choices=tuple(Choice(c.label, _with_code(c.command, code)) for c in reply.choices),
            outcome=Outcome.CONFIRM,
        )

    async def confirm(self, caller: Caller, code: str) -> Reply:
        question = self._asked.get(code)
        refusal = self._refusal(question, caller, "confirm")
        if refusal is not None or question is None:
            return refusal or _expired()
        # Ended before anything is awaited: a second press in between finds it used.
        self._asked[code] = replace(question, ended="used. Nothing more was sent.")
        return await question.action()

    def cancel(self, caller: Caller, code: str) -> Reply:
        question = self._asked.get(code)
        refusal = self._refusal(question, caller, "cancel")
        if refusal is not None or question is None:
            return refusal or _expired()
        self._asked[code] = replace(question, ended="cancelled. Nothing was sent.")
        return Reply(f"{REFUSED} Cancelled. Nothing was sent.")

    def _refusal(self, question: _Question | None, caller: Caller, verb: str) -> Reply | None:
        if question is None:
            return _expired()
        asked = question.caller
        if caller.user != asked.user:
            return _refused(f"Only {asked.name} may {verb}. Nothing was sent.", question)
        if caller.chat != asked.chat:
            return _refused(f"Only where it was asked: {asked.place}. Nothing was sent.", question)
        if question.ended:
            return _refused(f"Already {question.ended}", question)
        if self._clock.monotonic() >= question.until:
            return _refused("Expired. Nothing was sent.", question)
        return None

    def _unused_code(self) -> str:
        while len(self._asked) >= REMEMBERED:
            del self._asked[next(iter(self._asked))]
        code = self._new_code()
        while code in self._asked:
            code = self._new_code()
        return code


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


def _expired() -> Reply:
    """Of a code that is unknown: long gone, or asked before a restart."""
    return Reply(
        f"{REFUSED} Expired. Nothing was sent.",
        text=f"A code holds for {LIFETIME}\u00a0s, and not over a restart.",
        choices=(Choice("Status", "/status"),),
        outcome=Outcome.REFUSED,
    )


@command(family="Talk", acts=True, rank=30, example="7K3Q")
async def confirm(ctx: Context, code: Code) -> Reply:
    """Say yes to a question, with the code it gave.

    code: the four characters that the question showed
    """
    return await ctx.services.confirmations.confirm(ctx.caller, code)


@command(family="Talk", acts=True, rank=40, example="7K3Q")
async def cancel(ctx: Context, code: Code) -> Reply:
    """Say no to a question, with the code it gave.

    code: the four characters that the question showed
    """
    return ctx.services.confirmations.cancel(ctx.caller, code)
