"""What a session watches and how, as the command line or a program says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlwatch.config import FILE_NAME, CacheSettings, Config, EndpointSettings, discover, load
from mlwatch.config.polled import REDIS, cache_of
from mlwatch.config.unapplied import Unapplied

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.config.topics import Topics


@dataclass(frozen=True, slots=True)
class Options:
    """What to watch and how."""

    path: Path
    """A log directory, or a single file; where `mlwatch.toml` and the reference are when there are topics."""
    others: tuple[Path, ...] = ()
    """Further directories of rollups, where `path` is one."""
    apart: bool = False
    """Show each directory of rollups as models of its own, rather than all as one."""
    topics: Topics | None = None
    """Topics of Kafka to read instead of files."""
    config: Path | None = None
    """Configuration file; `mlwatch.toml` in the directory when None."""
    db: Path | Literal[":memory:"] | None = None
    reference: Path | None = None
    model: str | None = None
    baseline: str | None = None
    candidate: str | None = None
    read_only: bool = False
    """Write no exports, and nothing to other systems."""
    endpoints: tuple[str, ...] = ()
    """Addresses to poll besides those of the configuration."""
    lake: Path | None = None
    """Where the rollups will be written: a new store counts as the days do that are there already."""


def title_of(options: Options) -> list[str]:
    """Return what directories are called."""
    return [path.resolve().name for path in (options.path, *options.others)]


def endpoints_of(options: Options, config: Config) -> tuple[EndpointSettings, ...]:
    """Return the endpoints of configuration and options."""
    named = (url for url in options.endpoints if not url.startswith(REDIS))
    return (*config.endpoints, *(EndpointSettings(url=url) for url in named))


def caches_of(options: Options, config: Config) -> tuple[CacheSettings, ...]:
    """Return the caches of configuration and options."""
    named = (url for url in options.endpoints if url.startswith(REDIS))
    return (*config.caches, *map(cache_of, named))


def config_of(options: Options) -> Config:
    """Return the configuration that belongs to what is watched.

    Raises:
        ConfigError: when it is wrong.
    """
    path = options.config
    if path is None and options.path.is_dir():
        path = discover(options.path)
    return load(path)


def unapplied_of(options: Options, config: Config) -> Unapplied | None:
    """Return what tells that the file is another than the one that was read; None where none belongs to it."""
    path = options.config or (options.path / FILE_NAME if options.path.is_dir() else None)
    return Unapplied(path, config.sha256) if path is not None else None
