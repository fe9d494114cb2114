"""Rows of what people say of a run of a chain or model: its id, what was said of, and a number.

LangSmith exports `run_id`, `key` and `score`, Langfuse `observationId`, `name` and `value`; each row has an `id` too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.elements import dotted
from mlwatch.roles import guards, looks
from mlwatch.roles.columns import by_record
from mlwatch.roles.names import CHANGE_TIMES, CREATION_TIMES, is_named, normal

if TYPE_CHECKING:
    from mlwatch.roles.choice import Choice
    from mlwatch.roles.types import Column

_RUNS = frozenset({"runid", "observationid"})
_KINDS = frozenset({"key", "name"})
_NUMBERS = frozenset({"score", "value"})
_BESIDE = frozenset(
    {
        *(
            "id",
            "traceid",
            "sessionid",
            "datasetrunid",
            "executiontraceid",
            "parentid",
            "spanid",
            "projectid",
        ),
        *("tenantid", "userid", "authoruserid", "configid", "queueid", "feedbackgroupid", "feedbackthreadid"),
        *("comparativeexperimentid", "jobid", "timestamp", "starttime", "eventts"),
        *(
            "comment",
            "correction",
            "source",
            "feedbacksource",
            "metadata",
            "extra",
            "trace",
            "tags",
            "environment",
        ),
        *("stringvalue", "longstringvalue", "datatype", "isroot", "isdeleted"),
        *(CREATION_TIMES | CHANGE_TIMES | _RUNS | _KINDS | _NUMBERS),
    }
)
"""What the exports have in each row. Anything else that has a value, such as an `age`, is an input of a model.

https://api.smith.langchain.com/redoc (feedback), https://api.reference.langfuse.com (scores)
"""
_OF_OTHERS = ("model", "version", "prediction", "label", "latency", "status", "error", "event")
"""Roles whose names tell that rows are something else."""
_TAKEN = ("id", "prediction", "score", "label", "event", "value", "event_id")


def take_feedback(choice: Choice) -> None:
    """Take rows that only say something of another record for events of it: their score is that of no model."""
    if any(getattr(choice.settings, role) is not None or role in choice.roles for role in _TAKEN):
        return
    if any(is_named(role, path) for path in choice.pool for role in _OF_OTHERS):
        return
    run, kind, number = (_only(choice, names) for names in (_RUNS, _KINDS, _NUMBERS))
    if run is None or kind is None or number is None or not looks.holds_numbers(number):
        return
    kinds = {str(sample) for sample in kind.samples}
    if kind.kinds - {"null"} != {"text"} or len(kinds) > guards.MOST_EVENTS:
        return
    if _is_batch(run, kind) or any(
        one.samples and normal(path[0]) not in _BESIDE for path, one in choice.pool.items()
    ):
        return
    reason = f"{dotted(number.path)} is said of the record that {dotted(run.path)} names"
    for role, column in (("id", run), ("event", kind), ("value", number)):
        choice.take(role, column, reason)
    own = choice.pool.get(("id",))
    if own is not None and own.samples:
        choice.take("event_id", own, "the row's own id")


def _is_batch(run: Column, kind: Column) -> bool:
    """Tell whether most records say the same of the same run as an earlier one: a model scored a batch in that run."""
    kinds = by_record(kind)
    said = [(str(name), str(kinds.get(at))) for at, name in by_record(run).items()]
    return len(said) > 2 * len(set(said))


def _only(choice: Choice, names: frozenset[str]) -> Column | None:
    """Return the column of the record itself that has one of some names; None where there are several."""
    found = [one for one in choice.pool.values() if len(one.path) == 1 and normal(one.path[0]) in names]
    return found[0] if len(found) == 1 and found[0].samples else None
