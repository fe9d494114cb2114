"""What the tools in use call each role; names are compared without case and separators.

A trailing `?` marks a name that is as often an ordinary feature's: it takes more to be believed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from mlwatch.elements import is_element
from mlwatch.roles.chats import ANSWERS, OF_CHATS, PARTS, TEXTS, TOOL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.roles.types import ColumnPath


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


QUERIES = "queryid qid searchid listid rankingid"
POSITIONS = "position rank pos slot itemposition"
"""What the columns of a ranking are called."""

_OUTPUTS = ("prediction", "predictions", "output", "outputs", "response", "result", "results", "inference")

_TABLE = {
    "timestamp": """
        timestamp ts time event_time event_timestamp event_ts datetime date_time logged_at logging_time
        log_time prediction_timestamp prediction_ts prediction_time inference_timestamp inference_time
        request_timestamp request_time request_ts received_at occurred_at recorded_at recordedtime
        created_at created_time creation_time create_time created served_at scored_at predicted_at
        label_timestamp label_time labelled_at labeled_at feedback_time outcome_time epoch epoch_time
        unix_time unix_timestamp asctime start_time started_at response_created
        response_created_at kafka_timestamp log_line_time t? dt? date? day?
        updated_at updated_time update_time updated last_updated last_updated_at modified_at modified_time
        modified last_modified last_modified_at
    """,
    "id": """
        request_id prediction_id inference_id id uuid guid req_id x_request_id requestid record_id
        row_id sample_id event_uuid call_id databricks_request_id client_request_id invocation_id
        completion_id response_id correlation_id? transaction_id? trace_id?
    """,
    "model": """
        model model_name model_id modelname registered_model_name served_model served_model_name
        inference_service_name inference_service deployed_model service_name? service? endpoint_name?
        endpoint?
    """,
    "version": """
        model_version version model_revision deployed_model_version deployed_model_id served_entity_id
        served_model_version variant model_variant deployment deployment_id deployment_name model_tag
        model_hash bento_version experiment_variant revision? release? arm?
    """,
    "prediction": """
        prediction pred y_pred y_hat yhat predicted prediction_label predicted_label predicted_class
        prediction_class prediction_value predicted_value pred_label pred_class class_prediction
        model_prediction model_output prediction_result forecast? predictions? output? outputs? result?
        response? inference? decision? answer? generated_text? response_text? completion_text? answer_text?
        answer_message answer_tool completion?
    """,
    "score": """
        score prediction_score predicted_score pred_score model_score proba probability prediction_proba
        prediction_probability predicted_probability predicted_proba pred_proba pred_prob y_pred_proba
        y_proba y_prob y_score predict_proba prob proba_1 prob_1 probability_1 p_1 positive_probability
        probabilities_1 probas_1 probs_1 predict_proba_1 pred_proba_1 prediction_proba_1 y_pred_proba_1
        y_proba_1 y_prob_1 predicted_probability_1 class_probabilities_1 class_1_probability prob_class_1
        p? confidence?
    """,
    "label": """
        label y_true ground_truth actual actual_label true_label target truth actual_value true_value
        actual_class true_class label_value target_value ground_truth_label gold gold_label observed
        actual_score outcome? y?
    """,
    "latency": """
        latency response_time execution_time execution_duration request_duration inference_duration
        inference_latency model_latency total_latency request_latency prediction_latency processing_time
        inference_time prediction_time service_time time_taken response_duration request_time
        latency_total rt? took elapsed elapsed_time duration? runtime? total_time?
    """,
    "status": """
        status_code http_status http_status_code response_code response_status response_status_code
        http_response_status_code return_code status request_status code?
    """,
    "error": """
        error error_type error_kind error_class error_name exception exception_type exception_class
        error_code error_message error_msg err failure_reason fault
    """,
    "event": "event event_type event_name event_kind user_action activity_type? action? activity? kind?"
    " type?",
    "value": """
        value amount revenue price order_value purchase_value event_value total_value total gmv
        order_total sales
    """,
    "currency": "currency currency_code iso_currency",
    "unit": """
        user_id customer_id account_id member_id visitor_id anonymous_id subscriber_id client_id
        device_id session_id user? customer? session?
    """,
    "event_id": "event_id event_uuid",
}

_OUTPUT_LEAVES = {
    "prediction": ("label", "class", "value", "prediction", "predicted", "output"),
    "score": ("score", "probability", "proba", "prob"),
}

CREATION_TIMES = _set("createdat createdtime creationtime createtime created")
CHANGE_TIMES = _set(
    """
    updatedat updatedtime updatetime updated lastupdated lastupdatedat modifiedat modifiedtime modified
    lastmodified lastmodifiedat
    """
)
"""What tables call the time of a row's latest version, beside that of its first."""

