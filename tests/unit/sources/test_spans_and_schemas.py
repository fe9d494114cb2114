"""BentoML's monitoring, whose roles a schema file tells, and spans of generative models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = "monitoring/iris/data/data.0.log"


def test_bentoml_roles_come_from_its_schema(given: Callable[[str], None], take: Callable[[], Any]) -> None:
    given("bentoml")
    with take() as taken:
        assert taken.predictions("id", "model", "version", "prediction", "label") == [
            (None, "iris", "v7", "setosa", None),
            ("r2", "iris", "v7", "versicolor", "setosa"),
        ]
        assert taken.predictions("sepal length", "data", "kind") == [(4.5, 9.0, "b"), (6.0, 12.0, "a")]
        assert taken.quarantined() == [(DATA, 3, "not valid JSON"), (DATA, 4, "no usable time")]


def test_spans_of_either_exporter(given: Callable[[str], None], take: Callable[[], Any]) -> None:
    given("otel_genai")
    with take() as taken:
        columns = ("id", "model", "version", "prediction", "latency_ms", "status", "failed", "error")
        model = ("qwen", "qwen-7b")
        assert taken.predictions(*columns) == [
            ("chatcmpl-1", *model, "stop", 250.0, 200, False, None),
            ("0x12", *model, None, 500.0, 500, True, "timeout"),
            ("0x14", *model, "embeddings", 10.0, None, False, None),
            ("s1", *model, "length", 40.0, None, False, None),
            ("s3", *model, "stop", 60.0, None, False, None),
        ]
        assert taken.predictions("input_tokens", "output_tokens", "temperature", "provider")[0] == (
            *(198.0, 41.0, None, "vllm"),
        )
        assert taken.quarantined() == [("console.jsonl", 4, "not valid JSON")]


def test_spans_in_pretty_print(given: Callable[[str], None], logs: Path, take: Callable[[], Any]) -> None:
    given("otel_genai")
    spans = [json.loads(line) for line in (logs / "console.jsonl").read_text().splitlines()[:3]]
    (logs / "console.jsonl").unlink()
    collected = json.loads((logs / "collector.json").read_text())
    (logs / "collector.json").write_text(json.dumps(collected))  # without a newline behind it
    (logs / "spans.log").write_text("\n".join(json.dumps(span, indent=4) for span in spans) + "\n")
    with take() as taken:
        assert taken.predictions("id") == [("chatcmpl-1",), ("0x12",), ("s1",), ("s3",)]


def test_bentoml_data_waits_for_its_schema(
    given: Callable[[str], None], logs: Path, take: Callable[[], Any]
) -> None:
    given("bentoml")
    schema = logs / "monitoring" / "iris" / "schema" / "schema.0.log"
    text = schema.read_text()
    schema.write_text(text[:50])
    with take() as taken:
        assert taken.totals.records == 0
        assert "there is no whole schema" in taken.rows("SELECT message FROM notices")[0][0]
    schema.write_text(text)
    with (logs / DATA).open("a") as file:
        file.write("\n")
    with take() as taken:
        assert taken.totals.predictions == 2
