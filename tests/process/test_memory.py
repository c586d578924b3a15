"""What a running paper desk keeps out of memory: all that only others need."""

from __future__ import annotations

import json

import pytest

from tests.process.conftest import NewDesk

FOREIGN = {"pandas", "polars", "matplotlib", "telegram", "discord", "ccxt", "alpaca"}

TELLS = """
import atexit, json, sys
from pathlib import Path
atexit.register(lambda: Path("modules").write_text(json.dumps([*sys.modules])))
from chatbot.__main__ import main
main()
"""


@pytest.mark.slow
def test_a_paper_desk_that_has_traded_has_loaded_nothing_of_others(new_desk: NewDesk) -> None:
    desk = new_desk(QUARTERDECK__FEEDS__CRASH__SPEED="600")
    desk.launch(code=TELLS)
    desk.start_is_over()
    desk.until(lambda: desk.say("/trades")["table"], "a trade")
    for text in ("/status", "/positions", "/why BTC", "/stop", "/halts", "/help"):
        desk.say(text)
    assert desk.terminate() == 0

    loaded = {name.partition(".")[0] for name in json.loads((desk.folder / "modules").read_text())}

    assert {"talib", "numpy", "sqlalchemy", "chatbot"} <= loaded, "it must have been the desk"
    assert not FOREIGN & loaded
