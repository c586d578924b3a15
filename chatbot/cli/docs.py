"""`python -m chatbot.cli.docs` writes the pages of the documents that the code itself tells.

docs/commands.md is told by the commands, docs/exchanges.md by the exchanges.
"""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def pages() -> dict[str, str]:
    """Each page as it should stand, by its file; tests compare."""
    from handlers import load_commands
    from handlers.commands import help as commands
    from trading.venues import offers

    return {
        "commands.md": commands.as_markdown(load_commands()),
        "exchanges.md": offers.as_markdown(),
    }


def main() -> None:
    for file, text in pages().items():
        (DOCS / file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
