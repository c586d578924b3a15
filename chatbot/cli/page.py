"""Pages of HTML that need nothing else: no script, no style, no picture from elsewhere."""

from __future__ import annotations

import asyncio
import base64
import html
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from chatbot.render.pictures import Theme
from handlers.chart import EquityChart
from trading.clocks import SystemClock

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#12161b}
body{max-width:62rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #e1e6ea}
th:first-child,td:first-child{text-align:left}
img{max-width:100%;height:auto}pre{white-space:pre-wrap}
"""


def page(title: str, *parts: str) -> str:
    """The whole page; *title* is text, *parts* are made by the functions below."""
    said = html.escape(title)
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{said}</title>',
            f"<style>{_STYLE}</style></head><body><h1>{said}</h1>",
            *parts,
            "</body></html>",
        ]
    )


def preformatted(lines: Iterable[str]) -> str:
    return f"<pre>{html.escape(chr(10).join(lines))}</pre>"


def image(picture: bytes | None, says: str) -> str:
    """A PNG within the page; nothing without one."""
    if picture is None:
        return ""
    data = base64.b64encode(picture).decode()
    return f'<p><img alt="{html.escape(says)}" src="data:image/png;base64,{data}"></p>'


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = "\n".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    caption = html.escape(title)
    return f"<h2>{caption}</h2><table><tr>{_cells('th', head)}</tr>\n{body}</table>"


def _cells(kind: str, texts: Iterable[str]) -> str:
    return "".join(f"<{kind}>{html.escape(text)}</{kind}>" for text in texts)


def drawn(of: EquityChart, theme: Theme) -> bytes | None:
    """Draw it in another process; None where that cannot be."""
    return asyncio.run(_drawn(of, theme))


async def _drawn(of: EquityChart, theme: Theme) -> bytes | None:
    from chatbot.ports import NoPicture
    from chatbot.render.pictures import PictureProcess

    with tempfile.TemporaryDirectory() as folder:
        drawing = PictureProcess(theme=theme, folder=Path(folder), clock=SystemClock())
        try:
            return await drawing.draw(of)
        except NoPicture:
            return None
        finally:
            await drawing.close()
