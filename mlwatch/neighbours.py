"""The systems around that a session asks and tells: registry, training runs, feature store, collector of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.pushing import Pushing
    from mlwatch.registry import Registry
    from mlwatch.snapshot.types import Severity, Snapshot
    from mlwatch.training import Training


class Neighbours:
    """Those that the configuration names; each in trouble is an alert, and the rest goes on.

    Args:
        config: As it was read.
        connect: Returns a cursor on the store for a thread.
        models: Returns the names of the models in the logs.
        numbers: Returns the newest numbers.
        writable: Whether anything may be written to them.
    """

    def __init__(
        self,
        config: Config,
        connect: Callable[[], DuckDBPyConnection],
        models: Callable[[], list[str]],
        numbers: Callable[..., Snapshot],
        *,
        writable: bool,
    ) -> None:
        self.config = config
        """With what a feature store says of the features."""
        self._featureless: str | None = None
        if config.feast.registry is not None:
            from mlwatch.featurestore import with_features  # noqa: PLC0415  pulls httpx

            self.config, self._featureless = with_features(config, connect())
        self._registry: Registry | None = None
        if config.registry.mlflow is not None:
            from mlwatch.registry import Registry  # noqa: PLC0415

            self._registry = Registry(config, models, numbers, connect, writable=writable)
        self._training: Training | None = None
        if config.training.neptune is not None:
            from mlwatch.training import Training  # noqa: PLC0415

            self._training = Training(config.training, config.resolve(config.training.neptune))
        self._pushing: Pushing | None = None
        self._pushes = writable and config.otlp.url is not None
        self._numbers = numbers

    @property
    def registry(self) -> Registry | None:
        """The model registry; None where there is none."""
        return self._registry

    def look(self) -> None:
        """Ask once those that are asked again and again."""
        if self._registry is not None:
            self._registry.look()

    def start(self) -> None:
        """Begin to ask and to tell, in threads.

        Raises:
            InputError: The address of a collector is none.
            ConfigError: What a neighbour needs is not installed.
        """
        if self._pushes:
            from mlwatch.pushing import Pushing  # noqa: PLC0415

            self._pushing = Pushing(self.config, self._numbers)
        for each in (self._registry, self._pushing):
            if each is not None:
                each.start()

    def stop(self) -> None:
        """End the threads."""
        for each in (self._registry, self._pushing):
            if each is not None:
                each.stop()

    def troubles(self) -> Iterator[tuple[str, Severity, str]]:
        """Yield what is wrong with each just now: the name of a rule, how bad that is, and a sentence."""
        said = (
            ("registry", self._registry.failure if self._registry is not None else None),
            ("training", self._training.failure if self._training is not None else None),
            ("feast", self._featureless),
            ("otlp", self._pushing.failure if self._pushing is not None else None),
        )
        for rule, text in said:
            if text is not None:
                yield rule, "warning", text

    def role(self, role: str, versions: Iterable[str]) -> str | None:
        """Return the version in the logs that a registry makes the baseline or the candidate; None for none."""
        return self._registry.role(role, versions) if self._registry is not None else None

    def told(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot with what the registry and training runs say of its versions."""
        if self._registry is not None and self._registry.current is not None:
            from mlwatch.registry import with_registered  # noqa: PLC0415

            snapshot = with_registered(snapshot, self._registry.current)
        return snapshot if self._training is None else self._training.added(snapshot)
