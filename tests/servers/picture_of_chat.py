"""Makes docs/pictures: a real desk, both platforms on loopback, and what they received, drawn.

    .venv/bin/python -m tests.servers.picture_of_chat [FOLDER]

A phone is 360 logical pixels wide.  The letters are DejaVu's, which are wider than those of
phones, and therefore a little smaller here: a line takes as many of them as it does there.
"""

from __future__ import annotations

import asyncio
import html
import io
import json
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from tests.process.desk_process import ROOT, DeskProcess
from tests.servers import discord, telegram

PICTURES = ROOT / "docs/pictures"
WIDTH, SCALE = 360, 2
"""Logical pixels, and how many of the picture's each of them is."""
TEXT, SMALL, LINE, COLOURS = 14, 12, 20, 64
GREY = 0x8E9297
ANNA, ANNA_THERE = telegram.Person(111, "anna"), discord.Person(111, "anna")
USERS = json.dumps({"111": "owner"})
PHOTO_WIDTH = 290


# -- what is on a screen --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Words:
    text: str
    face: str = "DejaVuSans"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One message; *asked* is what a person typed before it, empty for an alert."""

    asked: str
    words: Sequence[Words]
    rows: Sequence[Sequence[tuple[str, bool]]]
    """Labels, and whether the button is red."""
    photo: bytes | None
    stripe: int = 0


def on_telegram(asked: str, sent: telegram.Sent) -> Shown:
    return Shown(
        asked=asked,
        words=list(_of_html(sent.html)),
        rows=[[(label, False) for label, _ in row] for row in sent.rows],
        photo=sent.photo,
    )


def on_discord(asked: str, sent: discord.Sent) -> Shown:
    rows = [row["components"] for row in sent.body.get("components") or []]
    return Shown(
        asked=asked,
        words=[Words(text=sent.title, face="DejaVuSans-Bold"), *_of_markdown(sent.description)],
        rows=[[(b["label"], b["style"] == 4) for b in row] for row in rows],
        photo=sent.photo,
        stripe=sent.colour,
    )


def _of_html(text: str) -> Iterator[Words]:
    faces = {"b": "DejaVuSans-Bold", "pre": "DejaVuSansMono"}
    for tag, inside, prose in re.findall(
        r"<(b|pre)>(.*?)</\1>|((?:(?!<b>|<pre>).)+)", text, re.DOTALL
    ):
        bare = html.unescape(re.sub(r"<[^>]+>", "", inside or prose)).strip("\n")
        if bare:
            yield Words(text=bare, face=faces.get(tag, "DejaVuSans"))


def _of_markdown(text: str) -> Iterator[Words]:
    for number, part in enumerate(text.split("```")):
        fixed = number % 2 == 1
        bare = part if fixed else discord.unmarked(re.sub(r"<t:(\d+):R>", _ago, part))
        if bare.strip("\n"):
            yield Words(text=bare.strip("\n"), face="DejaVuSansMono" if fixed else "DejaVuSans")


def _ago(found: re.Match[str]) -> str:
    """As Discord writes it."""
    seconds = round(time.time() - int(found[1]))
    if seconds < 1:
        return "now"
    return f"{seconds} second{'' if seconds == 1 else 's'} ago"


# -- drawing --------------------------------------------------------------------------------------


@cache
def _font(face: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(get_data_path()) / f"fonts/ttf/{face}.ttf", size * SCALE)


def _lines(words: Words, width: float) -> list[str]:
    """The text as the phone breaks it: at spaces; a table's lines too, where they are too long."""
    font, found = _font(words.face, TEXT), []
    for line in words.text.split("\n"):
        current = ""
        for word in re.split(r"(?<= )", line):
            if current and font.getlength((current + word).rstrip()) > width * SCALE:
                found.append(current.rstrip())
                current = ""
            current += word
        found.append(current.rstrip())
    return found


