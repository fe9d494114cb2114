"""The command line: which command it goes to, and how it ends."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch import output
from mlwatch.arguments import COMMANDS, Parser, close_to, common, parser
from mlwatch.errors import InputError, MlwatchError, StoreError, one_line, reason_of, tells_of_full_disk
from mlwatch.rights import private

if TYPE_CHECKING:
    from collections.abc import Sequence

OK, USAGE, INTERRUPTED = 0, 2, 130


def with_command(arguments: Sequence[str]) -> list[str]:
    """Put the command first, `watch` where none is named: options may come before it."""
    word = _first_word(arguments)
    if word is None:
        return list(arguments)
    if word in COMMANDS:
        rest = list(arguments)
        rest.remove(word)
        return [word, *rest]
    if not Path(word).exists() and os.sep not in word and "." not in word:
        _suggest(word)
    return ["watch", *arguments]


def _first_word(arguments: Sequence[str]) -> str | None:
    """Return the first argument that is neither an option nor the value of one."""
    if not arguments or not arguments[0].startswith("-"):
        return next(iter(arguments), None)
    if any(argument in {"-h", "--help", "--version", "--print-completion"} for argument in arguments):
        return None
    options = Parser(prog="mlwatch", add_help=False)
    common(options)
    _, rest = options.parse_known_args(arguments)
    return next((argument for argument in rest if not argument.startswith("-")), None)


def _suggest(word: str) -> None:
    """Raise a better sentence than 'no such file' where a command was meant."""
    close = "--help" if word == "help" else close_to(word, list(COMMANDS))
    if close:
        raise InputError("neither a command nor a path", word, f"did you mean {close}?")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code; never raises but for `--help` and `--version`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # NumPy is not here yet. Our matrices are small: a second thread helps with none, and spins after each.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        _check_output()
        with private():
            code = _run(given)
        sys.stdout.flush()
    except MlwatchError as error:
        return _say(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()  # the reader has gone
        return OK
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            _discard_output()
            return _say("no space left: " + one_line(error.filename or "standard output") + ": free some")
        if "--debug" in given:
            raise
        return _say(_of_place(error) or _of_memory(error) or _of_engine(error) or _unexpected(error))
    return code


def _run(given: Sequence[str]) -> int:
    chosen = parser().parse_args(with_command(given))
    if chosen.print_completion is not None:
        name = "completion"
    elif chosen.command is None:
        parser().print_help(sys.stderr)
        return USAGE
    else:
        name = chosen.command
    module = importlib.import_module(f"mlwatch.commands.{name}")
    code: int = module.run(chosen)
    return code


def _check_output() -> None:
    """Make sure that there is an output, and that neither characters nor a log's numbers can break it."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # NumPy's, on absurd values: they would stand between our own lines
    if sys.stdout is None or sys.stderr is None:
        raise InputError("there is nowhere to write to", "standard output or error is closed", "open both")
    output.prepare()


def _discard_output() -> None:
    """Drop what could not be written, or Python would try again at its end and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(line: str) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"mlwatch: {line}\n")
    return USAGE


def _of_memory(error: Exception) -> str | None:
    """Return one line where the system gives no more memory; None for every other error."""
    refused = "bad allocation" in str(error) or "Allocation failure" in str(error)  # in the engine's words
    if isinstance(error, MemoryError) or (refused and type(error).__module__ == "_duckdb"):
        todo = "free some, or let it have at least 1.5 GB of address space (ulimit -v)"
        return f"the system gives mlwatch too little memory: {todo}"
    return None


def _of_engine(error: Exception) -> str | None:
    """Return one line for what the engine cannot do with a file; None for every other error."""
    if type(error).__module__ != "_duckdb":
        return None
    import duckdb  # noqa: PLC0415  it is there already, as the error is one of its own

    text = reason_of(error)
    if "orrupt" in str(error):
        todo = "mlwatch store reset deletes it, and logs are read again; or give another file with --db"
        return str(StoreError("the store is damaged", str(error), todo))
    if tells_of_full_disk(text):
        todo = "free some, or give another file with --db"
        return str(StoreError("the disk of the store is full", text, todo))
    if isinstance(error, duckdb.IOException):
        todo = "check its permissions and its disk, or give another store with --db"
        return str(InputError("a file cannot be read or written", text, todo))
    return None


def _of_place(error: Exception) -> str | None:
    """Return one line for a relative path that means nothing any more; None for every other error."""
    if isinstance(error, FileNotFoundError):
        try:
            Path.cwd()
        except FileNotFoundError:
            return "the current directory was deleted: .: go to another one, or give absolute paths"
    return None


def _unexpected(error: Exception) -> str:
    """Return one line for an error that nobody foresaw, and where it came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"unexpected {type(error).__name__}: {one_line(str(error))}: {where}: --debug shows all of it"
