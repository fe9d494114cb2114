"""The command line: what it takes, and which command it goes to."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mlwatch import __version__
from mlwatch.errors import InputError, MlwatchError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

OK, USAGE, INTERRUPTED = 0, 2, 130

COMMANDS = {
    "watch": "watch a directory of prediction logs live",
    "check": "judge the rollout and the rules once, for a pipeline",
    "report": "print the numbers as one document",
    "init": "write the inferred mlwatch.toml",
    "query": "run read-only SQL over the store",
    "store": "look at the store, tidy it, begin anew",
}


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are one line, like every other."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong instead of printing the usage."""
        raise InputError(message, "command line", f"see {self.prog} --help")


def parser() -> Parser:
    """Return the parser of all commands; each command's module adds its own options."""
    top = Parser(
        prog="mlwatch",
        description="Is this model, this version, healthy right now? Reads prediction logs, shows and reports.",
        epilog="mlwatch PATH is the same as mlwatch watch PATH.",
    )
    top.add_argument("--version", action="version", version=f"mlwatch {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        _common(command)
        _own(name, command)
    return top


def _common(command: argparse.ArgumentParser) -> None:
    """Add what every command takes."""
    command.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration; mlwatch.toml in PATH otherwise"
    )
    command.add_argument("--db", metavar="FILE", help="store file, or :memory:; one a directory otherwise")
    command.add_argument("--model", metavar="NAME", help="only this model")
    command.add_argument("--baseline", metavar="VERSION", help="the version in service; the oldest otherwise")
    command.add_argument(
        "--candidate", metavar="VERSION", help="the version under test; the newest otherwise"
    )
    command.add_argument("--reference", type=Path, metavar="FILE", help="data that drift is measured against")
    command.add_argument(
        "--since", metavar="TIME", help="start of the range, such as 2026-11-03T12:00Z or '6h ago'"
    )
    command.add_argument("--until", metavar="TIME", help="end of the range; the newest data otherwise")
    command.add_argument(
        "--window", metavar="LENGTH", help="length of the range, such as 6h; everything otherwise"
    )
    command.add_argument("--no-color", action="store_true", help="no colours; NO_COLOR does the same")
    command.add_argument("--debug", action="store_true", help="show the trace of an unexpected error")


def _own(name: str, command: argparse.ArgumentParser) -> None:
    """Add what one command takes besides."""
    if name == "store":
        command.add_argument("action", choices=("info", "vacuum", "reset"), help="what to do with the store")
    command.add_argument("path", type=Path, metavar="PATH", help="directory of prediction logs, or one file")
    if name == "query":
        command.add_argument("sql", metavar="SQL", help="one SELECT")
        command.add_argument("--format", choices=("table", "csv", "json"), default="table")
    elif name == "report":
        command.add_argument("--format", choices=("json", "md"), default="json", help="json is the contract")
        command.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to a file")
    elif name == "check":
        command.add_argument(
            "--format", choices=("text", "json", "junit", "github", "markdown"), default="text"
        )
        command.add_argument("--summary", type=Path, metavar="FILE", help="also add Markdown to this file")
        command.add_argument("--at", metavar="TIME", help="judge a moment of the past; like --until TIME")
        command.add_argument(
            "--wait", metavar="LENGTH", help="wait so long for a verdict; with --until promote or decided"
        )
    elif name == "init":
        command.add_argument("--stdout", action="store_true", help="print instead of writing")
        command.add_argument("--force", action="store_true", help="write over an existing file")
    elif name == "store":
        command.add_argument("--yes", action="store_true", help="do not ask before a reset")
    elif name == "watch":
        command.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
        command.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
        command.add_argument(
            "--theme", metavar="NAME", help="mlwatch-dark, mlwatch-light or one of Textual's"
        )


def with_command(arguments: Sequence[str]) -> list[str]:
    """Put `watch` before a bare path."""
    if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        if not Path(arguments[0]).exists() and os.sep not in arguments[0] and "." not in arguments[0]:
            _suggest(arguments[0])
        return ["watch", *arguments]
    return list(arguments)


def _suggest(word: str) -> None:
    """Raise a better sentence than 'no such file' where a command was meant."""
    import difflib  # noqa: PLC0415  only for a mistake

    close = difflib.get_close_matches(word, COMMANDS, n=1)
    if close:
        raise InputError("neither a command nor a path", word, f"did you mean {close[0]}?")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code; never raises but for `--help` and `--version`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        chosen = parser().parse_args(with_command(given))
        if chosen.command is None:
            parser().print_help(sys.stderr)
            return USAGE
        module = importlib.import_module(f"mlwatch.commands.{chosen.command}")
        code: int = module.run(chosen)
        sys.stdout.flush()
    except MlwatchError as error:
        return _say(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the reader has gone: nothing to flush
        return OK
    except Exception as error:
        if "--debug" in given:
            raise
        return _say(_unexpected(error))
    return code


def _say(line: str) -> int:
    sys.stderr.write(f"mlwatch: {line}\n")
    return USAGE


def _unexpected(error: Exception) -> str:
    """Return one line for an error that nobody foresaw, and where it came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"unexpected {type(error).__name__}: {one_line(str(error))}: {where}: --debug shows all of it"
