"""Write TensorFlow Serving's request log with the protobuf library, from the published message definitions."""

from __future__ import annotations

import struct
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TYPES = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _TYPES.TYPE_STRING,
    "bytes": _TYPES.TYPE_BYTES,
    "int64": _TYPES.TYPE_INT64,
    "int32": _TYPES.TYPE_INT32,
    "float": _TYPES.TYPE_FLOAT,
    "double": _TYPES.TYPE_DOUBLE,
    "bool": _TYPES.TYPE_BOOL,
}
_MESSAGES = {
    "Int64Value": ["int64 value 1"],
    "ModelSpec": ["string name 1", "Int64Value version 2", "string signature_name 3"],
    "SamplingConfig": ["double sampling_rate 1"],
    "LogMetadata": ["ModelSpec model_spec 1", "SamplingConfig sampling_config 2", "int64 timestamp_secs 4"],
    "Dim": ["int64 size 1"],
    "TensorShape": ["*Dim dim 2"],
    "TensorProto": [
        *("int32 dtype 1", "TensorShape tensor_shape 2", "bytes tensor_content 4", "*float float_val 5"),
        *("*double double_val 6", "*int32 int_val 7", "*bytes string_val 8", "*int64 int64_val 10"),
        "*bool bool_val 11",
    ],
    "TensorEntry": ["string key 1", "TensorProto value 2"],
    "PredictRequest": ["ModelSpec model_spec 1", "*TensorEntry inputs 2"],
    "PredictResponse": ["*TensorEntry outputs 1", "ModelSpec model_spec 2"],
    "PredictLog": ["PredictRequest request 1", "PredictResponse response 2"],
    "BytesList": ["*bytes value 1"],
    "FloatList": ["*float value 1"],
    "Int64List": ["*int64 value 1"],
    "Feature": ["BytesList bytes_list 1", "FloatList float_list 2", "Int64List int64_list 3"],
    "FeatureEntry": ["string key 1", "Feature value 2"],
    "Features": ["*FeatureEntry feature 1"],
    "Example": ["Features features 1"],
    "ExampleList": ["*Example examples 1"],
    "ExampleListWithContext": ["*Example examples 1", "Example context 2"],
    "Input": ["ExampleList example_list 1", "ExampleListWithContext example_list_with_context 2"],
    "Class": ["string label 1", "float score 2"],
    "Classifications": ["*Class classes 1"],
    "ClassificationResult": ["*Classifications classifications 1"],
    "ClassificationRequest": ["ModelSpec model_spec 1", "Input input 2"],
    "ClassificationResponse": ["ClassificationResult result 1"],
    "ClassifyLog": ["ClassificationRequest request 1", "ClassificationResponse response 2"],
    "Regression": ["float value 1"],
    "RegressionResult": ["*Regression regressions 1"],
    "RegressionRequest": ["ModelSpec model_spec 1", "Input input 2"],
    "RegressionResponse": ["RegressionResult result 1"],
    "RegressLog": ["RegressionRequest request 1", "RegressionResponse response 2"],
    "PredictionLog": [
        *("LogMetadata log_metadata 1", "ClassifyLog classify_log 2", "RegressLog regress_log 3"),
        "PredictLog predict_log 6",
    ],
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="log.proto", package="t", syntax="proto3")
    for name, lines in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for line in lines:
            kind, field, number = line.removeprefix("*").split()
            label = _TYPES.LABEL_REPEATED if line.startswith("*") else _TYPES.LABEL_OPTIONAL
            one = message.field.add(name=field, number=int(number), label=label)
            if kind in _SCALARS:
                one.type = _SCALARS[kind]
            else:
                one.type, one.type_name = _TYPES.TYPE_MESSAGE, f".t.{kind}"
    return file


def prediction_log(**parts: Any) -> bytes:
    """Return a serialised PredictionLog; nested messages are dicts."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName("t.PredictionLog"))
    return bytes(made(**parts).SerializeToString())


def framed(record: bytes) -> bytes:
    """Return a record as a TFRecord file holds it; the checksum of the data is left out, nobody reads it."""
    length = struct.pack("<Q", len(record))
    return length + struct.pack("<I", _masked(_crc32c(length))) + record + b"\0\0\0\0"


def _crc32c(data: bytes) -> int:
    table = [_entry(number) for number in range(256)]
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _entry(number: int) -> int:
    for _ in range(8):
        number = (number >> 1) ^ 0x82F63B78 if number & 1 else number >> 1
    return number


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def metadata(second: int, version: int = 3) -> dict[str, Any]:
    spec = {"name": "flights", "version": {"value": version}, "signature_name": "serving_default"}
    return {"model_spec": spec, "timestamp_secs": 1793700000 + second}


def tensor(kind: int, shape: list[int], **values: Any) -> dict[str, Any]:
    return {"dtype": kind, "tensor_shape": {"dim": [{"size": size} for size in shape]}, **values}


def example(**features: Any) -> dict[str, Any]:
    return {"features": {"feature": [{"key": key, "value": value} for key, value in features.items()]}}
