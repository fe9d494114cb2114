"""What is in a run's file of Weights & Biases: records of protobuf in blocks of LevelDB's log format.

https://github.com/google/leveldb/blob/main/doc/log_format.md
"""

from __future__ import annotations

import json
import struct
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK, HEAD = 32768, 7
LAST = {1, 4}
"""Types of pieces with which a record ends: a whole one, and the last of several."""


def records(path: Path) -> list[Any]:
    """Return the protobuf records of a run's file."""
    kinds = import_module("wandb.proto.wandb_internal_pb2")  # generated, without types
    found, begun = [], b""
    for kind, piece in _pieces(path.read_bytes()):
        begun += piece
        if kind in LAST:
            record = kinds.Record()
            record.ParseFromString(begun)
            found.append(record)
            begun = b""
    return found


def _pieces(content: bytes) -> Iterator[tuple[int, bytes]]:
    assert content.startswith(b":W&B")
    place = HEAD
    while place + HEAD <= len(content):
        if BLOCK - place % BLOCK < HEAD:  # the rest of a block is empty
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        yield kind, content[place + HEAD : place + HEAD + length]
        place += HEAD + length


def items(found: Any) -> dict[str, Any]:
    """Return the items of a history, summary or configuration, by key."""
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in found}
