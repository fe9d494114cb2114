"""Decide which column is what, from names, kinds and values; the configuration always wins."""

from __future__ import annotations

import dataclasses
from functools import reduce
from operator import or_
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlwatch.elements import dotted
from mlwatch.roles import confidence, doubts, guards, leftovers, standins
from mlwatch.roles.clocks import clock_beside
from mlwatch.roles.features import containers_of, listed, name_features, orders_ranking
from mlwatch.roles.names import (
    CHANGE_TIMES,
    CREATION_TIMES,
    aliases,
    container_depth,
    has_affix,
    is_loose,
    is_named,
    normal,
    rank,
    words,
)
from mlwatch.roles.paths import NO_VERSION, TEMPLATE, from_directories, match_template
from mlwatch.roles.types import ROLES, SCORE_THRESHOLD, Column, ColumnPath, Feature, Mapping, TimeUnit
from mlwatch.roles.units import latency_unit, time_unit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from collections.abc import Mapping as MappingType

    from mlwatch.config import RoleSettings

_FROM_PATH = ("model", "version")
_OF_REQUESTS = frozenset({"prediction", "score", "latency", "status", "error"})
"""Roles of which any makes a record a request, as in logs of a proxy that does not see the answers."""
_DEFINING = frozenset({"prediction", "score", "label", "event"})
"""Roles that make a record what it is: one that is configured is never looked for under another name."""
_ANSWERED_BY = {"prediction": ("score", "label", "event"), "score": ("label", "event")}
"""Roles whose values tell that an empty column is not what these records are about."""
_LABEL_FILE = frozenset(
    {"label", "labels", "target", "targets", "truth", "outcome", "outcomes", "actual", "actuals"}
)


def infer(columns: Iterable[Column], settings: RoleSettings, path: PurePath, root_name: str = "") -> Mapping:
    """Decide what each column of a file is.

    Args:
        columns: The columns, from `columns_of`.
        settings: The `[roles]` of the configuration.
        path: The file's path below the log directory.
        root_name: The log directory's name: the model of files at its root.
    """
    return _Inference(columns, settings, None).run(path, root_name)


def merge(
    mapping: Mapping,
    columns: Iterable[Column],
    settings: RoleSettings,
    path: PurePath | None = None,
    root_name: str = "",
) -> Mapping:
    """Take in columns that a mapping does not know, or had no value so far; what was decided stays.

    Args:
        mapping: What was decided.
        columns: Columns of later records; known ones are passed over.
        settings: The `[roles]` of the configuration.
        path: The file's path, for the model of a file that had no predictions before.
        root_name: The log directory's name.
    """
    columns = tuple(columns)
    mapping = _without(mapping, {column.path for column in columns if column.kinds - {"null"}})
    known = {*mapping.of_roles, *(feature.path for feature in mapping.features), *mapping.ignored}
    new = tuple(column for column in columns if column.path not in known)
    inference = _Inference(new, settings, mapping, _where(columns, mapping))
    return inference.run(path or PurePath("-"), root_name) if new else mapping


def _where(columns: Iterable[Column], mapping: Mapping) -> dict[str, int]:
    """Tell by role in which of the records it is given by columns that have it already; see `Column.where`."""
    by_path = {column.path: column.where for column in columns}
    return {
        role: reduce(or_, (by_path.get(path, 0) for path in mapping.columns(role)), 0)
        for role in mapping.roles
    }


def _without(mapping: Mapping, filled: Collection[ColumnPath]) -> Mapping:
    """Forget the columns that were ignored only because they had no value."""
    again = {
        path
        for path in mapping.ignored
        if path in filled and mapping.reasons.get(f"ignored:{dotted(path)}") == leftovers.NO_VALUE_YET
    }
    reasons = {f"ignored:{dotted(path)}" for path in again}
    return dataclasses.replace(
        mapping,
        ignored=tuple(path for path in mapping.ignored if path not in again),
        reasons={name: reason for name, reason in mapping.reasons.items() if name not in reasons},
    )