START_TIMES = _set("starttime startedat starttimestamp startts")
END_TIMES = _set("endtime endedat endtimestamp endts finishedat finishtime completedat completedtime")
"""What tools call the moment when a request was answered, beside that when it came."""

LATENCY_UNITS = {
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "milliseconds", "millisecond"), 1.0),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1e3),
    **dict.fromkeys(("us", "µs", "μs", "usec", "micros", "microseconds"), 1e-3),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanoseconds"), 1e-6),
}
"""Milliseconds in a unit, by how names end."""
_TIME_SUFFIXES = frozenset({*LATENCY_UNITS, "utc", "unix", "epoch"})

FEATURE_CONTAINERS = _set(
    """
    features feature featurevalues featurevector inputfeatures modelfeatures inputs input instances
    instance modelinput modelinputs requestfeatures predictors covariates x
    """
)
"""Objects whose leaves are the model's inputs, whatever they are called."""
LOOSE_CONTAINERS = _set(
    """
    data payload record row body fields properties params parameters
    """
)
"""Objects that hold either the inputs or the whole record."""
WRAPPERS = (
    frozenset(_OUTPUTS)
    | LOOSE_CONTAINERS
    | _set(
        """
    meta metadata eventmetadata requestmetadata log context ctx info request req headers attributes
    source doc json details timing timings stats http labels event groundtruthdata jsonpayload message
    """
    )
)
"""Objects whose fields mean what they would mean at the top."""

LOG_NAMES = _set(
    """
    hostname pid processid processname threadid threadname tid logger loggername levelname levelno
    loglevel lineno filename pathname funcname module message msg args excinfo exctext stackinfo
    traceback stacktrace relativecreated msecs thread traceid spanid parentid parentspanid traceparent
    tracestate traceflags ddtraceid ddspanid pod podname containerid containername nodeid nodename
    workerid actorid actorname taskname taskfuncname replica replicaid componentname componentid
    logtostderr ip ipaddress clientip remoteaddr remoteip useragent specversion datacontenttype
    schemaversion eventversion samplingfraction parentid requester taskid jobid
    """
)
"""What loggers and servers add to every record."""
LOGSTASH_SCHEMA = "@version"
"""The version of what Logstash writes, in each of its records, never that of a model."""
LOOSE_LOG_NAMES = _set(
    """
    level severity host process node url uri route path method
    """
)
"""The same, if the values look like it."""


def normal(name: str) -> str:
    """Return a name without case, spaces and separators."""
    return "".join(character for character in name.casefold() if character.isalnum())


def words(name: str) -> list[str]:
    """Split a name at separators and at camel humps, in lower case."""
    return [part.casefold() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W_A-Z\d]+|\d+", name)]


def _compile() -> tuple[dict[str, dict[str, int]], dict[str, frozenset[str]]]:
    ranks: dict[str, dict[str, int]] = {}
    loose: dict[str, frozenset[str]] = {}
    for role, text in _TABLE.items():
        names = text.split()
        ranks[role] = {}
        for name in names:
            ranks[role].setdefault(normal(name), len(ranks[role]))
        loose[role] = frozenset(normal(name) for name in names if name.endswith("?"))
    for role, leaves in _OUTPUT_LEAVES.items():
        for parent in _OUTPUTS:
            for leaf in leaves:
                ranks[role].setdefault(parent + leaf, len(ranks[role]))
    return ranks, loose


_RANKS, _LOOSE = _compile()
_NAMES = frozenset(name for names in _RANKS.values() for name in names)


def rank(role: str, path: ColumnPath) -> int | None:
    """Return how good a name is for a role, 0 the best; None when it is no name for it."""
    if path[-1] == LOGSTASH_SCHEMA:
        return None
    ranks = [_RANKS[role][name] for name in _spellings(role, path) if name in _RANKS[role]]
    return min(ranks, default=None)


