"""The files of a rollup lake: who writes them, which of them are sound, and what a broken one is called."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlwatch.errors import InputError, reason_of, tells_of_full_disk
from mlwatch.store import rollups
from mlwatch.store.locks import lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAGIC = b"PAR1"
"""What a Parquet file begins and ends with."""
_LEAST = 12
_DAY = re.compile(r"\d{4,}-\d\d-\d\d")
_ROLLUPS = frozenset(rollup.name for rollup in rollups.ALL)


@contextmanager
def alone(lake: Path) -> Iterator[None]:
    """Make a lake's directory where it is missing, and let nobody else write into it meanwhile.

    Raises:
        InputError: when somebody does, or its files cannot be written.
    """
    import duckdb  # noqa: PLC0415

    todo = "give another place with -o"
    try:
        lake.mkdir(parents=True, exist_ok=True)
        with _locked(lake):
            yield
    except OSError as error:
        raise InputError(f"cannot write ({error.strerror})", str(lake), todo) from error
    except duckdb.Error as error:  # the engine writes the tables, and speaks of the store's files too
        text = reason_of(error)
        if str(lake) not in text:
            raise
        why = "the disk is full" if tells_of_full_disk(text) else text
        raise InputError(f"cannot write ({why})", str(lake), todo) from error


@contextmanager
def _locked(lake: Path) -> Iterator[None]:
    directory = os.open(lake, os.O_RDONLY)
    try:
        try:
            lock(directory)
        except BlockingIOError as error:
            what = "another mlwatch is writing these rollups"
            raise InputError(what, str(lake), "try again when it has ended") from error
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(directory)


def is_sound(path: Path) -> bool:
    """Tell whether a Parquet file is there from its beginning to its end."""
    try:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < _LEAST:
                return False
            file.seek(-len(MAGIC), os.SEEK_END)
            last = file.read()
            file.seek(0)
            return last == file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def is_name(name: str) -> bool:
    """Tell whether a name in a manifest is that of a day of a rollup, and leads nowhere else."""
    rollup, _, day = name.partition("/")
    return rollup in _ROLLUPS and _DAY.fullmatch(day) is not None


def day_of(name: str) -> str:
    """Return the day of `r_traffic/2026-11-03`."""
    return name.partition("/")[2]


def names_on_disk(lake: Path) -> set[str]:
    """Return the days of rollups that there are files of, whatever the manifest says."""
    found = (f"{path.parent.name}/{path.stem}" for path in lake.glob("r_*/*.parquet"))
    return {name for name in found if is_name(name)}


def sweep(lake: Path, names: set[str]) -> None:
    """Delete the files of days that are not among these, and what a writing that was cut short has left."""
    for name in names_on_disk(lake) - names:
        (lake / f"{name}.parquet").unlink(missing_ok=True)
    for path in (*lake.glob("r_*/*.part"), *lake.glob("tables/*.part")):
        path.unlink(missing_ok=True)
