"""What the command line takes: a parser for each command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mlwatch import __version__
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

COMMANDS = {
    "watch": "watch a directory of prediction logs live",
    "serve": "the live app in a browser, for this machine only unless told",
    "check": "judge the rollout and the rules once, for a pipeline",
    "backtest": "replay the verdicts of a past rollout",
    "calibrate": "measure how noisy equal versions are, for trustworthy verdicts",
    "report": "print the numbers as one document",
    "export": "write the numbers for another system",
    "drift": "compare two tables: how far each column moved from a reference",
    "profile": "save what live data are compared with as a small file",
    "rollup": "write the rollups as Parquet files by day, which open like logs",
    "init": "write the inferred mlwatch.toml",
    "query": "run read-only SQL over the store",
    "store": "look at the store, tidy it, begin anew",
    "probe": "ask model servers what they are, what they serve and how they are",
    "demo": "watch a real rollout on this machine: two servers, traffic, a fault half-way",
    "formats": "list the log formats of serving products that are read at sight",
}


CHOOSING: Mapping[str, dict[str, Any]] = {
    "model": {"metavar": "NAME", "help": "only this model"},
    "baseline": {"metavar": "VERSION", "help": "the version in service; the oldest otherwise"},
    "candidate": {"metavar": "VERSION", "help": "the version under test; the newest otherwise"},
    "reference": {"type": Path, "metavar": "FILE", "help": "data that drift is measured against"},
    "since": {"metavar": "TIME", "help": "start of the range, such as 2026-11-03T12:00Z or '6h ago'"},
    "until": {"metavar": "TIME", "help": "end of the range; the newest data otherwise"},
    "window": {"metavar": "LENGTH", "help": "length of the range, such as 6h; everything otherwise"},
}
"""Options that say which records are looked at and how they are compared."""
_WHOLE = CHOOSING.keys() - {"reference"}
WITHOUT: Mapping[str, Collection[str]] = {
    "serve": {"since", "until", "window"},
    "backtest": {"since", "window"},
    "calibrate": {"since", "window"},
    "profile": {"candidate"},
    "rollup": _WHOLE,
    "init": {"reference", "since", "until", "window"},
    "query": _WHOLE,
    "store": CHOOSING.keys(),
}
"""Those of them that mean nothing to a command."""

SHELLS = ("bash", "zsh", "fish")


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are one line, like every other."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong instead of printing the usage."""
        raise InputError(message, "command line", f"see {self.prog} --help")

    def parse_args(self, *given: Any, **named: Any) -> Any:
        """Read a command line; an option that there is none of is an error with the nearest one that there is."""
        chosen, left = self.parse_known_args(*given, **named)
        if left:
            command = commands_of(self).get(getattr(chosen, "command", None) or "", self)
            name = left[0].partition("=")[0]
            if name.removeprefix("--") in CHOOSING:
                todo = f"see {command.prog} --help"
                raise InputError(f"{name} means nothing to {command.prog}", "command line", todo)
            close = close_to(name, list(command._option_string_actions))  # noqa: SLF001  no public list
            todo = f"did you mean {close}?" if close else f"see {command.prog} --help"
            raise InputError(f"unknown argument {left[0]}", "command line", todo)
        return chosen