class Screen:
    """A picture that grows downwards; all lengths are logical pixels."""

    def __init__(self, background: int) -> None:
        self._image = Image.new("RGB", (WIDTH * SCALE, 2_000 * SCALE), _rgb(background))
        self._draw = ImageDraw.Draw(self._image)
        self.y = 10.0

    def box(
        self, left: float, width: float, height: float, colour: int, *, round_: int = 8
    ) -> None:
        area = (left, self.y, left + width, self.y + height)
        self._draw.rounded_rectangle([v * SCALE for v in area], round_ * SCALE, _rgb(colour))

    def line(
        self, x: float, text: str, colour: int, *, face: str = "DejaVuSans", size: int = TEXT
    ) -> None:
        self._draw.text((x * SCALE, self.y * SCALE), text, _rgb(colour), _font(face, size))

    def centred(self, left: float, width: float, text: str, colour: int) -> None:
        x = left + (width - _font("DejaVuSans", TEXT).getlength(text) / SCALE) / 2
        self.line(x, text, colour)

    def photo(self, left: float, raw: bytes) -> None:
        shown = Image.open(io.BytesIO(raw)).convert("RGB")
        height = round(PHOTO_WIDTH * shown.height / shown.width)
        shown = shown.resize((PHOTO_WIDTH * SCALE, height * SCALE), Image.Resampling.LANCZOS)
        self._image.paste(shown, (round(left * SCALE), round(self.y * SCALE)))
        self.y += height + 6

    def save(self, path: Path) -> None:
        cut = self._image.crop((0, 0, WIDTH * SCALE, round((self.y + 10) * SCALE)))
        cut.quantize(COLOURS).save(path, optimize=True)