class _Inference:
    """One decision over a set of columns, each of which leaves the pool once."""

    def __init__(
        self,
        columns: Iterable[Column],
        settings: RoleSettings,
        decided: Mapping | None,
        given: MappingType[str, int] = MappingProxyType({}),
    ) -> None:
        self._columns = tuple(columns)
        self._given = given
        self._settings = settings
        self._decided = decided or Mapping({}, {}, (), "auto", 1.0, ())
        self._pool = {column.path: column for column in self._columns}
        self._roles: dict[str, ColumnPath] = dict(self._decided.roles)
        self._chosen: dict[str, Column] = {}
        self._inputs: frozenset[ColumnPath] = frozenset()
        self._ignored: set[ColumnPath] = set()
        self._reasons: dict[str, str] = dict(self._decided.reasons)
        self._clock = self._decided.clock
        self._others = {role: list(paths) for role, paths in self._decided.others.items()}
        paths = {*self._pool, *self._decided.of_roles, *(feature.path for feature in self._decided.features)}
        self._containers = containers_of(paths)
        self._names = frozenset(normal(one[0]) for one in paths if len(one) == 1)
        self._spelled = frozenset(normal("".join(one)) for one in paths)

    def run(self, path: PurePath, root_name: str) -> Mapping:
        """Decide everything."""
        self._drop_conflicts()
        self._take_configured()
        self._drop(
            (column for column in self._pool.values() if listed(self._settings.ignore, column.path)),
            "listed in [roles] ignore",
        )
        self._inputs = self._places_of_inputs()
        self._take_by_name(path)
        self._take_by_file_name(path)
        self._take_only_time()
        self._prefer_time_of_change()
        self._take_clock()
        self._take_stand_ins()
        self._drop_leftovers()
        features = name_features(
            (column for column in self._columns if column.path in self._pool),
            self._containers,
            {feature.name for feature in self._decided.features},
            self._settings,
        )
        return Mapping(
            roles={role: self._roles[role] for role in ROLES if role in self._roles},
            constants=self._constants(path, root_name),
            features=(*self._decided.features, *features),
            time_unit=self._time_unit(),
            latency_factor=self._latency_factor(),
            ignored=(
                *self._decided.ignored,
                *(column.path for column in self._columns if column.path in self._ignored),
            ),
            reasons=self._reasons,
            others={role: tuple(paths) for role, paths in self._others.items()},
            score_threshold=self._score_threshold((*self._decided.features, *features)),
            clock=self._clock,
            doubtful=self._doubtful(),
        )

    def _places_of_inputs(self) -> frozenset[ColumnPath]:
        if self._settings.features:
            return frozenset()  # the others are none
        return doubts.places_of_inputs(tuple(self._pool.values()), self._roles, self._decided)

    def _doubtful(self) -> dict[str, ColumnPath]:
        """Return the columns of which it is to be said what they are taken for."""
        found = {role: path for role, path in self._decided.doubtful.items() if role not in self._chosen}
        pool = [column for column in self._pool.values() if not self._protected(column)]
        for role in doubts.ROLES:
            if getattr(self._settings, role) is not None or (
                role in self._roles and role not in self._chosen
            ):
                continue
            path = doubts.doubtful(role, self._chosen.get(role), pool, self._context())
            if path is not None:
                found.setdefault(role, path)
        return found

    def _drop(self, columns: Iterable[Column], reason: str) -> None:
        for column in tuple(columns):
            del self._pool[column.path]
            self._ignored.add(column.path)
            self._reasons[f"ignored:{dotted(column.path)}"] = reason

    def _drop_conflicts(self) -> None:
        """Leave out values where other records have an object, and objects where a value was used before."""
        used = {*self._roles.values(), *(feature.path for feature in self._decided.features)}
        parents = {path[:depth] for path in {*self._pool, *used} for depth in range(1, len(path))}
        pool = self._pool.values()
        self._drop((one for one in pool if one.path in parents), "an object in other records")
        below = (one for one in pool if any(one.path[:depth] in used for depth in range(1, len(one.path))))
        self._drop(below, "a plain value in earlier records")

    def _drop_leftovers(self) -> None:
        """Leave out what is neither role nor feature."""
        for column in tuple(self._pool.values()):
            reason = self._no_feature(column)
            if reason is not None:
                self._drop((column,), reason)

    def _no_feature(self, column: Column) -> str | None:
        shape = leftovers.structured(column)
        if shape is not None:
            return shape
        explicit = self._settings.features
        if explicit:
            name = dotted(column.path[container_depth(column.path, self._containers) :])
            return None if listed(explicit, column.path, name) else "not listed in [roles] features"
        if not self._protected(column) and (reason := leftovers.no_feature(column, self._roles)):
            return reason
        return self._no_kind(column)

    def _no_kind(self, column: Column) -> str | None:
        """Leave a column without values out until it has some: they tell whether it is numeric."""
        said = (*self._settings.categorical, *self._settings.numeric)
        return leftovers.NO_VALUE_YET if column.kinds <= {"null"} and not listed(said, column.path) else None

    def _protected(self, column: Column) -> bool:
        """Tell whether a column is a feature whatever its name."""
        settings = self._settings
        said = {*settings.features, *settings.categorical, *settings.numeric}
        return (
            dotted(column.path) in said
            or bool(container_depth(column.path, self._containers))
            or self._of_one_class(column)
        )

    def _of_one_class(self, column: Column) -> bool:
        """Tell whether a column is one class's probability of more than two, such as `proba_1` beside `proba_2`."""
        name = normal("".join(column.path))
        return (
            name.endswith("1") and f"{name[:-1]}2" in self._spelled and rank("score", column.path) is not None
        )

    def _take(self, role: str, column: Column, reason: str) -> None:
        del self._pool[column.path]
        self._roles[role] = column.path
        self._chosen[role] = column
        self._reasons[role] = reason

    def _take_configured(self) -> None:
        for role in ROLES:
            name = getattr(self._settings, role)
            if name is None or role in self._roles or _is_template(role, name):
                continue
            column = min(
                (one for one in self._pool.values() if dotted(one.path) == name),
                key=lambda one: (len(one.path), one.path),
                default=None,
            )
            if column is not None:
                self._take(role, column, "set in the configuration")

    def _take_by_name(self, path: PurePath) -> None:
        for role in ROLES:
            self._choose(role, role)
            if role in {"prediction", "label"}:
                self._choose_by_affix(role)
            if role == "id" and "id" not in self._roles:
                self._choose("id", "event_id")
            if role == "score":
                self._drop_confidence()
            if role == "label":
                self._regression_score()
                self._answer_beside_score(path)

    def _choose(self, role: str, named: str) -> None:
        """Give a role to the best column named like it, if any."""
        setting = getattr(self._settings, role)
        if role in self._roles or (
            setting is not None and (role in _DEFINING or _is_template(role, setting))
        ):
            return
        if role == "event_id" and "id" not in self._roles:
            return
        context = self._context()
        ranked = []
        answered = role in _ANSWERED_BY and self._has_values(_ANSWERED_BY[role])
        for column in self._pool.values():
            if answered and not column.samples:
                continue  # else outcomes with the columns of predictions would be failed requests
            position = None if self._protected(column) else rank(named, column.path)
            if position is not None and guards.fits(
                role, column, context, loose=is_loose(named, column.path)
            ):
                in_words = role == "value" and not guards.holds_numbers(column)
                ranked.append((not column.samples, in_words, position, len(column.path), column.path))
        if ranked:
            best = self._pool[min(ranked)[-1]]
            self._take(role, best, f"named {dotted(best.path)}")

    def _context(self) -> guards.Context:
        predicted = self._whereabouts("prediction") | self._whereabouts("score")
        prediction = self._chosen.get("prediction")
        return guards.Context(self._roles, self._names, prediction, predicted, self._inputs)

    def _whereabouts(self, role: str) -> int:
        """Tell in which of the records a role is given; see `Column.where`."""
        chosen = self._chosen.get(role)
        return self._given.get(role, 0) | (chosen.where if chosen is not None else 0)

    def _take_stand_ins(self) -> None:
        """Give a role to further columns, for the records that lack the first."""
        for role in standins.ROLES:
            if role not in self._roles or getattr(self._settings, role) is not None:
                continue
            first, taken = self._roles[role], self._whereabouts(role)
            pool = [column for column in self._pool.values() if not self._protected(column)]
            for column in standins.stand_ins(
                role, first, pool, taken, self._whereabouts("event"), self._context()
            ):
                del self._pool[column.path]
                self._others.setdefault(role, []).append(column.path)
                self._reasons[role] = (
                    f"{self._reasons.get(role, '')}, and {dotted(column.path)} in records without it"
                )

    def _has_values(self, roles: Collection[str]) -> bool:
        return any(
            column.samples and is_named(role, column.path) for column in self._pool.values() for role in roles
        )

    def _choose_by_affix(self, role: str) -> None:
        """Give a role to the only column named like `predicted_price`, if there is just one."""
        if role in self._roles or getattr(self._settings, role) is not None:
            return
        context = guards.Context(self._roles, self._names)
        named = [
            column
            for column in self._pool.values()
            if has_affix(role, column.path) and not self._protected(column) and column.samples
            if guards.fits(role, column, context, loose=True) and not _is_score(column, context)
        ]
        if len(named) == 1:
            self._take(role, named[0], f"the only column named like a {role}")

    def _take_by_file_name(self, path: PurePath) -> None:
        """Take the only value of a file named like labels, such as `target.csv`, for the label."""
        if _DEFINING & self._roles.keys() or "id" not in self._roles or self._settings.label is not None:
            return
        if not _LABEL_FILE.intersection(words(path.stem)):
            return
        values = [one for one in self._pool.values() if one.samples and self._no_feature(one) is None]
        if len(values) == 1 and not values[0].kinds & {"list", "object"}:
            self._take("label", values[0], "the only value of a file named like labels")

    def _take_only_time(self) -> None:
        """Take the only column of written times for the time, whatever it is called."""
        if "timestamp" in self._roles or self._settings.timestamp is not None or not self._roles:
            return
        times = [
            column
            for column in self._pool.values()
            if column.kinds - {"null"} == {"text"} and not self._protected(column)
            if guards.is_written_time(column)
        ]
        if len(times) == 1:
            self._take("timestamp", times[0], "the only column of times")

    def _take_clock(self) -> None:
        """Take the time of day from a column of its own, where the time is only a date."""
        date = self._chosen.get("timestamp")
        pool = (column for column in self._pool.values() if not self._protected(column))
        clock = clock_beside(date, pool) if date is not None else None
        if clock is not None:
            del self._pool[clock.path]
            self._clock = clock.path
            self._reasons["timestamp"] += f", with the time of day of {dotted(clock.path)}"

    def _prefer_time_of_change(self) -> None:
        """Take the time of a row's latest version in tables of outcomes: a corrected label was created before it."""
        created = self._chosen.get("timestamp")
        if created is None or "label" not in self._roles or {"prediction", "score"} & self._roles.keys():
            return
        if self._settings.timestamp is not None or normal(created.path[-1]) not in CREATION_TIMES:
            return
        changed = [
            one.path
            for one in self._pool.values()
            if one.path[:-1] == created.path[:-1] and normal(one.path[-1]) in CHANGE_TIMES
            if not self._protected(one) and (guards.is_time(one) or one.kinds <= {"null"})
        ]
        if changed:
            del self._roles["timestamp"]
            self._take(
                "timestamp", self._pool[min(changed)], f"named {dotted(min(changed))}, of the latest version"
            )
            self._others["timestamp"] = [created.path]
            self._reasons["timestamp"] += f", and {dotted(created.path)} in records without it"

    def _regression_score(self) -> None:
        """Take a predicted score for the prediction where the label is a score, too: no class is a fraction."""
        label, score = self._chosen.get("label"), self._chosen.get("score")
        if label is None or score is None or "prediction" in self._roles:
            return
        fractions = any(not number.is_integer() for number in guards.numbers(label))
        if "actualscore" in aliases(label.path) or (fractions and has_affix("prediction", score.path)):
            del self._roles["score"]
            self._roles["prediction"] = score.path
            self._reasons["prediction"] = f"named {dotted(score.path)}, beside {dotted(label.path)}"
            self._reasons.pop("score", None)

    def _answer_beside_score(self, path: PurePath) -> None:
        """Take a label for the prediction where it is what a classifier answers with its score."""
        label, score = self._chosen.get("label"), self._chosen.get("score")
        said = self._settings.label or self._settings.score
        if label is None or score is None or "prediction" in self._roles or said:
            return
        if not _LABEL_FILE.intersection(words(path.stem)) and confidence.is_answer(label, score):
            self._release("label")
            self._take("prediction", label, f"named {dotted(label.path)}, beside {dotted(score.path)}")
            self._drop_confidence()
            self._choose("label", "label")

    def _drop_confidence(self) -> None:
        """Leave out a score that is the confidence in the predicted class, and look for another."""
        score, answer = self._chosen.get("score"), self._chosen.get("prediction")
        if score is None or answer is None or self._settings.score is not None:
            return
        if confidence.is_confidence(score, answer):
            self._release("score")
            self._drop((score,), leftovers.CONFIDENCE)
            self._choose("score", "score")

    def _release(self, role: str) -> None:
        """Take a role back from its column."""
        column = self._chosen.pop(role)
        del self._roles[role], self._reasons[role]
        self._pool[column.path] = column

    def _constants(self, path: PurePath, root_name: str) -> dict[str, str]:
        """Return model and version of records that do not name them; only requests need them."""
        if self._decided.constants or not _OF_REQUESTS & self._roles.keys():
            return dict(self._decided.constants)
        constants, reasons = from_directories(path, root_name)
        for role in _FROM_PATH:
            template = getattr(self._settings, role)
            if template is None or not _is_template(role, template):
                continue
            found = match_template(template, path)
            for name in _FROM_PATH:
                if name in found and (name == role or getattr(self._settings, name) is None):
                    constants[name], reasons[name] = found[name], f"the path, by {template}"
        for role in _FROM_PATH:
            if role not in self._roles:
                self._reasons[role] = reasons[role]
        return {role: constants.get(role, NO_VERSION) for role in _FROM_PATH}

    def _time_unit(self) -> TimeUnit:
        column = self._chosen.get("timestamp")
        return self._decided.time_unit if column is None else time_unit(column)

    def _score_threshold(self, features: Iterable[Feature]) -> float | None:
        """Return half of what is certain, where the answer is made of scores; None where these tell no class."""
        column = self._chosen.get("score")
        if column is None:
            return self._decided.score_threshold
        if "prediction" in self._roles:
            return SCORE_THRESHOLD
        if orders_ranking(features):
            self._reasons["score"] += ", which orders a ranking: it tells no class"
            return None
        if guards.is_percent(column):
            self._reasons["score"] += ", in percent: class 1 from 50 on"
            return 50.0
        if guards.tells_classes(column):
            return SCORE_THRESHOLD
        self._reasons["score"] += ", no probability: it tells no class"
        return None

    def _latency_factor(self) -> float:
        column = self._chosen.get("latency")
        if column is None:
            return self._decided.latency_factor
        factor, reason = latency_unit(column, self._settings.latency_unit)
        self._reasons["latency"] += reason
        return factor


def _is_score(column: Column, context: guards.Context) -> bool:
    """Tell whether a column such as `predicted_probability` is a score by its name and its values."""
    return rank("score", column.path) is not None and guards.fits("score", column, context, loose=True)


def _is_template(role: str, setting: str) -> bool:
    return role in _FROM_PATH and setting.startswith(TEMPLATE)
