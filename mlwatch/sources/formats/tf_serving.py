"""TensorFlow Serving's request log: TFRecord files of PredictionLog messages.

https://github.com/tensorflow/serving/blob/master/tensorflow_serving/apis/prediction_log.proto
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/tensor.proto
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

from mlwatch.roles.paths import NO_VERSION
from mlwatch.sources.formats.payload import MAX_CELLS
from mlwatch.sources.formats.types import Importer, Place
from mlwatch.sources.formats.wire import FRAME, fields, first, frame_length, integer, messages, varint

if TYPE_CHECKING:
    from collections.abc import Callable

_FLOAT, _DOUBLE, _STRING, _BOOL = 1, 2, 7, 10
_CODES = {1: "f", 2: "d", 3: "i", 4: "B", 5: "h", 6: "b", 9: "q", 10: "?", 22: "I", 23: "Q"}
"""Data types of tensors and their codes in `struct`."""
_VALUES = {1: 5, 2: 6, 3: 7, 4: 7, 5: 7, 6: 7, 7: 8, 9: 10, 10: 11, 22: 16, 23: 17}
"""Data types and the fields that hold their values."""


def begins_log(head: bytes) -> bool:
    """Tell whether a file begins with a record of a request log, not with training examples."""
    length = frame_length(head)
    if length is None:
        return False
    record = head[FRAME : FRAME + length]
    if record[:1] != b"\x0a":
        return False
    try:
        metadata, start = varint(record, 1)
    except ValueError:
        return False
    return start + metadata < length  # behind the metadata comes the request; an example has nothing there


def decode(record: bytes) -> dict[str, Any]:
    """Return a PredictionLog as a dict of plain values.

    Raises:
        ValueError: when it is none, or of a kind that has no single answer.
    """
    metadata = first(record, 1)
    model = first(metadata, 1)
    for number, log in fields(record):
        if number in _KINDS and isinstance(log, bytes):
            request, response = _KINDS[number](log)
            return {
                "model": first(model, 1).decode("utf-8", "replace") or None,
                "version": integer(first(model, 2), 1),
                "time": integer(metadata, 4),
                "rate": _double(first(first(metadata, 2), 1)),
                "request": request,
                "response": response,
            }
    raise ValueError("neither a predict, a classify nor a regress log")


def _predict(log: bytes) -> tuple[Any, Any]:
    return {"inputs": _tensors(first(log, 1), 2)}, {"outputs": _tensors(first(log, 2), 1)}


def _classify(log: bytes) -> tuple[Any, Any]:
    answers = []
    for item in messages(first(first(log, 2), 1), 1):
        classes = [_class(one) for one in messages(item, 1)]
        best = max(classes, key=lambda one: one["score"], default=None)
        answers.append(best if len(classes) != 2 else {"label": best and best["label"], **_positive(classes)})
    return _examples(first(first(log, 1), 2)), answers


def _regress(log: bytes) -> tuple[Any, Any]:
    values = [_float(first(one, 1)) for one in messages(first(first(log, 2), 1), 1)]
    return _examples(first(first(log, 1), 2)), values


_KINDS: dict[int, Callable[[bytes], tuple[Any, Any]]] = {2: _classify, 3: _regress, 6: _predict}


def _class(message: bytes) -> dict[str, Any]:
    return {"label": first(message, 1).decode("utf-8", "replace"), "score": _float(first(message, 2))}


def _positive(classes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the score of the second of two classes."""
    return {"score": sorted(classes, key=lambda one: str(one["label"]))[1]["score"]}


def _float(data: bytes) -> float:
    return float(struct.unpack("<f", data)[0]) if len(data) == 4 else 0.0


def _double(data: bytes) -> float | None:
    return float(struct.unpack("<d", data)[0]) if len(data) == 8 else None


