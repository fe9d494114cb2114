"""Decide which column is what, from names, kinds and values; the configuration always wins."""

from __future__ import annotations

import dataclasses
from functools import reduce
from operator import or_
from pathlib import PurePath
from typing import TYPE_CHECKING

from mlwatch.elements import dotted, is_called
from mlwatch.roles import answers, chances, doubts, leftovers, own_ids, spans, standins, times
from mlwatch.roles.choice import DEFINING, FROM_PATH, Choice, is_template
from mlwatch.roles.features import listed, name_features
from mlwatch.roles.feedback import take_feedback
from mlwatch.roles.names import words
from mlwatch.roles.paths import NO_VERSION, from_directories, match_template
from mlwatch.roles.types import ROLES, Column, ColumnPath, Mapping, TimeUnit
from mlwatch.roles.units import UNKNOWN, latency_unit, time_unit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mlwatch.config import RoleSettings

_OF_REQUESTS = frozenset({"prediction", "score", "latency", "status", "error"})
"""Roles of which any makes a record a request, as in logs of a proxy that does not see the answers."""
SET = "set in the configuration"
"""How the reason begins of a role that the configuration gives to a column."""
IGNORED = "listed in [roles] ignore"
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
    time = next((column for column in columns if column.path == mapping.roles.get("timestamp")), None)
    inference = _Inference(new, settings, mapping, _where(columns, mapping), time)
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


