"""`python -m chatbot.cli.docs` writes docs/commands.md from the commands themselves."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"


def text() -> str:
    """The page as it should stand; a test compares."""
    from handlers import load_commands
    from handlers.commands.help import as_markdown

    return as_markdown(load_commands())


def main() -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
