"""Settings of the systems around: whom to tell, and what else knows of the models and their features."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  the reader resolves the annotations at run time
from dataclasses import dataclass, field
from datetime import timedelta

from mlwatch.config import checks


@dataclass(frozen=True)
class NotifySettings:
    """`[notify]`: whom to tell of alerts, through Apprise."""

    urls: tuple[str, ...] = ()
    """Addresses as Apprise writes them, or `env:NAME` for one that is a secret."""
    severities: tuple[str, ...] = field(
        default=("critical", "warning"), metadata={"check": checks.severities}
    )
    """Alerts that are told of."""
    resolved: bool = True
    """Tell too when an alert is over."""
    most_per_minute: int = field(default=6, metadata={"check": checks.between(0, 1000)})
    """Further messages are held back, and their number told."""
    dry_run: bool = False
    """Only say what would be told."""


@dataclass(frozen=True)
class RegistrySettings:
    """`[registry]`: a model registry that says which versions are which."""

    mlflow: str | None = field(default=None, metadata={"check": checks.web_address})
    """Address of an MLflow server, such as `http://mlflow:5000`."""
    model: str | None = None
    """Name of the registered model; that of the logs when not said."""
    token: str | None = field(default=None, metadata={"check": checks.secret_reference})
    """Bearer token, or the password of `user`, as `env:NAME` or `file:PATH`."""
    user: str | None = None
    """Name of the user, where the server asks for name and password."""
    verify: bool | str = field(default=True, metadata={"read": checks.verify})
    """Check TLS certificates: true, false, or a file of certificate authorities."""
    interval: timedelta = field(default=timedelta(minutes=1), metadata={"check": checks.positive})
    """Time between two questions."""
    write: bool = False
    """Write live metrics to a monitoring run, and the verdict as a tag of the version."""


@dataclass(frozen=True)
class OtlpSettings:
    """`[otlp]`: metrics to an OpenTelemetry collector, while the logs are followed."""

    url: str | None = field(default=None, metadata={"check": checks.web_address})
    """Address of the collector's OTLP over HTTP, such as `http://localhost:4318`."""
    headers: Mapping[str, str] = field(default_factory=dict, metadata={"check": checks.headers})
    """Request headers; secrets only as `env:NAME` or `file:PATH`."""
    interval: timedelta = field(default=timedelta(minutes=1), metadata={"check": checks.positive})
    """Time between two messages."""
    verify: bool | str = field(default=True, metadata={"read": checks.verify})
    """Check TLS certificates: true, false, or a file of certificate authorities."""


@dataclass(frozen=True)
class FeastSettings:
    """`[feast]`: a registry of features that says what they are to be."""

    registry: str | None = None
    """File that `feast registry-dump` wrote, relative to this file, or address of `feast serve_registry --rest-api`."""
    project: str | None = None
    """Of the REST server; its only one when not said."""
    views: tuple[str, ...] = ()
    """Only these feature views; all when empty."""
    token: str | None = field(default=None, metadata={"check": checks.secret_reference})
    """Bearer token, as `env:NAME` or `file:PATH`."""
    verify: bool | str = field(default=True, metadata={"read": checks.verify})
    """Check TLS certificates: true, false, or a file of certificate authorities."""


@dataclass(frozen=True)
class TrainingSettings:
    """`[training]`: runs that made the versions, as an experiment tracker that is no more knew them."""

    neptune: str | None = None
    """Directory that neptune-exporter wrote its Parquet files to, relative to this file."""
    model: str | None = None
    """Model whose versions they made; the only one of the logs when not said."""
    runs: Mapping[str, str] = field(default_factory=dict)
    """Id, name or tag of the run of each version; told by the version's own name when not said."""
