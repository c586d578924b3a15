"""Describe the commands: to people in a chat, and as a page of the documents."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from handlers import traders
from handlers.caller import Role
from handlers.command import NAME_LIMIT, Command, Commands, command
from handlers.context import Context
from handlers.format import plural
from handlers.reply import Choice, Reply, offer
from handlers.texts.screen import first_fitting
from trading.errors import Refused

UNLISTED = "Talk"
LIKELY = 0.75
"""How near a mistyped word must come to a command that loosens; 1 is the same word."""
ARTICLES = {Role.VIEWER: "a viewer", Role.OPERATOR: "an operator", Role.OWNER: "an owner"}

FIVE_STOPS = """\
/pause: no new entries; all else goes on.
/stop: also cancels resting entries. At once, never refused, never limited.
/flatten: also closes all positions, until flat. Asks.
/close SYMBOL: that position or a share; entries go on. Asks.
/shutdown: cancels entries, ends the process; positions stay. Asks.
/resume undoes the first three. Stops and exits go on in all but /shutdown."""


@command(family="Talk", rank=20, example="stop")
async def help(ctx: Context, name: str = "") -> Reply:
    """The commands that you may use, or one of them in full.

    name: a command, as in stop, or a group, as in look
    """
    commands = ctx.services.commands
    if not name:
        return overview(commands, ctx.caller.role)
    found = commands.get(name.lower().removeprefix("/"))
    if found is None and name.capitalize() in commands.FAMILIES:
        return group(commands, ctx.caller.role, name.capitalize())
    if found is None:
        raise Refused(f"There is no /{name.removeprefix('/')[:20]} to explain")
    if found.name == "stop":
        return five_stops()
    several = len(ctx.services.desk.traders) > 1
    return explained(found, traders.first_base(ctx.services), several=several)


def overview(commands: Commands, role: Role) -> Reply:
    """As many of each family as one screen holds."""
    most = len(commands)
    return first_fitting(_overview(commands, role, shown) for shown in range(most, 3, -1))


def _overview(commands: Commands, role: Role, most: int) -> Reply:
    mine = [c for c in commands.values() if c.role <= role and c.family != UNLISTED]
    families = dict.fromkeys(c.family for c in mine)
    lines = [_family([c for c in mine if c.family == family], most) for family in families]
    more = _more(commands, role)
    lines.append(f"/help NAME explains one.{f' {more}' if more else ''}")
    return Reply(
        f"Commands for {ARTICLES[role]}",
        text="\n".join(lines),
        choices=(Choice("Status", "/status"), Choice("The five stops", "/help stop")),
    )


def _family(found: Sequence[Command], most: int) -> str:
    """As in `Stop: /pause /stop`, or `Look: /status /positions, 9 more: /help look`."""
    family = found[0].family
    names = " ".join(f"/{c.name}" for c in found[:most])
    hidden = len(found) - most
    return f"{family}: {names}{f', {hidden} more: /help {family.lower()}' if hidden > 0 else ''}"


def group(commands: Commands, role: Role, family: str) -> Reply:
    """All commands of one family that *role* may use."""
    mine = [c for c in commands.values() if c.role <= role and c.family == family]
    needed = [c for c in commands.values() if c.role > role and c.family == family]
    text = " ".join(f"/{c.name}" for c in mine)
    more = f"{len(needed)} more {'needs' if len(needed) == 1 else 'need'} a higher role."
    return Reply(
        f"{family}: {plural(len(mine), 'command')} for {ARTICLES[role]}",
        text="\n".join(filter(None, [text, "/help NAME explains one.", more if needed else ""])),
        choices=(Choice("Help", "/help"), Choice("Status", "/status")),
    )


def _more(commands: Commands, role: Role) -> str:
    """As in `4 more need owner.`"""
    counts = [
        (higher, sum(c.role == higher for c in commands.values()))
        for higher in Role
        if higher > role
    ]
    told = [
        f"{count} more {'needs' if count == 1 else 'need'} {higher.name.lower()}"
        for higher, count in counts
        if count
    ]
    return f"{', '.join(told)}." if told else ""


def five_stops() -> Reply:
    return Reply(
        "The five stops",
        text=FIVE_STOPS,
        choices=(Choice("Status", "/status"), Choice("Stop now", "/stop")),
    )


def explained(found: Command, base: str, *, several: bool) -> Reply:
    lines = [found.summary]
    if found.details:
        lines.append(found.details)
    shown = [p for p in found.parameters if several or p.name != "trader"]
    lines += [f"{p.placeholder}: {p.doc}." for p in shown if not p.named]
    lines += [f"{p.name}=NAME: {p.doc}." for p in shown if p.named]
    lines.append(f"For {found.role.name.lower()}{'' if found.role is Role.OWNER else ' and up'}.")
    return Reply(
        found.usage_with_example(base),
        text="\n".join(lines),
        choices=_try(found),
    )


def _try(found: Command) -> tuple[Choice, ...]:
    """A button only for what reads and needs nothing more."""
    needs = any(p.required and not p.named for p in found.parameters)
    return () if found.acts or needs else offer(found.name.capitalize(), f"/{found.name}")


def suggestion(commands: Commands, name: str) -> str:
    """The command that was probably meant; empty if none is near.

    One that loosens or spends must be nearer: a hello is no /sell.
    """
    if len(name) > NAME_LIMIT:
        return ""
    near = difflib.get_close_matches(name, list(commands), n=1)
    if near and commands[near[0]].loosens:
        near = difflib.get_close_matches(name, near, cutoff=LIKELY)
    return near[0] if near else ""


# -- the page -----------------------------------------------------------------------------


def as_markdown(commands: Commands) -> str:
    """Return docs/commands.md.  A test checks that the file is up to date."""
    families = dict.fromkeys(c.family for c in commands.values())
    return "\n".join([_INTRODUCTION, *(_section(commands, f) for f in families)])


_INTRODUCTION = """\
# Commands

Written by `make docs` from the commands themselves. Each works from every face, with or without
the slash, in any case; pressing a button is the same as typing its command.

`BTC` means the pair that is traded here. With several traders, `trader=NAME` says which;
`trader=all` and, without a name, `/stop`, `/pause` and most looks mean all of them.
"""


def _section(commands: Commands, family: str) -> str:
    found = [c for c in commands.values() if c.family == family]
    rows = [f"| {_usage(c)} | {c.role.name.lower()} | {c.summary} |" for c in found]
    details = [text for c in found for text in _details(c)]
    head = ["| Command | Role | What it does |", "|---|---|---|"]
    return "\n".join([f"## {family}", "", *head, *rows, "", *details])


def _usage(found: Command) -> str:
    return f"`{found.usage.replace('|', chr(92) + '|')}`"


def _details(found: Command) -> Sequence[str]:
    """What the table has no room for: the parameters, and an example."""
    shown = [p for p in found.parameters if not p.named]
    if not shown:
        return ()
    said = "; ".join(f"`{p.placeholder}`: {p.doc}" for p in shown)
    return (f"- `{found.usage_with_example('BTC')}`. {said}.", "")
