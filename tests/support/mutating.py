"""Change a document a little and at random: its bytes, or the values of the JSON in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 10**15, 2**63, -(2**63), 2**64, 10**40, 10**400, 1e308, -1e308, 5e-324),
    *(float("nan"), float("inf"), "", " ", "nan", "1e999", "0x10", "٣", "²", "1_0", "2026-11-03T10:00:00Z"),
    *(
        "9999-12-31T23:59:59+14:00",
        "0001-01-01",
        "1762164000",
        "\0",
        "\x1b[31m",
        "\u202e",
        "\ud800",
        "a" * 3000,
    ),
    *(
        "'; DROP TABLE predictions; --",
        '"',
        "'",
        "\\",
        "/",
        "~",
        "$.x",
        "{}",
        "[]",
        "[1",
        "%s%n",
        "{0}",
        "../x",
    ),
    *([], {}, [[]], [None], [[[[]]]], {"": {}}, {"a": {"b": {"c": []}}}, [1, "a", None], [0.5] * 50),
)
"""What stands where something else is expected."""
NAMES = ("", "id", "time", "data", "a.b", "a\nb", "\ud800", "__proto__", "x" * 500)
PIECES: tuple[bytes, ...] = (
    *(
        b"",
        b"\n",
        b"\r",
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b'"',
        b"'",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b" ",
    ),
    *(
        b"\\u0000",
        b"\\ud800",
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"null",
        b"9" * 400,
        b"[" * 900,
        b'{"a":' * 900,
    ),
    *(
        b"\xed\xa0\x80",
        b"\x80",
        b"\t",
        b";",
        b"|",
        b"#",
        b"=",
        b"%",
        b"\x1f\x8b",
        b"PAR1",
        b"\x28\xb5\x2f\xfd",
    ),
)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return a document with one or a few changes.

    Args:
        data: A good one: lines of JSON, one JSON document, or anything else.
        chance: Says which.
    """
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        data = _with_another_value(data, chance) if chance.random() < 0.6 else _with_other_bytes(data, chance)
    return data


def _with_other_bytes(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    end = min(len(data), start + chance.choice((0, 1, 1, 4, 16, 200)))
    piece = chance.choice((*PIECES, data[start:end] * 2, bytes([chance.randrange(256)])))
    return data[:start] + piece + data[end:]


def _with_another_value(data: bytes, chance: random.Random) -> bytes:
    """Change the JSON of the whole, or of one line; bytes where there is none."""
    try:
        return json.dumps(_changed(json.loads(data), chance)).encode()
    except (ValueError, RecursionError):
        pass
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    try:
        lines[at] = json.dumps(_changed(json.loads(lines[at]), chance)).encode()
    except (ValueError, RecursionError):
        return _with_other_bytes(data, chance)
    return b"\n".join(lines)


def _changed(document: Any, chance: random.Random) -> Any:
    """Replace, drop, repeat or rename one value somewhere in a document, which is changed."""
    places: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        node = waiting.pop()
        inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in inner:
            places.append((node, key))
            waiting.append(value)
    if not places or chance.random() < 0.03:
        return chance.choice(VALUES)
    node, key = chance.choice(places)
    match chance.randrange(6):
        case 0:
            del node[key]
        case 1 if isinstance(node, dict):
            node[chance.choice((*NAMES, f"{key}{key}"))] = node.pop(key)
        case 2 if isinstance(node[key], str):  # often a document within a text
            node[key] = mutated(node[key].encode(errors="replace"), chance).decode(errors="replace")
        case 3:
            node[key] = [node[key]] * chance.choice((1, 2, 40))
        case _:
            node[key] = chance.choice(VALUES)
    return document
