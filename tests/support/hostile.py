"""Logs whose every name and value wants to be markup, an expression or an address."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "<script>window.ran = 1</script>"
BASELINE = "\"><img src='http://127.0.0.1:9/baseline.png' onerror='window.ran = 2'>"
CANDIDATE = "</text></svg><script>window.ran = 3</script><svg onload=window.ran=4>"
NUMBER = "a.b['c'].\"d\"\\e); window.ran = 5 ("
CATEGORY = "constructor[__proto__] ' style='background:url(//127.0.0.1:9/y)"
VALUES = (
    "</style><link rel=stylesheet href=http://127.0.0.1:9/z.css>",
    "javascript:window.ran=6",
    "${window.ran=7} {{window.ran=8}} datum['x']",
    "__proto__",
)
CHARTED = (NUMBER, CATEGORY)
RECORDS = 1600


def write_hostile_logs(directory: Path) -> None:
    """Write predictions with labels and events of two versions; the second one's features have moved."""
    source = random.Random(5)
    with (directory / "log.jsonl").open("w", encoding="utf-8") as log:
        for number in range(RECORDS):
            log.write(json.dumps(_record(number, source)) + "\n")
    (directory / "bad.jsonl").write_text(f"{MODEL}\n" * 3)


def _record(number: int, source: random.Random) -> dict[str, object]:
    new = number % 2 == 1
    score = round(source.random(), 3)
    positive = score > 0.5
    right = source.random() < (0.6 if new else 0.9)
    label = positive if right else not positive
    return {
        "timestamp": f"2026-11-03T{6 + number // 160:02d}:{number % 160 * 60 // 160:02d}:{number % 60:02d}Z",
        "id": f"r{number}",
        "model": MODEL,
        "version": CANDIDATE if new else BASELINE,
        "prediction": VALUES[1] if positive else VALUES[0],
        "score": score,
        "label": VALUES[1] if label else VALUES[0],
        "latency_ms": 5.0 + number % 7 + 30 * new,
        "status": 500 if number % 40 == 1 else 200,
        "features": {
            NUMBER: source.gauss(3.0 if new else 0.0, 1.0),
            CATEGORY: source.choice(VALUES[2:] if new else VALUES),
        },
    }
