"""The log: whole lines of JSON, no secrets, and nobody waits for it."""

from __future__ import annotations

import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
import structlog

from chatbot import logs

TOKEN = "123456789:AAHk-Zx9Qw_3rTyUiOpAsDfGhJkLzXcVbNm"
log = structlog.stdlib.get_logger("desk")
library = logging.getLogger("a.library")


def written(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / logs.FILE).read_text().splitlines()]


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = object.__repr__


def fail(why: str) -> None:
    raise ValueError(why)


def test_an_entry_is_a_line_of_json(tmp_path: Path) -> None:
    with logs.writing(tmp_path, level="info", console="error"):
        log.info("started", trader="majors", symbols=("BTC", "ETH"))
        library.warning("odd: %s", 7)
        log.debug("not asked for")
    first, second = written(tmp_path)
    assert first.pop("at").endswith("+00:00")
    assert first == {
        "level": "info",
        "event": "started",
        "trader": "majors",
        "symbols": ["BTC", "ETH"],
        "logger": "desk",
    }
    assert (second["event"], second["level"], second["logger"]) == (
        *("odd: 7", "warning"),
        "a.library",
    )


def test_secrets_are_masked_wherever_they_stand(tmp_path: Path) -> None:
    with logs.writing(tmp_path, level="info", console="error", secrets=["s3cr/t"]):
        log.info(
            "asked https://api.telegram.org/bot%s/getMe", TOKEN, key="s3cr/t", url="?k=s3cr%2Ft"
        )
        library.info("sent %s", {"headers": ["Bearer s3cr/t"]})
        try:
            fail(f"403 for {TOKEN} and s3cr/t")
        except ValueError:
            log.exception("it broke")
            library.exception("so did this")
    text = (tmp_path / logs.FILE).read_text()
    assert "s3cr" not in text
    assert "AAHk" not in text
    asked, _, broke, this = written(tmp_path)
    assert asked["event"] == "asked https://api.telegram.org/bot***/getMe"
    assert (asked["key"], asked["url"]) == ("***", "?k=***")
    for entry in (broke, this):
        assert "ValueError: 403 for *** and ***" in entry["exception"]


def test_the_console_shows_what_matters_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logs.writing(tmp_path, level="info", console="warning"):
        log.info("a quiet thing")
        try:
            fail("no luck")
        except ValueError:
            log.exception("it broke", reference="4f1c9a")
    line = capsys.readouterr().err
    assert line[8:] == " ERROR it broke reference=4f1c9a (ValueError: no luck)\n"
    assert len(written(tmp_path)) == 2


def test_a_folder_that_cannot_be_written_is_told_once_and_hurts_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("a file, not a folder")
    with logs.writing(tmp_path / "logs", level="info", console="critical"):
        log.info("one")
        log.info("two")
    err = capsys.readouterr().err
    assert err.count("cannot be written") == 1
    assert "Traceback" not in err


def test_a_disk_that_is_full_to_the_end_hurts_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / logs.FILE).symlink_to("/dev/full")
    with logs.writing(tmp_path, level="info", console="critical"):
        log.warning("something")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cannot be written: [Errno 28] No space left" in said


def test_a_disk_that_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / logs.FILE)  # opened for writing, it waits for a reader for ever
    with logs.writing(tmp_path, level="info", console="critical"):
        for number in range(logs.WAITING + 10):
            log.info("entry", number=number)
    reader = os.open(tmp_path / logs.FILE, os.O_RDONLY)  # the disk is back
    text = b"".join(iter(lambda: os.read(reader, 65536), b""))
    os.close(reader)
    assert logs.WAITING <= text.count(b"\n") < logs.WAITING + 10  # the last ones found no room


def test_an_entry_that_cannot_be_made_into_text_is_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logs.writing(tmp_path, level="info", console="error"):
        log.info("odd", thing=Unspeakable())
        library.info("fine")
    assert [entry["event"] for entry in written(tmp_path)] == ["fine"]
    assert capsys.readouterr().err == ""


def test_warnings_go_to_the_log(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with logs.writing(tmp_path, level="info", console="error"):
            warnings.warn("old ways", stacklevel=1)
    assert "old ways" in written(tmp_path)[0]["event"]


def test_files_turn_over_by_size(tmp_path: Path) -> None:
    with logs.writing(tmp_path, level="info", console="error"):
        for _ in range(2):
            log.info("x" * (logs.SIZE // 2))
    assert sorted(file.name for file in tmp_path.iterdir()) == [logs.FILE, f"{logs.FILE}.1"]


def test_a_second_desk_in_one_process_logs_to_its_own_folder(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with logs.writing(tmp_path / name, level="info", console="error"):
            log.info(name)
    assert [written(tmp_path / name)[0]["event"] for name in ("one", "two")] == ["one", "two"]
