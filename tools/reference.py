"""Generator of docs/commands.md from the command line's help: `python -m tools.reference`."""

import argparse
import os
from pathlib import Path

from bench.cli import build_parser

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"


def reference() -> str:
    """Return the page as Markdown, equal at every terminal width."""
    os.environ["COLUMNS"] = "110"
    parser = build_parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    pages = [f"# Commands\n\nMade by `make docs` from `--help`.\n\n```\n{parser.format_help()}```\n"]
    for name, command in sorted(commands.choices.items()):
        pages.append(f"## bench {name}\n\n```\n{command.format_help()}```\n")
    return "\n".join(pages)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
