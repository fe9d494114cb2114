"""Several candidates of one model at once: each is judged as what it is."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlwatch
from mlwatch.app.view import View
from mlwatch.commands.init import configuration
from mlwatch.config import RuleSettings, parse
from mlwatch.rules import rulings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from mlwatch.session import Session

START = datetime(2026, 11, 3, 10, tzinfo=UTC)
Record = dict[str, Any]


def traffic(
    shares: Mapping[str, float], rows: int = 3000, begins: Mapping[str, int] | None = None
) -> list[Record]:
    """Return requests, one every two seconds, each labelled and answered by one version.

    Args:
        shares: Of the traffic, by version.
        rows: How many.
        begins: By version, the request before which it gets none.
    """
    rng = np.random.default_rng(5)
    names, records = list(shares), []
    for i, version in enumerate(rng.choice(names, rows, p=list(shares.values()))):
        label, right = int(rng.random() < 0.5), rng.random() < 0.9
        records.append(
            {"timestamp": (START + timedelta(seconds=2 * i)).isoformat(), "id": f"r{i}", "model": "m",
             "version": "v1" if i < (begins or {}).get(version, 0) else str(version), "label": label,
             "prediction": label if right else 1 - label, "latency_ms": 20.0, "status": 200}
        )  # fmt: skip
    return records


def answered_too(records: list[Record], of: str, by: str, after: int) -> list[Record]:
    """Return what another version answers to the same requests."""
    return [{**record, "version": by} for record in records[after:] if record["version"] == of]


@contextmanager
def watching(directory: Path, records: Iterable[Record], config: str = "") -> Iterator[Session]:
    (directory / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (directory / "mlwatch.toml").write_text(config)
    with mlwatch.open(directory, db=":memory:", model="m") as session:
        yield session


@pytest.mark.parametrize(("canary", "shadow"), [("v2", "v3"), ("v3", "v2")])
def test_a_canary_and_a_shadow_are_each_judged_as_what_they_are(
    tmp_path: Path, canary: str, shadow: str
) -> None:
    begins = {"v2": 200, "v3": 400}
    live = traffic({"v1": 0.5, canary: 0.5}, begins=begins)
    with watching(tmp_path, [*live, *answered_too(live, "v1", shadow, begins[shadow])]) as session:
        snapshot = session.snapshot()

    found = {rollout.candidate: rollout for rollout in snapshot.rollouts}
    assert {name: (each.mode, each.shadow is not None) for name, each in found.items()} == {
        canary: ("canary", False),
        shadow: ("shadow", True),
    }
    assert "accuracy" in found[canary].metrics
    pairs = found[shadow].shadow
    assert pairs is not None
    assert (pairs.pairs, pairs.disagreement_rate) == (
        len(answered_too(live, "v1", shadow, begins[shadow])),
        0.0,
    )
    versions = snapshot.models["m"].versions
    assert {name: version.role for name, version in versions.items()} == {
        "v1": "baseline",
        canary: "candidate",
        shadow: "shadow",
    }


def test_the_screen_shows_the_rollout_of_the_candidate_that_it_shows(tmp_path: Path) -> None:
    live = traffic({"v1": 0.5, "v2": 0.5})
    with watching(tmp_path, [*live, *answered_too(live, "v1", "v3", 400)]) as session:
        view = View(session.snapshot(), "logs", "m")
    assert view.candidate is not None
    assert view.rollout is not None
    assert (view.candidate.name, view.rollout.candidate, view.rollout.mode) == ("v3", "v3", "shadow")


def test_a_configuration_names_no_candidate_of_several(tmp_path: Path) -> None:
    with watching(tmp_path, traffic({"v1": 0.4, "v2": 0.3, "v3": 0.3})) as session:
        text = configuration(session)
    settings = parse(text, "mlwatch.toml").rollout
    assert (settings.baseline, settings.candidate) == ("v1", None)


def test_a_rule_about_the_candidate_is_about_each_of_them(tmp_path: Path) -> None:
    records = traffic({"v1": 0.4, "v2": 0.3, "v3": 0.3}, begins={"v2": 200, "v3": 400})
    bad = [{**each, "label": 1 - each["prediction"]} if each["version"] == "v2" else each for each in records]
    rule = RuleSettings(metric="accuracy", when="< 0.5", version="candidate")
    with watching(tmp_path, bad) as session:
        found = rulings(session.snapshot(), [rule])
    assert {each.version: each.state for each in found} == {"v3": "ok", "v2": "breach"}
