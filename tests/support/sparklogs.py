"""Logs that have something for every table of sums, to be counted by DuckDB and by Spark."""

from __future__ import annotations

import json
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MILLION = 1_000_000
START = datetime(2026, 11, 3, 20, tzinfo=UTC)
REQUESTS = 600
"""Of each model, one in 40 seconds: beyond midnight."""
CONFIG = """
[business]
attribution = "1h"

[outputs.input_price]
fast = 0.25
[outputs.output_price]
fast = 2.0

[segments]
protected = ["country"]

[schema.amount]
min = 5
max = 90
[schema.country]
allowed = ["de", "fr"]
"""


def requests(seed: int) -> Iterator[dict[str, Any]]:
    """Yield decisions and values with all that a store counts: failures, gaps, odd values, repeats."""
    draw = random.Random(seed)
    for i in range(REQUESTS):
        ts = (START + timedelta(seconds=40 * i + draw.random())).isoformat()
        record: dict[str, Any] = {"timestamp": ts, "version": "v1" if i % 3 else "v2"}
        score = round(draw.betavariate(2, 3), 4)
        features = {
            "amount": draw.choice([round(draw.uniform(0, 100), 2), None, "n/a"]) if i % 9 == 0 else i % 97,
            "country": draw.choice(["de", "fr", "it", None]),
        }
        latency = {"latency_ms": round(draw.lognormvariate(3, 0.6), 3)}
        failed = i % 41 == 0
        yield (
            record
            | latency
            | {
                "id": f"c{i}",
                "model": "clicks",
                "status": 503 if failed else 200,
                "prediction": None if failed else ("yes" if score > 0.5 else "no"),
                "score": None if failed else score,
                "features": features,
            }
        )
        value = round(draw.gauss(50, 12), 3)
        yield (
            record
            | latency
            | {
                "id": f"p{i}",
                "model": "prices",
                "status": 200,
                "prediction": value,
                "label": round(value + draw.gauss(0, 5), 3) if i % 4 else None,
                "features": features,
            }
        )


WORDS = [
    "the",
    "a",
    "model",
    "says",
    "Größe",
    "naïve",
    "Ärger",
    "costs",
    "£5,",
    "or",
    "–",
    "more;",
    "don’t",
    "",
]


def answers(seed: int) -> Iterator[dict[str, Any]]:
    """Yield answers in words, with tokens, and the errors of those that failed."""
    draw = random.Random(seed)
    for i in range(REQUESTS):
        ts = (START + timedelta(seconds=40 * i + draw.random())).isoformat()
        failed = i % 29 == 0
        text = " ".join(draw.choices(WORDS, k=draw.randint(0, 30)))
        error = draw.choice(["\u00a0Timeout : no answer", "OutOfMemory", ": odd", None])
        yield {
            "timestamp": ts,
            "id": f"a{i}",
            "model": "answers",
            "version": draw.choice(["fast", "v2"]),
            "latency_ms": round(draw.lognormvariate(6, 0.6), 3),
            "status": (500 if i % 2 else None) if failed else 200,
            "error": error if failed else None,
            "prediction": None if failed else draw.choice([text, "I’m sorry, but no. " + text, "\u2003 \t"]),
            "features": {
                "prompt_tokens": draw.randint(1, 900),
                "completion_tokens": None if failed else draw.randint(0, 400),
                "ttft_s": round(draw.lognormvariate(-2, 1), 4),
            },
        }


def species(seed: int) -> Iterator[dict[str, Any]]:
    """Yield decisions among three classes with the probability of each."""
    draw = random.Random(seed)
    names = ["ape", "bee", "cat"]
    for i in range(REQUESTS):
        ts = (START + timedelta(seconds=40 * i + draw.random())).isoformat()
        sizes = [draw.choice([draw.random(), 0.5]) for _ in names]
        shares = {
            f"prob_{name}": round(size / sum(sizes), 4) for name, size in zip(names, sizes, strict=True)
        }
        yield {
            "timestamp": ts,
            "id": f"s{i}",
            "model": "species",
            "version": "v1",
            "prediction": max(names, key=lambda name: shares[f"prob_{name}"]),
            "label": draw.choice([*names, "dog"]) if i % 3 else None,
            "latency_ms": 4.5,
            **(shares if i % 17 else {}),
        }


def demand(seed: int) -> Iterator[dict[str, Any]]:
    """Yield predicted numbers with their quantiles."""
    draw = random.Random(seed)
    for i in range(REQUESTS):
        ts = (START + timedelta(seconds=40 * i + draw.random())).isoformat()
        middle = round(draw.gauss(0, 30), 3)
        yield {
            "timestamp": ts,
            "id": f"d{i}",
            "model": "demand",
            "version": "v1",
            "prediction": middle,
            "label": round(middle + draw.gauss(0, 9), 3),
            "p10": middle - 12.5,
            "p90": middle + draw.random(),
        }


