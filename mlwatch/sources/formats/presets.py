"""Conventions of monitoring tools for the columns of a plain table: these tell roles where names alone may not."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlwatch.config import RoleSettings
from mlwatch.foreign import loads
from mlwatch.regular import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

DEFINITION = "data_definition.json"
"""Evidently's DataDefinition, written as JSON beside the data; it is no log."""
MAX_DEFINITION_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Preset:
    """A convention."""

    name: str
    title: str
    recognised: str
    roles: str
    settings: Callable[[Collection[str], Path], RoleSettings | None]
    """Roles of a file with these columns in this directory; None where the convention does not hold."""


def preset_roles(columns: Collection[str], directory: Path, said: RoleSettings) -> RoleSettings:
    """Return the roles that a convention gives a file's columns, and what the configuration says above them.

    Args:
        columns: Names of the file's columns at the top.
        directory: Where the file lies.
        said: The configuration, which always wins.
    """
    for preset in PRESETS:
        found = preset.settings(columns, directory)
        if found is not None:
            default = RoleSettings()
            changed = {
                one.name: getattr(said, one.name)
                for one in dataclasses.fields(said)
                if getattr(said, one.name) != getattr(default, one.name)
            }
            return dataclasses.replace(found, **changed)
    return said


def _evidently(columns: Collection[str], directory: Path) -> RoleSettings | None:
    definition = _definition(directory)
    if definition is None:
        return None
    classes, values = (_first(definition.get(task)) for task in ("classification", "regression"))
    target, prediction, score = (
        classes.get("target") or values.get("target"),
        classes.get("prediction_labels") or values.get("prediction"),
        classes.get("prediction_probas"),
    )
    numeric, categorical = (
        tuple(str(name) for name in definition.get(kind) or ())
        for kind in ("numerical_columns", "categorical_columns")
    )
    roles = {
        "id": definition.get("id_column"),
        "timestamp": definition.get("timestamp"),
        "label": target,
        "prediction": prediction,
        "score": score if isinstance(score, str) else None,
    }
    return _roles(
        roles,
        columns,
        numeric=tuple(name for name in numeric if name not in roles.values()),
        categorical=tuple(name for name in categorical if name not in roles.values()),
        ignore=tuple(str(name) for name in definition.get("text_columns") or ()),
    )


def _definition(directory: Path) -> dict[str, Any] | None:
    try:
        with open_regular(directory / DEFINITION) as file:
            definition = loads(file.read(MAX_DEFINITION_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return definition if isinstance(definition, dict) else None


def _first(tasks: object) -> dict[str, Any]:
    return tasks[0] if isinstance(tasks, list) and tasks and isinstance(tasks[0], dict) else {}


def _nannyml(columns: Collection[str], _directory: Path) -> RoleSettings | None:
    if "y_pred" not in columns:
        return None
    roles = {"prediction": "y_pred", "score": "y_pred_proba", "label": "y_true", "timestamp": "timestamp"}
    return _roles(
        roles,
        columns,
        ignore=("y_pred_proba_*",),  # of each class, where there are more than two
    )


def _arize(columns: Collection[str], _directory: Path) -> RoleSettings | None:
    if "prediction_id" not in columns or not {"prediction_label", "prediction_score"} & set(columns):
        return None
    classes = "prediction_label" in columns or "actual_label" in columns
    roles = {
        "id": "prediction_id",
        "timestamp": "prediction_ts",
        "prediction": "prediction_label" if classes else "prediction_score",
        "score": "prediction_score" if classes else "",
        "label": "actual_label" if classes else "actual_score",
        "model": "model_id",
        "version": "model_version",
    }
    ignored = ("actual_score", "shap/*", "tag/*") if classes else ("shap/*", "tag/*")
    return _roles(roles, columns, ignore=ignored)


def _roles(roles: Mapping[str, Any], columns: Collection[str], **more: Any) -> RoleSettings:
    """Return settings with the roles whose columns there are."""
    found: dict[str, Any] = {
        role: name for role, name in roles.items() if isinstance(name, str) and name in columns
    }
    return RoleSettings(**found, **more)


PRESETS = (
    Preset(
        "evidently",
        "Evidently data definition",
        f"a {DEFINITION} beside the data",
        "id_column, timestamp, target, prediction_labels, prediction_probas, numerical_ and categorical_columns",
        _evidently,
    ),
    Preset(
        "nannyml",
        "NannyML columns",
        "a column y_pred",
        "prediction: y_pred; score: y_pred_proba; label: y_true, or a file of targets; time: timestamp",
        _nannyml,
    ),
    Preset(
        "arize",
        "Arize columns",
        "columns prediction_id and prediction_label or prediction_score",
        "id: prediction_id; time: prediction_ts; label: actual_label or actual_score; tag/… is no feature",
        _arize,
    ),
)
