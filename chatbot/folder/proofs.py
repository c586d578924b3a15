"""What `quarterdeck prove` has seen done on exchanges, kept in the state folder.

A proof is about an exchange, not about a desk's books: a fresh start keeps it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

PROOFS = "proofs.json"
"""`chatbot.folder.state` takes it along to a fresh start."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenMarket:
    """What a proof is of; anything else, a later version too, is another thing."""

    exchange: str
    market: str
    url: str
    """In place of the exchange's own address; empty: its own."""
    quarterdeck: str
    ccxt: str

    @classmethod
    def now(cls, *, exchange: str, market: str, url: str) -> Self:
        """Of the versions that run."""
        return cls(
            exchange=exchange,
            market=market,
            url=url,
            quarterdeck=version("quarterdeck"),
            ccxt=version("ccxt"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    of: ProvenMarket
    at: datetime
    sandbox: bool
    """With test money."""
    steps: tuple[str, ...]
    """What was seen, a sentence each."""

    @property
    def words(self) -> str:
        """How and when, as in `2026-12-01 on its testnet, Quarterdeck 0.1.0, ccxt 4.5.1`."""
        where = "on its testnet" if self.sandbox else "with real money"
        versions = f"Quarterdeck {self.of.quarterdeck}, ccxt {self.of.ccxt}"
        return f"{self.at:%Y-%m-%d} {where}, {versions}"


def proof_of(folder: Path, market: ProvenMarket) -> Proof | None:
    """The last one that fits; None: unproven, also when what is kept cannot be read."""
    return next((proof for proof in reversed(proofs_in(folder)) if proof.of == market), None)


def proofs_in(folder: Path) -> list[Proof]:
    """Oldest first."""
    try:
        return [_proof(told) for told in json.loads((folder / PROOFS).read_text("utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        log.warning("%s cannot be read: nothing counts as proven", folder / PROOFS)
        return []


def keep_proof(folder: Path, proof: Proof) -> None:
    """In place of the one of the same; whole or not at all.  Raises `OSError`."""
    others = [each for each in proofs_in(folder) if each.of != proof.of]
    told = [asdict(each) | {"at": each.at.isoformat()} for each in (*others, proof)]
    written = folder / f"{PROOFS}.new"
    with written.open("w", encoding="utf-8") as file:
        json.dump(told, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    written.replace(folder / PROOFS)


def _proof(told: Mapping[str, Any]) -> Proof:
    return Proof(
        of=ProvenMarket(**told["of"]),
        at=datetime.fromisoformat(told["at"]),
        sandbox=bool(told["sandbox"]),
        steps=tuple(map(str, told["steps"])),
    )