def results(seed: int) -> Iterator[dict[str, Any]]:
    """Yield items of rankings; none of them begins before midnight and ends after it."""
    draw = random.Random(seed)
    for i in range(REQUESTS):
        query, place = divmod(i, 12)
        ts = START + timedelta(minutes=7 * query, seconds=draw.random())
        yield {
            "timestamp": ts.isoformat(),
            "id": f"q{i}",
            "model": "search",
            "version": "v1",
            "score": round(draw.random(), 4),
            "label": draw.choice([0, 0, 1, 3]) if query % 6 else 0,
            "query_id": f"query {query}",
            "position": place + 1,
        }


def labels(seed: int) -> Iterator[dict[str, Any]]:
    draw = random.Random(seed)
    for i in range(0, REQUESTS, 2):
        ts = (START + timedelta(seconds=40 * i + draw.randint(60, 40_000))).isoformat()
        yield {"timestamp": ts, "id": f"c{i}", "label": draw.choice(["yes", "no", "no"])}


def events(seed: int) -> Iterator[dict[str, Any]]:
    """Yield what came of the decisions; one in a few comes too late to be their doing."""
    draw = random.Random(seed)
    for i in range(0, REQUESTS, 3):
        kind = draw.choice(["click", "purchase", "purchase", "refund", "thumbs_up", "thumbs_down"])
        ts = (START + timedelta(seconds=40 * i + draw.randint(60, 5_000))).isoformat()
        value = {"value": round(draw.uniform(1, 80), 2)} if kind in {"purchase", "refund", "click"} else {}
        money = {"currency": "EUR"} if kind in {"purchase", "refund"} else {}
        yield {"timestamp": ts, "id": f"c{i}", "event": kind, "event_id": f"e{i}"} | value | money


def write(path: Path, records: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def write_small(logs: Path) -> None:
    """Write a few thousand records of every kind, beyond midnight."""
    asked = list(requests(1))
    write(logs / "requests-1.jsonl", asked[:700])
    write(logs / "requests-2.jsonl", [*asked[700:], *asked[900:910]])  # as a shipper that lost its place
    others = {"answers": answers(4), "species": species(5), "demand": demand(6), "search": results(7)}
    for name, records in others.items():
        write(logs / name / f"{name}.jsonl", records)
    write(logs / "labels.jsonl", labels(2))
    write(logs / "events.jsonl", events(3))
    (logs / "mlwatch.toml").write_text(CONFIG, encoding="utf-8")


def write_million(logs: Path) -> None:
    """Write a million requests with labels and events over a day, and what features are binned after.

    Prices are of few values: these have bins of their own, whichever rows an engine sees first.
    """
    logs.mkdir()
    asked = f"""
        SELECT TIMESTAMP '2026-11-03' + to_microseconds(i * 86_400) AS timestamp, 'r' || i AS id,
            CASE WHEN i % 3 = 0 THEN 'prices' ELSE 'clicks' END AS model, 'v' || (1 + hash(i) % 2) AS version,
            CASE WHEN i % 3 = 0 THEN CAST(hash(i, 5) % 25 / 2 AS VARCHAR) WHEN hash(i, 1) % 2 = 0 THEN 'yes'
                ELSE 'no' END AS prediction,
            hash(i, 2) % 10_000 / 10_000 AS score, hash(i, 3) % 100_000 / 1000 AS latency_ms,
            CASE WHEN hash(i, 4) % 97 = 0 THEN 503 ELSE 200 END AS status,
            {{'amount': CASE WHEN hash(i, 6) % 50 > 0 THEN hash(i, 7) % 10_000 / 100 END,
                'country': ['de', 'fr', 'it'][1 + CAST(hash(i, 8) % 3 AS BIGINT)]}} AS features
        FROM range({MILLION}) AS t (i)"""
    told = f"""
        SELECT TIMESTAMP '2026-11-03' + to_microseconds(i * 86_400 + 600_000_000) AS timestamp, 'r' || i AS id,
            CASE WHEN i % 3 = 0 THEN CAST(hash(i, 9) % 25 / 2 AS VARCHAR) WHEN hash(i, 10) % 2 = 0 THEN 'yes'
                ELSE 'no' END AS label
        FROM range({MILLION}) AS t (i) WHERE i % 2 = 0"""
    bought = f"""
        SELECT TIMESTAMP '2026-11-03' + to_microseconds(i * 86_400 + 60_000_000) AS timestamp, 'r' || i AS id,
            'purchase' AS event, 'e' || i AS event_id, hash(i, 11) % 8000 / 100 AS value, 'EUR' AS currency
        FROM range({MILLION}) AS t (i) WHERE i % 9 = 0"""
    with duckdb.connect() as engine:
        for name, select in (("requests", asked), ("labels", told), ("events", bought)):
            engine.execute(f"COPY ({select}) TO '{logs / name}.jsonl' (FORMAT json)")
        some = (
            f"SELECT model, prediction, score, features.amount, features.country FROM ({asked}) LIMIT 20_000"
        )
        engine.execute(f"COPY ({some}) TO '{logs / 'reference.parquet'}'")
    (logs / "mlwatch.toml").write_text(CONFIG, encoding="utf-8")


def write_samples(logs: Path) -> None:
    """Copy the sample logs."""
    shutil.copytree(Path(__file__).parents[2] / "sample_logs", logs)
