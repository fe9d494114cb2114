"""The files of a log directory on any file system that Spark reads."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from mlwatch.errors import InputError, reason_of
from mlwatch.sources.files import is_wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import SparkSession

    from mlwatch.config import Config


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as Spark lists it."""

    uri: str
    """What Spark is asked to read."""
    relative: str
    """Path below the source."""
    mark: str
    """Changes when the file does."""
    size: int

    @property
    def family(self) -> str:
        """What it shares with files that differ only in digits."""
        path = PurePosixPath(self.relative)
        return json.dumps([str(path.parent), re.sub(r"[0-9a-f]{8,}|[0-9]+", "#", path.name)])


def normal(uri: str) -> str:
    """Return an address in the one form that addresses are compared in: Spark writes the same file in several."""
    parts = urlsplit(uri)
    return f"{parts.scheme or 'file'}://{parts.netloc}/{unquote(parts.path).lstrip('/')}"


def local_path(uri: str) -> Path | None:
    """Return the path of a file on this machine; None for one elsewhere."""
    parts = urlsplit(normal(uri).replace("%", "%25").replace("?", "%3F").replace("#", "%23"))
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def files(spark: SparkSession, source: str, config: Config) -> list[Listed]:
    """List the log files below a directory, oldest first.

    Raises:
        InputError: when it cannot be listed.
    """
    root = source if "://" in source else f"file://{quote(str(Path(source).resolve()))}"
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    try:
        rows = reader.load(root).select("path", "modificationTime", "length").collect()
    except Exception as error:  # whatever a file system may raise
        raise InputError(f"cannot be listed ({reason_of(error)})", source, "check the address") from error
    base = normal(root).rstrip("/") + "/"
    found = []
    for row in sorted(rows, key=lambda row: (row.modificationTime, row.path)):
        where = normal(row.path)
        relative = where.removeprefix(base) if where.startswith(base) else PurePosixPath(where).name
        if row.length and is_wanted(relative, config.watch.include, config.watch.exclude):
            mark = f"{row.length}:{row.modificationTime.isoformat()}"
            found.append(Listed(row.path, relative, mark, row.length))
    return found


def families(listed: Sequence[Listed]) -> dict[str, list[Listed]]:
    """Gather files that differ only in digits, in their order."""
    found: dict[str, list[Listed]] = defaultdict(list)
    for one in listed:
        found[one.family].append(one)
    return dict(found)