def is_named(role: str, path: ColumnPath) -> bool:
    """Tell whether a name is one for a role, and not as often an ordinary feature's."""
    return rank(role, path) is not None and not is_loose(role, path)


_WRITTEN = _set("generatedtext responsetext completiontext answertext completion")


def is_written(path: ColumnPath) -> bool:
    """Tell whether an answer is called a text: of a model that judges it, it is the input."""
    fitting = [name for name in _spellings("prediction", path) if name in _RANKS["prediction"]]
    return bool(fitting) and all(name in _WRITTEN for name in fitting)


def certain(*roles: str) -> frozenset[str]:
    """Return the normalised names that are ones for some roles, and not as often an ordinary feature's."""
    return frozenset(name for role in roles for name in _RANKS[role].keys() - _LOOSE[role])


def may_be_role(path: ColumnPath) -> bool:
    """Tell whether a name is one of any role's."""
    return not _NAMES.isdisjoint(aliases(path))


def holds_probabilities(path: ColumnPath) -> bool:
    """Tell whether a list of this name holds the probabilities of all classes: its second element is a score."""
    return rank("score", (*path, "1")) is not None


_AFFIXES = {
    "prediction": (
        _set("predicted prediction pred forecast"),
        _set("pred prediction predicted hat forecast"),
    ),
    "label": (_set("actual true observed realized realised"), _set("actual truth observed")),
}


def has_affix(role: str, path: ColumnPath) -> bool:
    """Tell whether a name is like `predicted_price` or `price_actual`."""
    parts = words(path[-1])
    first, last = _AFFIXES[role]
    return len(parts) > 1 and (parts[0] in first or parts[-1] in last)


def is_loose(role: str, path: ColumnPath) -> bool:
    """Tell whether a name that fits a role is as often an ordinary feature's."""
    fitting = [name for name in _spellings(role, path) if name in _RANKS[role]]
    return all(name in _LOOSE[role] for name in fitting)


def latency_factor(name: str) -> float | None:
    """Return the milliseconds in the unit that a name ends with; None when it names none."""
    parts = words(name)
    return LATENCY_UNITS.get(parts[-1]) if len(parts) > 1 else None


def _spellings(role: str, path: ColumnPath) -> list[str]:
    names = list(aliases(path))
    suffixes = _TIME_SUFFIXES if role == "timestamp" else LATENCY_UNITS if role == "latency" else ()
    parts = words(path[-1]) if suffixes else []
    if len(parts) > 1 and parts[-1] in suffixes:
        names += aliases((*path[:-1], "".join(parts[:-1])))
    return names


@lru_cache(maxsize=20_000)
def aliases(path: ColumnPath) -> tuple[str, ...]:
    """Return the normalised names that a column goes by: its own, or with its parent's before it."""
    leaf = normal(path[-1])
    if len(path) == 1:
        return (leaf,)
    if (answer := _in_answer(path)) is not None:
        return (answer,)
    joined = normal(path[-2]) + leaf
    if any(joined in names for names in _RANKS.values()):
        return (joined,)
    return (joined, leaf) if all(normal(parent) in WRAPPERS for parent in path[:-1]) else (joined,)


_ANSWERING = frozenset(_OUTPUTS) | ANSWERS


def _in_answer(path: ColumnPath) -> str | None:
    """Return what a text is called that a model answers, a chat model for sure, or the tool that it asks for; or None.

    Examples are `response.choices[0].message.content` and `output.content`; the content of a mere `message` may be what
    was asked.
    """
    parents = [normal(name) for name in path[:-1] if not is_element(name)]
    if _ANSWERING.isdisjoint(parents):
        return None
    if path[-2:] == TOOL and not ANSWERS.isdisjoint(parents):
        return "answertool"
    fitting = all(name in WRAPPERS or name in ANSWERS or name in PARTS for name in parents)
    if not fitting or path[-1] not in TEXTS:
        return None
    chat = not ANSWERS.isdisjoint(parents) and not OF_CHATS.isdisjoint(parents)
    return "answermessage" if chat else "answertext"


def container_depth(path: ColumnPath, containers: Mapping[str, object] | frozenset[str]) -> int:
    """Return how many keys lead into the feature container that a column is in; 0 when it is in none."""
    for depth, parent in enumerate(path[:-1], 1):
        if normal(parent) in containers:
            return depth
    return 0
