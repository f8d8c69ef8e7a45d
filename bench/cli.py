"""The command `bench`: parse, call the library, print. An error becomes one message and an exit code."""

import argparse
import contextlib
import pkgutil
import re
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn, cast

import bench
from bench import commands
from bench.errors import BenchError
from bench.text import escape_unprintable
from model_zoo.errors import ZooError, suggestion

DESCRIPTION = "Evaluate robust ImageNet models: attacks, corruptions, distribution shift, diagnostics."
EPILOG = "exit codes: 0 complete, 2 usage, 3 incomplete, 4 regression found, 5 data or weights missing or not verified"
BEGINNING = """Evaluate robust ImageNet models: attacks, corruptions, distribution shift,
diagnostics.

  bench demo                    run everything once, without a download
  bench list models             list models; also suites, attacks, datasets
  bench show MODEL              print one model's card
  bench run --model NAME --suite SUITE --data DIR
                                measure; the same command again continues
  bench results DIR             print the numbers; also leaderboard, report
  bench compare MODEL_A MODEL_B DIR
                                compare two models, image by image

`bench --help` shows every command, `bench COMMAND --help` its options."""
CONTINUED = ("run", "diagnose", "demo", "reproduce")
"""Commands that continue after an interruption."""
INTERRUPTED, TERMINATED, HUNG_UP = 130, 143, 129
"""Exit codes 128 + signal, as in shells: Ctrl-C (SIGINT), SIGTERM, SIGHUP."""


class Termination(KeyboardInterrupt):
    """SIGTERM, handled like Ctrl-C."""


class HangUp(KeyboardInterrupt):
    """SIGHUP: the terminal was closed."""


class StoreOnce(argparse._StoreAction):
    """Store an option's value; refuse the option a second time, where argparse would forget the first value."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        given: set[str] = vars(namespace).setdefault("_given", set())
        if option and self.dest in given:
            several = "; separate several by commas" if "," in str(self.metavar) else ""
            parser.error(f"{option} is given twice, found {getattr(namespace, self.dest)} and {values}{several}")
        given.add(self.dest)
        super().__call__(parser, namespace, values, option)


class Parser(argparse.ArgumentParser):
    """Argument parser that suggests the nearest option or command for an unknown one; options cannot be abbreviated."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "allow_abbrev": False})
        for name in (None, "store"):
            self.register("action", name, StoreOnce)
        self._negative_number_matcher = re.compile(r"-[\d.]")  # `--eps -1/255` is a wrong budget, not a missing one

    def error(self, message: str) -> NoReturn:
        """Print `message` in one line, with the command that helps, and exit with code 2."""
        self.exit(2, f"{self.prog}: {message}{'' if '`' in message else f'; `{self.prog} --help` shows all'}\n")

    def unknown_option(self, words: Sequence[str]) -> NoReturn:
        """Report the first of the unknown `words`, with the nearest known option."""
        option = next((word for word in words if word.startswith("-")), words[-1])
        known = [o for action in self._actions for o in action.option_strings]
        self.error(f"unknown option {option}{suggestion(option, known)}; `{self.prog} --help` shows all")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = list(action.choices)
        what = "command" if isinstance(action, argparse._SubParsersAction) else _called(action)
        end = f"`{self.prog} --help` shows all" if what == "command" else f"known: {', '.join(known)}"
        self.error(f"unknown {what} {value!r}{suggestion(str(value), known)}; {end}")


def _called(action: argparse.Action) -> str:
    """Return the name of an argument as it is typed."""
    return "/".join(action.option_strings) or str(action.metavar or action.dest)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser; each file of `bench.commands` adds its command."""
    parser = Parser(prog="bench", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="store_true", help="print the version")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for module in sorted(m.name for m in pkgutil.iter_modules(commands.__path__)):
        import_module(f"bench.commands.{module}").add_parser(subparsers)
    parser.set_defaults(parser=parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = build_parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        chosen = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        of = cast(Parser, chosen.choices[options.command] if options.command else parser)
        of.unknown_option(unknown)
    if options.command is None:
        print(f"bench {bench.__version__}" if options.version else BEGINNING)
        return 0
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
        lost = getattr(signal, "SIGHUP", None)  # Windows has none
        if lost is not None and signal.getsignal(lost) != signal.SIG_IGN:  # which nohup sets
            signal.signal(lost, _hang_up)
    try:
        if folder := getattr(options, "own_cards", None):
            from model_zoo.registry import use_cards

            use_cards(folder)
        return int(options.func(options))
    except (BenchError, ZooError) as error:
        from bench.layout import say

        say(f"bench {options.command}: {escape_unprintable(str(error))}", sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone (`| head`); there is nobody to tell
        return 0
    except KeyboardInterrupt as stop:
        with contextlib.suppress(OSError):  # the terminal may be gone
            kept = "; finished units are stored, the same command continues" if options.command in CONTINUED else ""
            said = f"\nbench {options.command}: stopped{kept}"
            print(said, file=sys.stderr)
        return HUNG_UP if isinstance(stop, HangUp) else TERMINATED if isinstance(stop, Termination) else INTERRUPTED


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise Termination


def _hang_up(_number: int, _frame: object) -> NoReturn:
    raise HangUp


if __name__ == "__main__":
    sys.exit(main())