def commands_of(top: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """Return the parsers of the commands by their names."""
    found = (action.choices for action in top._actions if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001  no public list
    return next(found, {})


class _Place(argparse.Action):
    """Keep what is to be watched: a path, further ones, and topics where the address of some is given."""

    def __call__(self, _: argparse.ArgumentParser, chosen: Any, value: Any, _option: Any = None) -> None:
        """Read the argument."""
        if value is None:
            return
        from mlwatch.paths import place  # noqa: PLC0415  the version alone must come at once

        first, *others = value if isinstance(value, list) else [value]
        chosen.path, chosen.topics = place(first)
        chosen.address, chosen.others = first, tuple(Path(each) for each in others)


def parser() -> Parser:
    """Return the parser of all commands; each command's module adds its own options."""
    top = Parser(
        prog="mlwatch",
        description="Is this model, this version, healthy right now? Reads prediction logs, shows and reports.",
        epilog="mlwatch PATH is the same as mlwatch watch PATH.",
    )
    top.add_argument("--version", action="version", version=f"mlwatch {__version__}")
    top.add_argument(
        "--print-completion", choices=SHELLS, metavar="SHELL", help="a completion script: bash, zsh or fish"
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        if name == "demo":
            _demo(command)
            continue
        if name == "probe":
            _probe(command)
        if name == "drift":
            _drift(command)
            continue
        if name in ("formats", "probe"):  # about no directory
            command.add_argument("--format", choices=("text", "json"), default="text")
            command.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
            continue
        common(command, WITHOUT.get(name, ()))
        _own(name, command)
        _outward(name, command)
    return top


def _demo(command: argparse.ArgumentParser) -> None:
    """Add what the demo takes: it brings its own logs."""
    command.add_argument(
        "--for", dest="length", default="4m", metavar="LENGTH", help="of the script; 4m otherwise"
    )
    command.add_argument(
        "--rate", type=float, default=40.0, metavar="N", help="requests a second; 40 otherwise"
    )
    command.add_argument("--headless", action="store_true", help="no screen: print the verdict at the end")
    command.add_argument("--no-color", action="store_true", help="no colours; NO_COLOR does the same")
    command.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)


def _drift(command: argparse.ArgumentParser) -> None:
    """Add what a comparison of two files takes: there are no logs and no store."""
    command.add_argument("path", type=Path, metavar="TABLE", help="Parquet, CSV or JSON")
    command.add_argument(
        "--reference",
        type=Path,
        metavar="FILE",
        help="table or profile to compare with; the configured one, or reference.parquet beside TABLE otherwise",
    )
    command.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration; mlwatch.toml beside TABLE otherwise"
    )
    command.add_argument("--format", choices=("text", "md", "json"), default="text")
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to a file")
    command.add_argument("--debug", action="store_true", help="show the trace of an unexpected error")


def _probe(command: argparse.ArgumentParser) -> None:
    """Add the addresses, and the one request that is only sent when it is asked for."""
    command.add_argument("urls", nargs="+", metavar="URL", help="such as http://localhost:8080")
    command.add_argument("--model", metavar="NAME", help="name of the model at the server")
    command.add_argument("--golden", metavar="FILE", help="also send this input for a prediction")
    command.add_argument("--expect", metavar="FILE", help="the answer that --golden must get")
    command.add_argument(
        "--path", metavar="PATH", help="where --golden goes; the server's usual path otherwise"
    )
    command.add_argument(
        "--tolerance", type=float, metavar="X", help="largest difference of a number; 1e-6 otherwise"
    )
    command.add_argument(
        "--ignore",
        action="append",
        metavar="NAME",
        help="member of the answer that may change, such as request_id, however deep it is; may be repeated",
    )


def common(command: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """Add what every command takes, without those options that mean nothing to it."""
    command.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration; mlwatch.toml in PATH otherwise"
    )
    command.add_argument("--db", metavar="FILE", help="store file, or :memory:; one a directory otherwise")
    for name, form in CHOOSING.items():
        if name not in without:
            command.add_argument(f"--{name}", **form)
    command.set_defaults(**dict.fromkeys(without))
    command.add_argument("--no-color", action="store_true", help="no colours; NO_COLOR does the same")
    command.add_argument("--debug", action="store_true", help="show the trace of an unexpected error")


def _own(name: str, command: argparse.ArgumentParser) -> None:
    """Add what one command takes besides."""
    if name == "store":
        command.add_argument("action", choices=("info", "vacuum", "reset"), help="what to do with the store")
    _places(name, command)
    if name == "query":
        command.add_argument("sql", metavar="SQL", help="one SELECT")
        command.add_argument("--format", choices=("table", "csv", "json"), default="table")
    elif name == "report":
        command.add_argument(
            "--format", choices=("json", "md", "html"), default="json", help="json is the contract"
        )
        command.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to a file")
        _filter(command)
    elif name == "check":
        _filter(command)
        command.add_argument(
            "--format", choices=("text", "json", "junit", "github", "markdown"), default="text"
        )
        command.add_argument("--summary", type=Path, metavar="FILE", help="also add Markdown to this file")
        command.add_argument(
            "--html", type=Path, metavar="FILE", help="also write a report of what is judged to this file"
        )
        command.add_argument("--at", metavar="TIME", help="judge a moment of the past; like --until TIME")
        command.add_argument(
            "--wait", metavar="LENGTH", help="wait so long for a verdict; with --until promote or decided"
        )
    elif name == "backtest":
        command.add_argument("--format", choices=("text", "json"), default="text")
    elif name == "calibrate":
        command.add_argument("--format", choices=("text", "json"), default="text")
        command.add_argument(
            "--splits", type=int, default=20, metavar="N", help="random splits; 20 otherwise"
        )
    elif name == "init":
        command.add_argument(
            "-o", "--output", type=Path, metavar="FILE", help="mlwatch.toml in PATH otherwise"
        )
        command.add_argument("--stdout", action="store_true", help="print instead of writing")
        command.add_argument("--force", action="store_true", help="write over an existing file")
    elif name == "store":
        command.add_argument("--yes", action="store_true", help="do not ask before a reset")
    elif name in ("watch", "serve"):
        _app(command)


def _filter(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--filter", metavar="FILTER", help="of these records alone, such as 'country = BR and hour < 6'"
    )


def _places(name: str, command: argparse.ArgumentParser) -> None:
    """Add what is looked at."""
    several = name in {"watch", "serve", "check", "report", "backtest"}
    command.set_defaults(topics=None, others=(), apart=False)
    command.add_argument(
        "path",
        action=_Place,
        nargs="+" if several else "?" if name == "export" else None,  # a dashboard is about no directory
        metavar="PATH",
        help="directory of prediction logs, or one file, or kafka://BROKER:9092/TOPIC"
        + ("; or several directories of rollups" if several else ""),
    )
    if several:
        command.add_argument(
            "--apart", action="store_true", help="show several rollups side by side, not as one"
        )


def _app(command: argparse.ArgumentParser) -> None:
    """Add how the live app looks and what it may do."""
    command.add_argument(
        "--ascii",
        action=argparse.BooleanOptionalAction,
        help="draw with ASCII characters only; by itself where the locale has no UTF-8",
    )
    command.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    command.add_argument("--theme", metavar="NAME", help="mlwatch-dark, mlwatch-light or one of Textual's")
    command.add_argument("--fps", type=int, metavar="N", help="most repaints a second, 1 to 120")
    command.add_argument("--read-only", action="store_true", help="write no exports and no pictures")


def _outward(name: str, command: argparse.ArgumentParser) -> None:
    """Add what goes to other systems."""
    if name == "watch":
        command.add_argument("--at", metavar="TIME", help="begin with a moment of the past; like --until")
        command.add_argument(
            "--replay", metavar="SPEED", help="play the past from its beginning, such as 60x"
        )
    if name in {"watch", "check"}:
        command.add_argument(
            "--endpoint",
            action="append",
            metavar="URL",
            help="also poll this server, such as http://localhost:8080 or torchserve+http://…; may be repeated",
        )
    if name == "export":
        _target(command)
    if name == "rollup":
        _rollup(command)
    elif name in {"export", "profile"}:
        more = "; of wandb, a directory" if name == "export" else ""
        command.add_argument("-o", "--output", type=Path, metavar="FILE", help=f"write to a file{more}")
    elif name == "report":
        _comparisons(command)
    elif name == "serve":
        command.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen")
        command.add_argument("--port", type=int, default=8585, metavar="N", help="0 takes a free one")
        command.add_argument(
            "--name", action="append", default=[], metavar="HOST", help="a further host name to be called by"
        )
    elif name == "watch":
        command.add_argument(
            "--exporter",
            metavar="ADDRESS",
            help="also serve metrics to Prometheus, such as :9464 (this machine only) or 0.0.0.0:9464",
        )


def _target(command: argparse.ArgumentParser) -> None:
    """Add the systems that take an export."""
    command.add_argument(
        "--to",
        choices=("prometheus", "grafana", "otlp", "flink", "wandb"),
        required=True,
        help="system that the output is for",
    )
    command.add_argument(
        "--collector",
        metavar="URL",
        help="of otlp: where OTLP over HTTP is taken; else [otlp] url or OTEL_EXPORTER_OTLP_ENDPOINT",
    )


def _rollup(command: argparse.ArgumentParser) -> None:
    """Add what counts a log that no machine holds, and where."""
    command.add_argument("-o", "--output", type=Path, metavar="DIRECTORY", help="where to write")
    command.add_argument(
        "--engine",
        choices=("duckdb", "spark"),
        default="duckdb",
        help="spark reads what no machine holds, on any file system of Spark's; it counts less, and says what",
    )
    command.add_argument(
        "--master",
        metavar="URL",
        help="of Spark: local[*], spark://HOST:7077; its own configuration otherwise",
    )


def _comparisons(command: argparse.ArgumentParser) -> None:
    """Add what else a report may say."""
    command.add_argument(
        "--compare", type=Path, metavar="FILE", help="compare with an earlier report of --format json"
    )
    command.add_argument(
        "--compat", choices=("evidently", "nannyml"), help="also say what this tool would say of drift"
    )
    command.add_argument(
        "--multivariate",
        action="store_true",
        help="also compare all features together, in the JSON document",
    )


def close_to(word: str, known: Sequence[str]) -> str | None:
    """Return the name that a mistyped word is most like, if it is like one."""
    import difflib  # noqa: PLC0415  only for a mistake

    return next(iter(difflib.get_close_matches(word, known, n=1)), None)
