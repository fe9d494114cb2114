"""Read the wire format of protocol buffers and the frames of TFRecord files, as far as logs need them.

https://protobuf.dev/programming-guides/encoding/
https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAME = 12
"""Bytes before a record's data: its length and the checksum of that. Behind the data are four more of checksum."""
MAX_RECORD_BYTES = 64 << 20
_POLYNOMIAL = 0x82F63B78


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field: an int for varints, else bytes.

    Raises:
        ValueError: when it is no message.
    """
    position = 0
    while position < len(message):
        key, position = varint(message, position)
        value: int | bytes
        match key & 7:
            case 0:
                value, position = varint(message, position)
            case 1:
                value, position = message[position : position + 8], position + 8
            case 2:
                length, position = varint(message, position)
                value, position = message[position : position + length], position + length
            case 5:
                value, position = message[position : position + 4], position + 4
            case kind:
                raise ValueError(f"wire type {kind}")
        if position > len(message):
            raise ValueError("cut off")
        yield key >> 3, value


def messages(message: bytes, number: int) -> Iterator[bytes]:
    """Yield the values of a field that holds messages, texts or packed numbers."""
    return (value for key, value in fields(message) if key == number and isinstance(value, bytes))


def first(message: bytes, number: int) -> bytes:
    """Return the last value of such a field, as the format wants it; empty when there is none."""
    found = b""
    for value in messages(message, number):
        found = value
    return found


def integer(message: bytes, number: int) -> int | None:
    """Return the value of a field that holds a signed integer."""
    found = None
    for key, value in fields(message):
        if key == number and isinstance(value, int):
            found = value - (1 << 64) if value >> 63 else value
    return found


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a number of variable length and the position behind it.

    Raises:
        ValueError: when it does not end.
    """
    value, shift = 0, 0
    while position < len(data) and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
    raise ValueError("cut off")


def frame_length(head: bytes) -> int | None:
    """Return the length of the record that a frame announces; None when it is no frame: its checksum tells."""
    if len(head) < FRAME:
        return None
    length, check = struct.unpack_from("<QI", head)
    if length > MAX_RECORD_BYTES or _masked_crc(head[:8]) != check:
        return None
    return int(length)


def _masked_crc(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli), rotated and shifted as TFRecord does."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
