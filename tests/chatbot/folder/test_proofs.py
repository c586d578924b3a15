"""A proof counts for what it is of, and for nothing else; what cannot be read proves nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatbot.folder.proofs import PROOFS, Proof, ProvenMarket, keep_proof, proof_of, proofs_in
from chatbot.folder.state import StateFolder

AT = datetime(2026, 12, 1, 12, tzinfo=UTC)
SWAP = ProvenMarket(exchange="binance", market="swap", url="", quarterdeck="0.1.0", ccxt="4.5")
PROOF = Proof(of=SWAP, at=AT, sandbox=True, steps=("It was opened.",))


def test_it_is_found_again_as_it_was_kept(tmp_path: Path) -> None:
    keep_proof(tmp_path, PROOF)
    assert proof_of(tmp_path, SWAP) == PROOF
    assert PROOF.words == "2026-12-01 on its testnet, Quarterdeck 0.1.0, ccxt 4.5"


@pytest.mark.parametrize("field", ["exchange", "market", "url", "quarterdeck", "ccxt"])
def test_it_proves_nothing_of_another_market_or_version(tmp_path: Path, field: str) -> None:
    keep_proof(tmp_path, PROOF)
    assert proof_of(tmp_path, replace(SWAP, **{field: "other"})) is None


def test_a_later_one_takes_the_place_of_its_like_alone(tmp_path: Path) -> None:
    spot = replace(PROOF, of=replace(SWAP, market="spot"))
    later = replace(PROOF, sandbox=False)
    for proof in (PROOF, spot, later):
        keep_proof(tmp_path, proof)
    assert proofs_in(tmp_path) == [spot, later]


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '[{"of": {}}]', "\N{SNOWMAN}", "null"])
def test_what_cannot_be_read_proves_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / PROOFS).write_text(text)
    assert proof_of(tmp_path, SWAP) is None


def test_a_fresh_start_keeps_it(tmp_path: Path) -> None:
    with StateFolder(tmp_path / "state") as folder:
        keep_proof(folder.path, PROOF)
        assert folder.set_aside(AT) is not None
        assert proof_of(folder.path, SWAP) == PROOF
