"""A halt as JSON, for the latch file and the database alike.  Standard library only.

What is read is made clean: an earlier version may have kept what nobody can be sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from trading.common.text import cleaned
from trading.model.halt import Halt, Reached, Stage, Verb


def halt_to_json(halt: Halt) -> dict[str, Any]:
    return {
        "id": halt.id,
        "scope": halt.scope,
        "later": halt.later,
        "verb": int(halt.verb),
        "by": halt.by,
        "why": halt.why,
        "at": halt.at.isoformat(),
        "guard": halt.guard,
        "stages": _stages(halt.stages),
        "lifted_at": None if halt.lifted_at is None else halt.lifted_at.isoformat(),
        "lifted_by": halt.lifted_by,
    }


def halt_from_json(data: dict[str, Any]) -> Halt:
    """Raises KeyError, TypeError or ValueError for anything but what `halt_to_json` gave.

    Earlier versions wrote a version, too: now what a copy tells says how much it knows.
    """
    data = cleaned(data)
    lifted_at = data["lifted_at"]
    return Halt(
        id=str(data["id"]),
        scope=str(data["scope"]),
        later=data.get("later", False) is True,
        verb=Verb(data["verb"]),
        by=str(data["by"]),
        why=str(data["why"]),
        at=datetime.fromisoformat(data["at"]),
        guard=str(data["guard"]),
        stages=_stages_from(data["stages"]),
        lifted_at=None if lifted_at is None else datetime.fromisoformat(lifted_at),
        lifted_by=str(data["lifted_by"]),
    )


def stages_to_text(stages: Sequence[Reached]) -> str:
    return json.dumps([[r.stage.value, r.at.isoformat(), r.note] for r in stages])


def stages_from_text(text: str) -> tuple[Reached, ...]:
    return tuple(_reached(*row) for row in cleaned(json.loads(text)))


def _stages(stages: Sequence[tuple[str, Reached]]) -> list[list[str]]:
    return [[trader, r.stage.value, r.at.isoformat(), r.note] for trader, r in stages]


def _stages_from(rows: list[list[str]]) -> tuple[tuple[str, Reached], ...]:
    return tuple((trader, _reached(*told)) for trader, *told in rows)


def _reached(stage: str, at: str, note: str) -> Reached:
    return Reached(stage=Stage(stage), at=datetime.fromisoformat(at), note=note)
