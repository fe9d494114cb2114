"""Properties that hold for any column names and values."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mlwatch.config import RoleSettings, parse
from mlwatch.roles import ROLES, Mapping, columns_of, describe, infer, merge

if TYPE_CHECKING:
    import random

KNOWN = (
    *(
        "ts",
        "timestamp",
        "time",
        "id",
        "request_id",
        "event_id",
        "trace_id",
        "model",
        "version",
        "endpoint",
        "variant",
    ),
    *(
        "prediction",
        "pred",
        "output",
        "result",
        "score",
        "p",
        "confidence",
        "label",
        "target",
        "y",
        "x",
        "outcome",
    ),
    *(
        "latency_ms",
        "duration",
        "status",
        "code",
        "error",
        "event",
        "kind",
        "value",
        "currency",
        "user_id",
        "pid",
    ),
    *("features", "inputs", "data", "meta", "response", "user", "level", "age", "a.b", "latencyMS", ""),
)
NAMES = st.one_of(st.sampled_from(KNOWN), st.text(max_size=8))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["2026-11-23T09:00:00Z", 1793709015, 1793709015000, 200, 0.5, 1, "ok", "click", "{}", "[1]"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=6,
)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=8), max_size=4)
PATHS = st.sampled_from(["a.jsonl", "m/a.jsonl", "m/2026/11/a.csv", "model=x/version=y/a", "m/target.csv"])
GLOBS = st.lists(st.sampled_from(["age", "features", "*", "a.b", "user.*", "[", "score"]), max_size=2).map(
    tuple
)
ROLE_SETTINGS = st.builds(
    RoleSettings,
    timestamp=st.none() | NAMES,
    label=st.none() | NAMES,
    version=st.none()
    | st.sampled_from(["path:{model}/{version}/*", "path:{version}", "path:{", "path:{version}{version}"]),
    features=GLOBS,
    ignore=GLOBS,
    categorical=GLOBS,
    numeric=GLOBS,
)


def everything(mapping: Mapping) -> list[tuple[str, ...]]:
    return [*mapping.of_roles, *(feature.path for feature in mapping.features), *mapping.ignored]


def check(mapping: Mapping, paths: list[tuple[str, ...]]) -> None:
    assert sorted(everything(mapping)) == sorted(paths)
    names = [feature.name for feature in mapping.features]
    assert len(names) == len(set(names))
    assert set(mapping.roles) <= set(ROLES)
    used = {*mapping.of_roles, *(feature.path for feature in mapping.features)}
    assert not any(path[:depth] in used for path in used for depth in range(1, len(path)))
    requests = bool({"prediction", "score", "latency", "status", "error"} & mapping.roles.keys())
    assert set(mapping.constants) == ({"model", "version"} if requests else set())
    assert all(f"ignored:{'.'.join(path)}" in mapping.reasons for path in mapping.ignored)
    assert set(mapping.roles) <= set(mapping.reasons)


@settings(deadline=None, max_examples=100)
@given(RECORDS, ROLE_SETTINGS, PATHS)
def test_every_column_ends_in_exactly_one_place(
    records: list[dict[str, Any]], roles: RoleSettings, path: str
) -> None:
    columns = columns_of(records)
    mapping = infer(columns, roles, PurePath(path), "logs")
    check(mapping, [column.path for column in columns])
    asdict(mapping)


@settings(deadline=None, max_examples=100)
@given(RECORDS, ROLE_SETTINGS, PATHS, st.randoms(use_true_random=False))
def test_order_of_columns_changes_nothing(
    records: list[dict[str, Any]], roles: RoleSettings, path: str, chance: random.Random
) -> None:
    columns = columns_of(records)
    shuffled = list(columns)
    chance.shuffle(shuffled)
    one, other = (infer(order, roles, PurePath(path), "logs") for order in (columns, shuffled))
    assert one.roles == other.roles
    assert set(one.features) == set(other.features)
    assert (one.constants, one.time_unit, one.latency_factor) == (
        other.constants,
        other.time_unit,
        other.latency_factor,
    )
    assert all(one.reasons[role] == other.reasons[role] for role in one.roles)


@settings(deadline=None, max_examples=100)
@given(RECORDS, RECORDS, ROLE_SETTINGS, PATHS)
def test_merge_only_adds(
    first: list[dict[str, Any]], later: list[dict[str, Any]], roles: RoleSettings, path: str
) -> None:
    before = infer(columns_of(first), roles, PurePath(path), "logs")
    after = merge(before, columns_of(later), roles)
    assert before.roles.items() <= after.roles.items()
    assert after.features[: len(before.features)] == before.features
    settled = {
        path for path in before.ignored if before.reasons[f"ignored:{'.'.join(path)}"] != "no value yet"
    }
    assert settled <= set(after.ignored)
    check(after, list({*everything(before), *(column.path for column in columns_of(later))}))
    assert merge(after, columns_of(later), roles) == after


@settings(deadline=None, max_examples=100)
@given(RECORDS, PATHS)
def test_description_is_a_valid_configuration(records: list[dict[str, Any]], path: str) -> None:
    mapping = infer(columns_of(records), RoleSettings(), PurePath(path), "logs\x7f\n\ud800")
    text = describe(mapping)
    parse(text)
    assert set(tomllib.loads(text)["roles"]) == set(mapping.roles) - set(mapping.others)
