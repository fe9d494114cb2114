"""Check what the command line points at, before anything dear is imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlwatch.config.topics import is_topics, parse_topics
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from mlwatch.config.topics import Topics

SCHEMES = frozenset(
    ("http", "https", "ftp", "file", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "wasbs", "hdfs", "dbfs")
)
"""Of URLs that somebody may take for a path; other words with a colon are names, as of `HOST:/DIRECTORY`."""


def place(text: str) -> tuple[Path, Topics | None]:
    """Read what is to be watched: a directory or file; or topics, with the directory of their configuration.

    Raises:
        InputError: It is meant as topics and is no address of any.
    """
    if not is_topics(text):
        return Path(text), None
    try:
        return Path(), parse_topics(text)
    except ValueError as error:
        raise InputError(
            "not an address of topics", text.partition("?")[0].rpartition("@")[2], str(error)
        ) from None


def check_path(path: Path) -> None:
    """Make sure that a path can be watched.

    Raises:
        InputError: saying what is wrong and what to do.
    """
    try:
        if not path.exists():
            refuse_url(path)
            close = _neighbour(path)
            todo = f"did you mean {close}?" if close else "give the directory that holds the prediction logs"
            raise InputError("no such file or directory", str(path), todo)
        if path.is_dir():
            next(path.iterdir(), None)
        elif path.is_file():
            with path.open("rb"):
                pass
        else:  # a pipe would be waited for
            todo = "give the directory that holds the prediction logs"
            raise InputError("neither a directory nor a regular file", str(path), todo)
    except OSError as error:
        refuse_url(path)  # a long one is no name of a file
        raise InputError(f"cannot be read ({error.strerror})", str(path), "check its permissions") from error


def refuse_url(path: Path) -> None:
    """Say that a path is meant as a URL, if it is: without its user, password and query, which may be secret.

    Raises:
        InputError: It is one.
    """
    scheme, mark, rest = str(path).partition(":/")
    if not mark or scheme.lower().rpartition("+")[2] not in SCHEMES:
        return
    try:
        host = urlsplit(f"//{rest}").hostname or ""
    except ValueError:
        host = ""
    todo = "give a file, or the directory that holds the prediction logs"
    if scheme in {"http", "https"}:
        todo += "; mlwatch probe asks a model server"
    raise InputError("a URL where a path is wanted", f"{scheme}://{host}", todo)


def _neighbour(path: Path) -> Path | None:
    """Return what lies beside a missing path under nearly its name."""
    import difflib  # noqa: PLC0415  only for a mistake

    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return None
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.75)
    return path.with_name(close[0]) if close else None