class _Inference(Choice):
    """One decision over a set of columns."""

    def run(self, path: PurePath, root_name: str) -> Mapping:
        """Decide everything."""
        self._drop_conflicts()
        self._take_configured()
        self.drop(
            (column for column in self.pool.values() if listed(self.settings.ignore, column.path)),
            IGNORED,
        )
        self.inputs = self._places_of_inputs()
        take_feedback(self)
        self._take_by_name(path)
        self._take_by_file_name(path)
        times.take_only_time(self)
        times.prefer_time_of_change(self)
        times.take_clock(self)
        spans.take_span(self)
        self._take_stand_ins()
        self._drop_leftovers()
        features = name_features(
            (column for column in self.columns if column.path in self.pool),
            self.containers,
            {feature.name for feature in self.decided.features},
            self.settings,
        )
        return Mapping(
            roles={role: self.roles[role] for role in ROLES if role in self.roles},
            constants=self._constants(path, root_name),
            features=(*self.decided.features, *features),
            time_unit=self._time_unit(),
            latency_factor=self._latency_factor(),
            ignored=(
                *self.decided.ignored,
                *(column.path for column in self.columns if column.path in self.ignored),
            ),
            reasons=self.reasons,
            others={role: tuple(paths) for role, paths in self.others.items()},
            score_threshold=answers.score_threshold(self, (*self.decided.features, *features)),
            clock=self.clock,
            ended=self.ended,
            doubtful=self._doubtful(),
        )

    def _places_of_inputs(self) -> frozenset[ColumnPath]:
        if self.settings.features:
            return frozenset()  # the others are none
        return doubts.places_of_inputs(tuple(self.pool.values()), self.roles, self.decided)

    def _doubtful(self) -> dict[str, ColumnPath]:
        """Return the columns of which it is to be said what they are taken for."""
        found = {role: path for role, path in self.decided.doubtful.items() if role not in self.chosen}
        pool = [column for column in self.pool.values() if not self.is_protected(column)]
        for role in doubts.ROLES:
            if getattr(self.settings, role) is not None or (role in self.roles and role not in self.chosen):
                continue
            path = doubts.doubtful(role, self.chosen.get(role), pool, self.context())
            if path is not None:
                found.setdefault(role, path)
        return found

    def _drop_conflicts(self) -> None:
        """Leave out values where other records have an object, and objects where a value was used before."""
        used = {*self.roles.values(), *(feature.path for feature in self.decided.features)}
        parents = {path[:depth] for path in {*self.pool, *used} for depth in range(1, len(path))}
        pool = self.pool.values()
        self.drop((one for one in pool if one.path in parents), "an object in other records")
        below = (one for one in pool if any(one.path[:depth] in used for depth in range(1, len(one.path))))
        self.drop(below, "a plain value in earlier records")

    def _drop_leftovers(self) -> None:
        """Leave out what is neither role nor feature."""
        for column in tuple(self.pool.values()):
            reason = self.no_feature(column)
            if reason is not None:
                self.drop((column,), reason)

    def _take_configured(self) -> None:
        for role in ROLES:
            name = getattr(self.settings, role)
            if name is None or role in self.roles or is_template(role, name):
                continue
            column = min(
                (one for one in self.pool.values() if is_called(one.path, name)),
                key=lambda one: (len(one.path), one.path),
                default=None,
            )
            if column is not None:
                self.take(role, column, SET)

    def _take_by_name(self, path: PurePath) -> None:
        for role in ROLES:
            self.choose(role, role)
            if role in {"prediction", "label"}:
                self.choose_by_affix(role)
            if role == "id" and "id" not in self.roles:
                self.choose("id", "event_id")
            if role == "event_id":
                self._take_own_id()
            if role == "score":
                answers.drop_confidence(self)
                chances.score_of_two(self)
            if role == "label":
                answers.regression_score(self)
                if not _is_of_labels(path):
                    answers.answer_beside_score(self)
                self.choose_written()

    def _take_own_id(self) -> None:
        if "event_id" in self.roles or self.settings.event_id is not None:
            return
        pool = [column for column in self.pool.values() if not self.is_protected(column)]
        found = own_ids.own_id(pool, self.chosen, self.whereabouts("event"), self.context())
        if found is not None:
            self.take("event_id", found, own_ids.BESIDE)

    def _take_stand_ins(self) -> None:
        """Give a role to further columns, for the records that lack the first."""
        for role in standins.ROLES:
            named = getattr(self.settings, role)
            if role not in self.roles or (named is not None and not is_template(role, named)):
                continue
            first, taken = self.roles[role], self.whereabouts(role)
            pool = [column for column in self.pool.values() if not self.is_protected(column)]
            for column in standins.stand_ins(
                role, first, pool, taken, self.whereabouts("event"), self.context()
            ):
                del self.pool[column.path]
                self.others.setdefault(role, []).append(column.path)
                self.reasons[role] = (
                    f"{self.reasons.get(role, '')}, and {dotted(column.path)} in records without it"
                )

    def _take_by_file_name(self, path: PurePath) -> None:
        """Take the only value of a file named like labels, such as `target.csv`, for the label."""
        if DEFINING & self.roles.keys() or "id" not in self.roles or self.settings.label is not None:
            return
        if not _is_of_labels(path):
            return
        values = [one for one in self.pool.values() if one.samples and self.no_feature(one) is None]
        if len(values) == 1 and not values[0].kinds & {"list", "object"}:
            self.take("label", values[0], "the only value of a file named like labels")

    def _constants(self, path: PurePath, root_name: str) -> dict[str, str]:
        """Return model and version of records that do not name them; only requests need them."""
        if self.decided.constants or not _OF_REQUESTS & self.roles.keys():
            return dict(self.decided.constants)
        constants, reasons = constants_of(self.settings, path, root_name)
        for role in FROM_PATH:
            if role not in self.roles:
                self.reasons[role] = reasons[role]
        return constants

    def _time_unit(self) -> TimeUnit:
        column = self.chosen.get("timestamp")
        return self.decided.time_unit if column is None else time_unit(column)

    def _latency_factor(self) -> float:
        column = self.chosen.get("latency")
        if column is None:
            return self.decided.latency_factor
        factor, reason = latency_unit(column, self.settings.latency_unit)
        if reason == UNKNOWN and (told := spans.told_unit(self, column)) is not None:
            factor, reason = told
        self.reasons["latency"] += reason
        return factor


def constants_of(
    settings: RoleSettings, path: PurePath, root_name: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Return model and version of the records of a file that do not name them, and why it is these.

    Args:
        settings: The `[roles]` of the configuration.
        path: The file's path below the log directory.
        root_name: The log directory's name.
    """
    constants, reasons = from_directories(path, root_name)
    for role in FROM_PATH:
        template = getattr(settings, role)
        if template is None or not is_template(role, template):
            continue
        found = match_template(template, path)
        for name in FROM_PATH:
            if name in found and (name == role or getattr(settings, name) is None):
                constants[name], reasons[name] = found[name], f"the path, by {template}"
    return {role: constants.get(role, NO_VERSION) for role in FROM_PATH}, reasons


def _is_of_labels(path: PurePath) -> bool:
    """Tell whether a file is named like labels, such as `target.csv`."""
    return bool(_LABEL_FILE.intersection(words(path.stem)))
