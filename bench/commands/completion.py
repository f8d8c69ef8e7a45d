"""`bench completion SHELL`: what makes a shell complete commands, options and names."""

import argparse
from typing import Any

SHELLS = ("bash", "zsh", "fish")
SETUP = """bash: eval "$(bench completion bash)" in ~/.bashrc; zsh: write it as _bench into a folder of $fpath;
fish: write it as ~/.config/fish/completions/bench.fish"""


def add_parser(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Describe `bench completion`."""
    parser = subparsers.add_parser(
        "completion", help="print a shell's completion script for commands, options and names", epilog=SETUP
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(func=_completion)


def _completion(arguments: argparse.Namespace) -> int:
    from bench.completion import completion

    print(completion(arguments.parser, arguments.shell))
    return 0
