"""The columns of some records while their roles are decided: each leaves the pool once."""

from __future__ import annotations

from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlwatch.elements import dotted
from mlwatch.roles import guards, leftovers, looks
from mlwatch.roles.features import containers_of, listed
from mlwatch.roles.names import (
    CHANGE_TIMES,
    container_depth,
    has_affix,
    is_loose,
    is_named,
    is_written,
    normal,
    rank,
)
from mlwatch.roles.paths import TEMPLATE
from mlwatch.roles.types import Column, ColumnPath, Mapping

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from collections.abc import Mapping as MappingType

    from mlwatch.config import RoleSettings

FROM_PATH = ("model", "version")
"""Roles that a template for the file's path may stand for."""
DEFINING = frozenset({"prediction", "score", "label", "event"})
"""Roles that make a record what it is: one that is configured is never looked for under another name."""
NEARLY_ALL, MANY = 0.95, 0.05
"""Share of records with a time of their own, and of those without an object's time, for the first to be taken."""
UNLISTED = "not listed in [roles] features"
_ANSWERED_BY = {"prediction": ("score", "label", "event"), "score": ("label", "event")}
"""Roles whose values tell that an empty column is not what these records are about."""


class Choice:
    """What is decided so far, and the columns that are left.

    Args:
        columns: Of the records.
        settings: The `[roles]` of the configuration.
        decided: What was decided of earlier records; None for nothing.
        given: By role in which of the records it is given already; see `Column.where`.
        known_time: The column of the time, where that was decided of earlier records.
    """

    def __init__(
        self,
        columns: Iterable[Column],
        settings: RoleSettings,
        decided: Mapping | None,
        given: MappingType[str, int] = MappingProxyType({}),
        known_time: Column | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self.given = given
        self._known_time = known_time
        self.settings = settings
        self.decided = decided or Mapping({}, {}, (), "auto", 1.0, ())
        self.pool = {column.path: column for column in self.columns}
        self.roles: dict[str, ColumnPath] = dict(self.decided.roles)
        self.chosen: dict[str, Column] = {}
        self.inputs: frozenset[ColumnPath] = frozenset()
        self.ignored: set[ColumnPath] = set()
        self.reasons: dict[str, str] = dict(self.decided.reasons)
        self.clock, self.ended = self.decided.clock, self.decided.ended
        self.others = {role: list(paths) for role, paths in self.decided.others.items()}
        paths = {*self.pool, *self.decided.of_roles, *(feature.path for feature in self.decided.features)}
        self.containers = containers_of(paths)
        self.names = frozenset(normal(one[0]) for one in paths if len(one) == 1)
        self.spelled = frozenset(normal("".join(one)) for one in paths)

    def drop(self, columns: Iterable[Column], reason: str) -> None:
        """Leave columns out."""
        for column in tuple(columns):
            del self.pool[column.path]
            self.ignored.add(column.path)
            self.reasons[f"ignored:{dotted(column.path)}"] = reason

    def take(self, role: str, column: Column, reason: str) -> None:
        """Give a role to a column."""
        del self.pool[column.path]
        self.roles[role] = column.path
        self.chosen[role] = column
        self.reasons[role] = reason

    def release(self, role: str) -> None:
        """Take a role back from its column."""
        column = self.chosen.pop(role)
        del self.roles[role], self.reasons[role]
        self.pool[column.path] = column

    def is_protected(self, column: Column) -> bool:
        """Tell whether a column is a feature whatever its name."""
        settings = self.settings
        said = {*settings.features, *settings.categorical, *settings.numeric}
        return (
            dotted(column.path) in said
            or bool(container_depth(column.path, self.containers))
            or self._of_one_class(column)
        )

    def _of_one_class(self, column: Column) -> bool:
        """Tell whether a column is one class's probability of more than two, such as `proba_1` beside `proba_2`."""
        name = normal("".join(column.path))
        return (
            name.endswith("1") and f"{name[:-1]}2" in self.spelled and rank("score", column.path) is not None
        )

    def no_feature(self, column: Column) -> str | None:
        """Say why a column that has no role is no feature either; None where it is one."""
        shape = leftovers.structured(column)
        if shape is not None:
            return shape
        explicit = self.settings.features
        if explicit:
            name = dotted(column.path[container_depth(column.path, self.containers) :])
            return None if listed(explicit, column.path, name) else UNLISTED
        if not self.is_protected(column) and (reason := leftovers.no_feature(column, self.roles)):
            return reason
        return self._no_kind(column)

    def _no_kind(self, column: Column) -> str | None:
        """Leave a column without values out until it has some: they tell whether it is numeric."""
        said = (*self.settings.categorical, *self.settings.numeric)
        return leftovers.NO_VALUE_YET if column.kinds <= {"null"} and not listed(said, column.path) else None

    def choose(self, role: str, named: str, *, written: bool = False) -> None:
        """Give a role to the best column named like it, if any.

        Args:
            role: The role.
            named: The role that the name is one of.
            written: Take an answer that is called a text, and no other.
        """
        setting = getattr(self.settings, role)
        if role in self.roles or (setting is not None and role in DEFINING):
            return
        by_path = setting is not None and is_template(role, setting)
        if role == "event_id" and "id" not in self.roles:
            return
        context = self.context()
        ranked = []
        answered = role in _ANSWERED_BY and self.has_values(_ANSWERED_BY[role])
        for column in self.pool.values():
            if answered and not column.samples:
                continue  # else outcomes with the columns of predictions would be failed requests
            position = None if self.is_protected(column) else rank(named, column.path)
            loose = is_loose(named, column.path)
            if position is not None and role == "prediction" and is_written(column.path) is not written:
                continue
            if by_path and loose:
                continue  # a `service` is a model's name only where nothing else is said to tell it
            if position is not None and guards.fits(role, column, context, loose=loose):
                in_words = role == "value" and not looks.holds_numbers(column)
                ranked.append((not column.samples, in_words, position, len(column.path), column.path))
        if ranked:
            best, *more = (self.pool[one[-1]] for one in sorted(ranked))
            best = self._own_time(best, more) if role == "timestamp" else best
            self.take(role, best, f"named {dotted(best.path)}")

    def _own_time(self, best: Column, more: Iterable[Column]) -> Column:
        """Return the column named best for the time, or one of the records themselves where many lack that one.

        Records without a time are rejected, such as failed requests where the best is that of an answer. Nothing like
        it holds for other roles: a failed request has no answer, which is no reason to read another column.

        Args:
            best: The column named best.
            more: Others that may have the role, the one named best first.
        """
        n = self._records()
        if n < looks.ENOUGH or best.where.bit_count() > (1 - MANY) * n:
            return best
        own = (one for one in more if len(one.path) < len(best.path) and not is_loose("timestamp", one.path))
        full = (one for one in own if one.where.bit_count() >= NEARLY_ALL * n)
        return next((one for one in full if normal(one.path[-1]) not in CHANGE_TIMES), best)

    def _records(self) -> int:
        """Return of how many records anything is known."""
        return reduce(or_, (column.where for column in self.columns), 0).bit_count()

    def choose_by_affix(self, role: str) -> None:
        """Give a role to the only column named like `predicted_price`, if there is just one."""
        if role in self.roles or getattr(self.settings, role) is not None:
            return
        context = guards.Context(self.roles, self.names)
        named = [
            column
            for column in self.pool.values()
            if has_affix(role, column.path) and not self.is_protected(column) and column.samples
            if guards.fits(role, column, context, loose=True) and not _is_score(column, context)
        ]
        if len(named) == 1:
            self.take(role, named[0], f"the only column named like a {role}")

    def choose_written(self) -> None:
        """Take a text for the prediction where nothing else answers: beside a score it is what was judged."""
        judging = ("score", "label")
        said = any(getattr(self.settings, role) is not None or self._answers(role) for role in judging)
        others = any(
            column.samples and has_affix("prediction", column.path) and not self.is_protected(column)
            for column in self.pool.values()
        )
        if not said and not others:
            self.choose("prediction", "prediction", written=True)

    def _answers(self, role: str) -> bool:
        """Tell whether a role is given to a column that has values, as one of earlier records may have."""
        return role in self.roles and (role not in self.chosen or bool(self.chosen[role].samples))

    def context(self) -> guards.Context:
        """Return what is known so far, as guards ask for it."""
        predicted = self.whereabouts("prediction") | self.whereabouts("score")
        prediction = self.chosen.get("prediction")
        return guards.Context(self.roles, self.names, prediction, predicted, self.inputs)

    def whereabouts(self, role: str) -> int:
        """Tell in which of the records a role is given; see `Column.where`."""
        chosen = self.chosen.get(role)
        return self.given.get(role, 0) | (chosen.where if chosen is not None else 0)

    def time(self) -> Column | None:
        """Return the column of the time, be it that earlier records decided it."""
        return self.chosen.get("timestamp", self._known_time)

    def has_values(self, roles: Collection[str]) -> bool:
        """Tell whether a column that is left is named like one of some roles and has values."""
        return any(
            column.samples and is_named(role, column.path) for column in self.pool.values() for role in roles
        )


def _is_score(column: Column, context: guards.Context) -> bool:
    """Tell whether a column such as `predicted_probability` is a score by its name and its values."""
    return rank("score", column.path) is not None and guards.fits("score", column, context, loose=True)


def is_template(role: str, setting: str) -> bool:
    """Tell whether a setting stands for a part of the file's path, and not for a column."""
    return role in FROM_PATH and setting.startswith(TEMPLATE)