def _tensors(message: bytes, number: int) -> list[dict[str, Any]]:
    """Return a map of tensors as the Open Inference Protocol writes them, in the order of their names."""
    found = []
    for entry in messages(message, number):
        name, tensor = first(entry, 1).decode("utf-8", "replace"), first(entry, 2)
        shape = [integer(size, 1) or 0 for size in messages(first(tensor, 2), 2)]
        height = shape[0] if shape else 1
        if math.prod(shape) > MAX_CELLS * max(1, height):
            continue  # an image or an embedding
        data = _elements(tensor, math.prod(shape))
        found.append({"name": name, "shape": [height], "datatype": "", "data": data})
    return sorted(found, key=lambda one: str(one["name"]))


def _elements(tensor: bytes, count: int) -> list[Any]:
    kind = integer(tensor, 1) or 0
    if kind == _STRING:
        values: list[Any] = [text.decode("utf-8", "replace") for text in messages(tensor, 8)]
    elif kind not in _CODES:
        return []
    elif content := first(tensor, 4):
        values = _unpacked(content, _CODES[kind])
    else:
        values = _numbers(tensor, kind)
    return values * count if len(values) == 1 and count > 1 else values


def _numbers(tensor: bytes, kind: int) -> list[Any]:
    values: list[Any] = []
    for number, value in fields(tensor):
        if number != _VALUES[kind]:
            continue
        if isinstance(value, int):
            values.append(_signed(value))
        elif kind in {_FLOAT, _DOUBLE}:
            values += _unpacked(value, _CODES[kind])
        else:
            values += _varints(value)
    return [bool(value) for value in values] if kind == _BOOL else values


def _varints(data: bytes) -> list[int]:
    values, position = [], 0
    while position < len(data):
        value, position = varint(data, position)
        values.append(_signed(value))
    return values


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _unpacked(data: bytes, code: str) -> list[Any]:
    size = struct.calcsize(f"<{code}")
    values = struct.unpack(f"<{len(data) // size}{code}", data[: len(data) // size * size])
    return [value if not isinstance(value, float) or math.isfinite(value) else None for value in values]


def _examples(message: bytes) -> list[dict[str, Any]]:
    """Return the examples of an Input, the context's features in each."""
    listed, shared = first(message, 1), first(message, 2)
    common = _features(first(shared, 2))
    return [{**common, **_features(example)} for example in messages(listed or shared, 1)]


def _features(example: bytes) -> dict[str, Any]:
    named = {}
    for entry in messages(first(example, 1), 1):
        values: list[Any] = []
        for kind, content in fields(first(entry, 2)):
            if kind == 1 and isinstance(content, bytes):
                values = [text.decode("utf-8", "replace") for text in messages(content, 1)]
            elif kind == 2 and isinstance(content, bytes):
                values = [number for one in messages(content, 1) for number in _unpacked(one, "f")]
            elif kind == 3 and isinstance(content, bytes):
                values = [
                    n
                    for _, one in fields(content)
                    for n in ([one] if isinstance(one, int) else _varints(one))
                ]
        name = first(entry, 1).decode("utf-8", "replace")
        named[name] = values[0] if len(values) == 1 else values
    return named


def envelopes(place: Place) -> str:
    """Return the SELECT over decoded records."""
    changed = f"make_timestamp({place.mtime_ns // 1000})"
    return f"""
        SELECT n, COALESCE(make_timestamp(TRY_CAST(j ->> 'time' AS BIGINT) * 1000000), {changed}) AS ts,
            COALESCE(j ->> 'model', 'default') AS model, COALESCE(j ->> 'version', '{NO_VERSION}') AS version,
            CASE WHEN CAST(j -> 'request' AS VARCHAR) <> '{{"inputs":[]}}' THEN j ->> 'request' END AS request,
            j ->> 'response' AS response, j ->> 'wrong' AS reason, TRY_CAST(j ->> 'rate' AS DOUBLE) AS fraction
        FROM native"""


IMPORTER = Importer(
    name="tf_serving",
    title="TensorFlow Serving request log",
    recognised="TFRecord files of PredictionLog messages",
    roles="model and version: model_spec; time: timestamp_secs, else the file's; there is no id and no latency",
    marks=(),
    envelopes=envelopes,
)