def _rgb(colour: int) -> tuple[int, int, int]:
    return colour >> 16, colour >> 8 & 255, colour & 255


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a platform draws a message."""

    background: int
    bubble: int
    ink: int
    fixed: int
    """Behind a table."""
    button: int
    left: float
    width: float


TELEGRAM = Look(
    background=0xC8D9E6, bubble=0xFFFFFF, ink=0x111111, fixed=0xEEF3F7, button=0x9FB6C6, left=8,
    width=310,
)  # fmt: skip
DISCORD = Look(
    background=0x313338, bubble=0x2B2D31, ink=0xDBDEE1, fixed=0x1E1F22, button=0x4E5058, left=16,
    width=328,
)  # fmt: skip


def draw(shown: Shown, look: Look, path: Path) -> None:
    screen = Screen(look.background)
    (_asked_there if look is TELEGRAM else _asked_here)(screen, shown.asked)
    inner = look.width - 20
    pieces = [(words, _lines(words, inner)) for words in shown.words]
    photo = 0.0
    if shown.photo is not None:
        size = Image.open(io.BytesIO(shown.photo)).size
        photo = round(PHOTO_WIDTH * size[1] / size[0]) + 6
    height = sum(len(lines) for _, lines in pieces) * LINE + photo + 14
    if look is DISCORD:
        screen.box(look.left - 4, look.width + 4, height, shown.stripe)
    screen.box(look.left, look.width, height, look.bubble)
    screen.y += 7
    if look is TELEGRAM and shown.photo is not None:
        screen.photo(look.left + 10, shown.photo)
    for words, lines in pieces:
        if words.face == "DejaVuSansMono":
            screen.box(look.left + 5, look.width - 10, len(lines) * LINE, look.fixed, round_=4)
        for line in lines:
            screen.line(look.left + 10, line, look.ink, face=words.face)
            screen.y += LINE
    if look is DISCORD and shown.photo is not None:
        screen.photo(look.left + 10, shown.photo)
    screen.y += 12
    _buttons(screen, shown, look)
    screen.save(path)


def _asked_there(screen: Screen, asked: str) -> None:
    """Telegram: a bubble of our own, at the right."""
    if asked:
        width = _font("DejaVuSans", TEXT).getlength(asked) / SCALE + 20
        screen.box(WIDTH - 8 - width, width, 28, 0xE1FFC7)
        screen.y += 5
        screen.line(WIDTH + 2 - width, asked, 0x111111)
        screen.y += 32


def _asked_here(screen: Screen, asked: str) -> None:
    """Discord: who used what, and who answers."""
    if asked:
        screen.line(16, f"anna used {asked}", GREY, size=SMALL)
        screen.y += 20
    screen.line(16, "harbour", 0xF2F3F5, face="DejaVuSans-Bold")
    screen.line(86, "APP", 0x949CF7, size=SMALL)
    screen.y += 24


def _buttons(screen: Screen, shown: Shown, look: Look) -> None:
    """Telegram divides a row evenly; Discord puts one after the other and breaks the row."""
    x = look.left
    for row in shown.rows:
        even = (look.width - 4 * (len(row) - 1)) / len(row)
        for label, red in row:
            width = (
                even
                if look is TELEGRAM
                else _font("DejaVuSans", TEXT).getlength(label) / SCALE + 28
            )
            if x > look.left and x + width > look.left + look.width + 1:
                x, screen.y = look.left, screen.y + 40
            screen.box(x, width, 34, 0xDA373C if red else look.button)
            screen.y += 8
            screen.centred(x, width, label, 0xFFFFFF)
            screen.y -= 8
            x += width + (4 if look is TELEGRAM else 8)
        x, screen.y = look.left, screen.y + (38 if look is TELEGRAM else 40)


# -- the story ------------------------------------------------------------------------------------


async def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        async with telegram.TelegramServer() as there, discord.DiscordServer() as here:
            desk = DeskProcess(Path(place), **_settings(there, here))
            await asyncio.to_thread(desk.start)
            try:
                await _story(desk, there, here, folder)
            finally:
                await asyncio.to_thread(desk.kill)


def _settings(there: telegram.TelegramServer, here: discord.DiscordServer) -> dict[str, str]:
    one, other = "QUARTERDECK__CHAT__TELEGRAM__", "QUARTERDECK__CHAT__DISCORD__"
    return {
        f"{one}ENABLED": "true", f"{one}BASE_URL": there.base_url, f"{one}TOKEN": there.token,
        f"{one}USERS": USERS, f"{one}ALERTS": '[{"chat": 111}]',
        f"{other}ENABLED": "true", f"{other}API_URL": here.api_url,
        f"{other}GATEWAY_URL": here.gateway_url, f"{other}TOKEN": here.token,
        f"{other}USERS": USERS, f"{other}ALERTS": '[{"user": 111}]',
        "QUARTERDECK__FEEDS__CRASH__SPEED": "240",
    }  # fmt: skip


async def _story(
    desk: DeskProcess,
    there: telegram.TelegramServer,
    here: discord.DiscordServer,
    folder: Path,
) -> None:
    here.private(ANNA_THERE.id)
    await _patiently(partial(there.seen, 111, "Opened"))
    symbol = await _position(there)
    told: dict[str, dict[str, str]] = {
        "status": {}, "positions": {}, "chart": {"symbol": symbol}, "flatten": {}, "stop": {},
    }  # fmt: skip
    for name, options in told.items():
        typed = " ".join([f"/{name}", *options.values()])
        answer: Any = await there.answer_to(await there.says(ANNA, typed))
        await _picture(on_telegram(typed, answer), TELEGRAM, folder / f"telegram-{name}.png")
        if name == "stop":
            await asyncio.to_thread(desk.do, "/resume")
        answer = await here.answer_to(await here.says(ANNA_THERE, name, options))
        await _picture(on_discord(typed, answer), DISCORD, folder / f"discord-{name}.png")
    alert: Any = await there.seen(111, "Opened")
    await _picture(on_telegram("", alert), TELEGRAM, folder / "telegram-alert.png")
    alert = await here.seen(here.private(111).id, "Opened")
    await _picture(on_discord("", alert), DISCORD, folder / "discord-alert.png")


async def _position(there: telegram.TelegramServer) -> str:
    """Wait until two or three are open; one of them."""
    while True:
        status = await there.answer_to(await there.says(ANNA, "/status"))
        if re.search(r"Open [23] of", status.text):
            return str(re.findall(r"^(\w+) (?:long|short) ", status.text, re.MULTILINE)[0])
        await asyncio.sleep(1)


async def _picture(shown: Shown, look: Look, path: Path) -> None:
    print(f"--- {path.name}", *(words.text for words in shown.words), *shown.rows, sep="\n")  # noqa: T201  # to be read as well
    await asyncio.to_thread(draw, shown, look, path)


async def _patiently(look: Callable[[], Awaitable[object]]) -> None:
    """As many tries of ten seconds as a market needs."""
    for _ in range(12):
        try:
            await look()
        except AssertionError:
            continue
        return


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES))
