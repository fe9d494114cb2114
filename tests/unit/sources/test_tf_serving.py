"""TensorFlow Serving's request log, written by the protobuf library, read by our own reader of the wire format."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING, Any

from tensorlogs import example, framed, metadata, prediction_log, tensor

from mlwatch.sources.formats import wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FLOAT, STRING, INT64 = 1, 7, 9


def predict() -> bytes:
    inputs = [
        {"key": "distance", "value": tensor(FLOAT, [2], float_val=[1400.5, 1089])},
        {"key": "carrier", "value": tensor(STRING, [2], string_val=[b"UA", b"AA"])},
        {"key": "stops", "value": tensor(INT64, [2], int64_val=[-1])},  # one value fills the shape
        {"key": "pixels", "value": tensor(FLOAT, [2, 30, 30], float_val=[0.5])},
    ]
    content = struct.pack("<2f", 0.25, 0.75)
    outputs = [{"key": "score", "value": tensor(FLOAT, [2, 1], tensor_content=content)}]
    return prediction_log(
        log_metadata=metadata(1),
        predict_log={"request": {"inputs": inputs}, "response": {"outputs": outputs}},
    )


def classify() -> bytes:
    given = example(
        distance={"float_list": {"value": [5.5]}},
        carrier={"bytes_list": {"value": [b"DL"]}},
    )
    context = example(stops={"int64_list": {"value": [-2]}})
    classes = [{"label": "0", "score": 0.125}, {"label": "1", "score": 0.875}]
    return prediction_log(
        log_metadata=metadata(2, version=4),
        classify_log={
            "request": {"input": {"example_list_with_context": {"examples": [given], "context": context}}},
            "response": {"result": {"classifications": [{"classes": classes}]}},
        },
    )


def regress() -> bytes:
    examples = [example(distance={"float_list": {"value": [value]}}) for value in (1, 2)]
    return prediction_log(
        log_metadata=metadata(3),
        regress_log={
            "request": {"input": {"example_list": {"examples": examples}}},
            "response": {"result": {"regressions": [{"value": 0.5}, {"value": 0.0625}]}},
        },
    )


LOG = b"".join(
    framed(one) for one in (predict(), classify(), prediction_log(log_metadata=metadata(9)), regress())
)
EXPECTED = [
    ("flights", "3", "0", 0.25, 1400.5, "UA", -1.0),
    ("flights", "3", "1", 0.75, 1089.0, "AA", -1.0),
    ("flights", "4", "1", 0.875, 5.5, "DL", -2.0),
    ("flights", "3", "0", 0.0625, 2.0, None, None),
    ("flights", "3", "1", 0.5, 1.0, None, None),
]
COLUMNS = ("model", "version", "prediction", "score", "distance", "carrier", "stops")


def read(taken: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = taken.predictions(*COLUMNS, order="ts, score")
    return rows


def test_every_kind_of_log(logs: Path, take: Callable[[], Any]) -> None:
    (logs / "requests-00000").write_bytes(LOG)
    with take() as taken:
        assert read(taken) == EXPECTED
        ((file, line, reason),) = taken.quarantined()
        assert (file, line) == ("requests-00000", 3)
        assert reason.startswith("no PredictionLog that can be used")
        assert taken.predictions("CAST(ts AS VARCHAR)")[0] == ("2026-11-03 10:00:01",)


def test_a_record_waits_until_it_is_whole(logs: Path, take: Callable[[], Any]) -> None:
    for end in (len(LOG) // 4, len(LOG) // 2, len(LOG) - 2, len(LOG)):
        (logs / "requests.tfrecord").write_bytes(LOG[:end])
        with take() as taken:
            counts = taken.totals
    with take() as taken:
        assert read(taken) == EXPECTED
        assert taken.totals == counts


def test_compressed(logs: Path, take: Callable[[], Any]) -> None:
    (logs / "requests.tfrecord.gz").write_bytes(gzip.compress(LOG))
    with take() as taken:
        assert read(taken) == EXPECTED


def test_a_damaged_frame_ends_the_file_with_a_notice(logs: Path, take: Callable[[], Any]) -> None:
    whole = framed(predict())
    (logs / "requests.tfrecord").write_bytes(whole + b"\x07" * 40 + framed(regress()))
    with take() as taken:
        assert len(read(taken)) == 2
        ((message,),) = taken.rows("SELECT message FROM notices")
        assert "a damaged frame behind record 1" in message


def test_training_examples_are_no_log(logs: Path, take: Callable[[], Any]) -> None:
    record = prediction_log(log_metadata=metadata(1))  # one field that fills the record, as an Example has
    (logs / "train.tfrecord").write_bytes(framed(record))
    with take() as taken:
        assert taken.totals.records == 0
        assert "a binary file" in taken.rows("SELECT message FROM notices")[0][0]


def test_the_checksum_is_castagnoli() -> None:
    masked = wire._masked_crc(b"123456789")
    rotated = (masked - 0xA282EAD8) & 0xFFFFFFFF
    assert (rotated << 15 | rotated >> 17) & 0xFFFFFFFF == 0xE3069283  # the check value of RFC 3720's CRC-32C
