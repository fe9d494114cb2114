"""Ask an MLflow registry which versions of a model there are, what they are for, and how they did in training.

Plain REST over httpx, MLflow 2 and 3 alike: https://mlflow.org/docs/latest/rest-api.html. Aliases are read at the level
of the model, where all of them are listed; asked for one by one, a missing alias is an error.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlwatch.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import httpx

    from mlwatch.config import RegistrySettings

TIMEOUT_S = 5.0
LARGEST = 4 << 20
MOST_VERSIONS = 20
"""The newest versions, of which the runs are asked for."""
BASELINE_ALIASES = ("champion", "production", "prod")
CANDIDATE_ALIASES = ("challenger", "candidate", "staging")


class RegistryError(Exception):
    """Why the registry cannot be used just now, as a clause, without secrets."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered version."""

    version: str
    run_id: str | None = None
    aliases: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Of the run that made it."""
    params: Mapping[str, str] = field(default_factory=dict)
    data: str | None = None
    """Name and digest of the data that it was trained on."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A model as the registry knows it."""

    model: str
    entries: tuple[Entry, ...] = ()
    """Newest first."""

    def by_alias(self, names: Iterable[str]) -> Entry | None:
        """Return the version that has the first of some aliases that is given."""
        return next((entry for name in names for entry in self.entries if name in entry.aliases), None)

    def entry_of(self, version: str) -> Entry | None:
        """Return the registered version that a version in the logs is: `2` and `v2` are the same."""
        return next((entry for entry in self.entries if is_same(version, entry.version)), None)

    @property
    def summary(self) -> str:
        """Say which versions have aliases, and the runs that made them."""
        named = [
            f"{', '.join(entry.aliases)} {entry.version}" + (f" (run {entry.run_id})" if entry.run_id else "")
            for entry in self.entries
            if entry.aliases
        ]
        return one_line(f"{self.model}: " + ("; ".join(named) or "no aliases"))


def is_same(logged: str, registered: str) -> bool:
    """Tell whether a version in the logs is a registered one."""
    return logged == registered or logged.lower().removeprefix("v") == registered


class Client:
    """Talk to one registry.

    Args:
        settings: Address, token, model.
    """

    def __init__(self, settings: RegistrySettings) -> None:
        import httpx  # noqa: PLC0415  only where a registry is configured

        self._base = str(settings.mlflow).rstrip("/")
        self._token = settings.token
        self._http = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def model(self, name: str) -> Registered:
        """Return a registered model with its newest versions and their runs.

        Raises:
            RegistryError: when the registry does not say.
        """
        found = self.get("registered-models/get", name=name).get("registered_model", {})
        aliases: dict[str, list[str]] = {}
        for each in _list(found, "aliases"):
            aliases.setdefault(str(each.get("version")), []).append(str(each.get("alias")))
        listed = self.get(
            "model-versions/search", filter=f"name='{_quoted(name)}'", order_by="version_number DESC",
            max_results=str(MOST_VERSIONS),
        )  # fmt: skip
        versions = _list(listed, "model_versions")
        entries = [self._entry(each, aliases.get(str(each.get("version")), [])) for each in versions]
        return Registered(name, tuple(sorted(entries, key=lambda entry: -_number(entry.version))))

    def _entry(self, version: dict[str, Any], aliases: list[str]) -> Entry:
        number, run_id = str(version.get("version")), version.get("run_id") or None
        if run_id is None:
            return Entry(number, None, tuple(aliases))
        try:
            run = self.get("runs/get", run_id=str(run_id)).get("run", {})
        except RegistryError:  # deleted, or not ours to see: the version is there all the same
            return Entry(number, str(run_id), tuple(aliases))
        data = run.get("data", {})
        inputs = [each.get("dataset", {}) for each in _list(run.get("inputs", {}), "dataset_inputs")]
        digests = [f"{each.get('name')}@{each.get('digest')}" for each in inputs if each.get("digest")]
        metrics = {
            str(each["key"]): _float(each.get("value")) for each in _list(data, "metrics") if "key" in each
        }
        return Entry(
            number,
            str(run_id),
            tuple(aliases),
            {key: value for key, value in metrics.items() if value is not None},
            {str(each["key"]): str(each.get("value")) for each in _list(data, "params") if "key" in each},
            ", ".join(digests) or None,
        )

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """Ask for a document.

        Raises:
            RegistryError: when there is none.
        """
        return self._ask("GET", path, params=params)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a document.

        Raises:
            RegistryError: when it is not taken.
        """
        return self._ask("POST", path, json=body)

    def _ask(self, method: str, path: str, **rest: Any) -> dict[str, Any]:
        import httpx  # noqa: PLC0415

        try:
            url = f"{self._base}/api/2.0/mlflow/{path}"
            with self._http.stream(method, url, headers=self._headers(), **rest) as answer:
                return _document(answer)
        except httpx.TimeoutException:
            raise RegistryError(f"it does not answer within {TIMEOUT_S:.0f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryError(f"it cannot be reached ({type(error).__name__})") from None

    def _headers(self) -> dict[str, str]:
        if self._token is None:
            return {}
        kind, _, name = self._token.partition(":")
        found = os.environ.get(name) if kind == "env" else None
        if not found:
            raise RegistryError(f"the environment has no variable {name}")
        return {"Authorization": f"Bearer {found.strip()}"}


def _document(answer: httpx.Response) -> dict[str, Any]:
    import json  # noqa: PLC0415

    body = b""
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > LARGEST:
            raise RegistryError("its answer is larger than 4 MB")
    if answer.status_code in {401, 403}:
        raise RegistryError(f"it refuses us (status {answer.status_code}): set [registry] token")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RegistryError(f"its answer is not what MLflow says (status {answer.status_code})")
    if answer.status_code >= 400:
        raise RegistryError(one_line(str(found.get("message") or found.get("error_code")))[:200])
    return found


def _list(found: Any, name: str) -> list[dict[str, Any]]:
    values = found.get(name) if isinstance(found, dict) else None
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _quoted(name: str) -> str:
    return name.replace("'", "\\'")


def _number(version: str) -> int:
    return int(version) if version.isdigit() else -1


def _float(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
