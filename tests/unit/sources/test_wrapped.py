"""Records inside the lines of loggers and container runtimes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logfiles import prediction

import mlwatch
from mlwatch.roles.names import is_named
from mlwatch.sources import wrapped as module
from mlwatch.sources.files import format_of
from mlwatch.sources.wrapped import LOGGED_AT, is_wrapped, unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlwatch.roles.types import ColumnPath

AT = "2026-11-20T10:00:00.123Z"


def record(number: int) -> str:
    """Return a record that has no time of its own."""
    fields = prediction(number)
    del fields["timestamp"]
    return json.dumps(fields)


def in_docker(text: str) -> str:
    return json.dumps({"log": text + "\n", "stream": "stdout", "time": AT})


def in_fluent_bit(text: str) -> str:
    return json.dumps({"date": 1795168800.123, "log": text, "stream": "stdout"})


def in_journal(text: str) -> str:
    return json.dumps({"MESSAGE": text, "_PID": "7", "__REALTIME_TIMESTAMP": "1795168800123000"})


def in_kubernetes(text: str) -> str:
    return f"{AT} stdout F {text}"


def in_python(text: str) -> str:
    return f"2026-11-20 10:00:00,123 INFO serving.predictor: {text}"


def in_brackets(text: str) -> str:
    return f"[{AT}] [pid 7] served {text}"


def in_logger_in_docker(text: str) -> str:
    return in_docker(in_python(text))


WRAPPERS = (
    *(in_docker, in_fluent_bit, in_journal, in_kubernetes, in_python, in_brackets, in_logger_in_docker),
)


@pytest.mark.usual(1)
@pytest.mark.parametrize("wrapped", WRAPPERS)
def test_records_are_read_with_the_time_of_their_line(tmp_path: Path, wrapped: Callable[[str], str]) -> None:
    chatter = [wrapped(f"started worker {number}, listening") for number in range(5)]
    whole = [wrapped(record(number)) for number in range(40)]
    cut = wrapped(record(40)[:-20])
    (tmp_path / "app.log").write_text("\n".join([*chatter, *whole, cut, chatter[0]]) + "\n", encoding="utf-8")

    with mlwatch.open(tmp_path, db=":memory:") as watched:
        document = watched.snapshot().to_dict()
        _, times = watched.query("SELECT DISTINCT strftime(ts, '%Y-%m-%d %H') FROM predictions")
        _, refused = watched.query("SELECT line, reason FROM quarantine")

    counts = {name: document["ingest"][name] for name in ("records", "predictions", "rejected")}
    assert counts == {"records": 41, "predictions": 40, "rejected": 1}
    assert times == [("2026-11-20 10",)]
    assert refused == [(46, "not valid JSON")]


def test_pairs_are_read_as_what_they_look_like(tmp_path: Path) -> None:
    lines = [
        f'ts={AT} level=info msg="served it" request_id=r{number} prediction={number % 2} score=0.25 plan="a b"'
        for number in range(30)
    ]
    (tmp_path / "app.log").write_text(
        "level=info msg=started port=80\n" + "\n".join(lines) + "\n", encoding="utf-8"
    )

    with mlwatch.open(tmp_path, db=":memory:") as watched:
        _, rows = watched.query(
            "SELECT count(*), sum(CAST(prediction AS INT)), min(score), any_value(plan) FROM predictions"
        )

    assert rows == [(30, 15, 0.25, "a b")]


def test_the_time_inside_a_record_wins() -> None:
    (plain,) = unwrapped(in_python(json.dumps(prediction(1))).encode()).split(b"\n")

    assert json.loads(plain) == {**prediction(1), LOGGED_AT: "2026-11-20 10:00:00,123"}


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ('{"prediction": 1, "score": 0.5}\n', "jsonl"),
        ('id,prediction,note\n1,0,"{""a"": 1}"\n', "csv"),
        ('[\n {"prediction": 1, "x": {"score": 1}}\n]', "json"),
        ("just text\nand more\n", "!neither JSON, CSV nor Parquet"),
        ("level=info msg=started port=80\n", "!neither JSON, CSV nor Parquet"),
        ("method=GET request_id=r1 status=503\n", "!neither JSON, CSV nor Parquet"),
        ("2026-11-20T10:00:00Z,r0,1\n2026-11-20T10:00:01Z,r1,0\n", "csv"),
        ("INFO;level\n1;2\n", "csv"),
    ],
)
def test_other_files_stay_what_they_are(head: str, expected: str) -> None:
    assert format_of(head.encode(), "app.log", Path("app.log")) == expected


def told(number: int, message: str, **fields: object) -> str:
    """Return a line of an application's JSON log about a request, as it says it in several."""
    at = f"2026-11-20T10:00:{number:02d}Z"
    return json.dumps({"timestamp": at, "request_id": f"r{number}", "message": message, **fields})


def story(number: int) -> list[str]:
    if number % 4 == 0:
        end = told(number, "request finished", model="m", status_code=500)
        return [told(number, "request received"), told(number, "it failed", level="error"), end]
    answer = told(number, "served", model="m", prediction=1, score=0.9)
    return [told(number, "request received"), answer, told(number, "request finished", status_code=200)]


@pytest.mark.usual(2)
@pytest.mark.parametrize("wrapped", [str, *WRAPPERS])
def test_messages_about_a_request_do_not_stand_for_it(tmp_path: Path, wrapped: Callable[[str], str]) -> None:
    lines = [wrapped(line) for number in range(8) for line in story(number)]
    (tmp_path / "app.log").write_text("\n".join(lines) + "\n", encoding="utf-8")

    with mlwatch.open(tmp_path, db=":memory:") as watched:
        ingest = watched.snapshot().to_dict()["ingest"]
        _, rows = watched.query("SELECT id, prediction, score, failed, status FROM predictions ORDER BY id")

    assert (ingest["records"], ingest["duplicates"], ingest["rejected"]) == (8, 0, 0)
    answered = ("1", 0.9, False, None)
    assert rows == [(f"r{n}", *((None, None, True, 500) if n % 4 == 0 else answered)) for n in range(8)]


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"request_id": "r1", "status_code": 503}, True),
        ({"request_id": "r1", "http": {"status_code": "404"}}, True),
        ({"request_id": "r1", "status_code": 200}, False),
        ({"request_id": "r1", "status": "error"}, False),
        ({"request_id": "r1", "code": 500}, False),
        ({"trace_id": "t1", "status_code": 500}, False),
        ({"status_code": 500}, False),
    ],
)
def test_a_message_is_a_failed_request_by_id_and_status(fields: dict[str, object], kept: bool) -> None:
    line = "{ " + json.dumps({"message": "finished", **fields})[1:]

    assert unwrapped(line.encode()) == (line.encode() if kept else b"")


@pytest.mark.parametrize(
    ("pairs", "kept"),
    [
        ("request_id=r1 amount=3 error=Timeout status=500", True),
        ('level=error msg="it failed" request_id=r1 http_status="503"', True),
        ("request_id=r1 amount=3 status=200", False),
        ("request_id=r1 error=Timeout status=error", False),
        ("amount=3 error=Timeout status=500", False),
    ],
)
def test_pairs_without_an_answer_are_a_failed_request_by_id_and_status(pairs: str, kept: bool) -> None:
    assert (unwrapped(f"{AT} {pairs}".encode()) != b"") is kept


def test_failed_requests_of_a_log_of_pairs_are_counted(tmp_path: Path) -> None:
    sent = [f"ts={AT} request_id=r{number} model=m amount={number}" for number in range(40)]
    ends = [
        " error=Timeout status=500" if number % 4 == 3 else " prediction=1 status=200" for number in range(40)
    ]
    lines = [start + end for start, end in zip(sent, ends, strict=True)]
    (tmp_path / "app.log").write_text("\n".join(lines) + "\n", encoding="utf-8")

    with mlwatch.open(tmp_path, db=":memory:") as watched:
        _, rows = watched.query(
            "SELECT failed, count(*), min(error), sum(amount) FROM predictions GROUP BY ALL ORDER BY 1"
        )

    assert rows == [(False, 30, None, 570.0), (True, 10, "Timeout", 210.0)]


@pytest.mark.parametrize(
    "begun",
    [
        "2026-11-20 10:00:00,123 INFO ",
        "2026-11-20 10:00:00,123 - app - ERROR - ",
        "[2026-11-20 10:00:00,123] [serving.py] INFO - ",
        "2026-11-20 10:00:00.123 | INFO     | app:main:7 - ",
        "2026-11-20T10:00:00.123Z\tINFO\tapp\t",
        "INFO:app:",
        "INFO 2026-11-20 10:00:00,123 app ",
        "WARNING:  ",
    ],
)
def test_what_a_logger_says_before_the_first_record_is_no_table(begun: str) -> None:
    said = "".join(f"{begun}Started worker {number}, listening\n" for number in range(100)).encode()

    assert format_of(said[:600], "app.log", Path("app.log")) == "!neither JSON, CSV nor Parquet"
    assert format_of(said + begun.encode() + record(1).encode(), "app.log", Path("app.log")) == "wrapped"


@pytest.mark.usual(1)
@pytest.mark.parametrize("chatter", [3, 3000])
def test_records_that_come_later_in_a_log_are_read(tmp_path: Path, chatter: int) -> None:
    log, store = tmp_path / "logs" / "app.log", tmp_path / "store.duckdb"
    log.parent.mkdir()
    log.write_text("".join(in_python(f"Started worker {n}") + "\n" for n in range(chatter)), encoding="utf-8")
    with mlwatch.open(log.parent, db=store) as watched:
        before = watched.snapshot().ingest
    with log.open("a", encoding="utf-8") as file:
        file.writelines(in_python(record(number)) + "\n" for number in range(200))
    with mlwatch.open(log.parent, db=store) as watched:
        after = watched.snapshot().ingest

    assert (before.records, after.predictions, after.rejected) == (0, 200, 0)


def line_of_lambda(number: int) -> str:
    """Return a line whose logger knows the request, and whose message is only what the model answered."""
    answered = {"prediction": number % 2, "score": 0.8, "age": 40 + number}
    outer = {
        "level": "INFO",
        "requestId": f"r{number}",
        "version": f"v{number % 2}",
        "message": json.dumps(answered),
    }
    beside = {"logger": "app", "host": "a", "response_time_ms": 12.5, "status": 500 if number == 3 else 200}
    return json.dumps({"timestamp": AT, **beside, **outer})


def test_what_stands_beside_a_record_fills_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("".join(f"{line_of_lambda(n)}\n" for n in range(4)), encoding="utf-8")
    (tmp_path / "labels.csv").write_text("requestId,label\nr0,0\nr1,1\n", encoding="utf-8")

    with mlwatch.open(tmp_path, db=":memory:") as watched:
        document = watched.snapshot().to_dict()
        _, rows = watched.query("SELECT id, version, latency_ms, status, failed FROM predictions ORDER BY id")
        _, features = watched.query("SELECT DISTINCT name FROM features")

    assert rows == [(f"r{n}", f"v{n % 2}", 12.5, 500 if n == 3 else 200, n == 3) for n in range(4)]
    assert features == [("age",)]
    assert document["ingest"]["outcomes_unmatched"] == 0


def test_a_duration_with_a_unit_beside_the_record_is_its_latency(tmp_path: Path) -> None:
    lines = [told(n, record_without(n, "latency_ms"), duration_s=0.25) for n in range(4)]
    (tmp_path / "app.log").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    with mlwatch.open(tmp_path, db=":memory:") as watched:
        _, rows = watched.query("SELECT latency_ms, count(*) FROM predictions GROUP BY 1")

    assert rows == [(250.0, 4)]


KUBERNETES = {"pod_name": "fraud-1", "labels": {"app": "fraud", "app.kubernetes.io/version": "v7"}}


@pytest.mark.usual(1)
@pytest.mark.parametrize("configured", [True, False])
def test_a_configured_column_may_be_beside_the_record(tmp_path: Path, configured: bool) -> None:
    if configured:
        settings = '[roles]\nversion = "kubernetes.labels.app.kubernetes.io/version"\n'
        (tmp_path / "mlwatch.toml").write_text(settings, encoding="utf-8")
    lines = [
        json.dumps({**json.loads(in_docker(record_without(n, "version"))), "kubernetes": KUBERNETES})
        for n in range(4)
    ]
    (tmp_path / "app.log").write_text("\n".join(lines) + "\n", encoding="utf-8")

    with mlwatch.open(tmp_path, db=":memory:") as watched:
        _, rows = watched.query("SELECT DISTINCT version, prediction IS NULL FROM predictions")
        _, features = watched.query("SELECT name FROM features ORDER BY name")

    assert rows == [("v7" if configured else "-", False)]
    assert features == [("age",), ("city",)]


def test_a_configured_column_beside_the_record_does_not_tell_its_format(tmp_path: Path) -> None:
    (tmp_path / "mlwatch.toml").write_text('[roles]\nmodel = "gen_ai.request.model"\n', encoding="utf-8")
    lines = [
        in_python(told(n, json.dumps({"prediction": 1}), **{"gen_ai.request.model": "m7"})) for n in range(4)
    ]
    (tmp_path / "app.log").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    with mlwatch.open(tmp_path, db=":memory:") as watched:
        _, rows = watched.query("SELECT id, model, prediction FROM predictions ORDER BY id")

    assert rows == [(f"r{n}", "m7", "1") for n in range(4)]


def record_without(number: int, name: str) -> str:
    fields = json.loads(record(number))
    del fields[name]
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("beside", "inside", "expected"),
    [
        ({"request_id": "a"}, {"prediction": 1}, {"prediction": 1, "request_id": "a"}),
        ({"request_id": "a"}, {"prediction": 1, "id": "b"}, {"prediction": 1, "id": "b"}),
        ({"request_id": "a"}, {"prediction": 1, "trace_id": "b"}, {"prediction": 1, "trace_id": "b"}),
        ({"request_id": "a"}, {"step": 1}, {"step": 1}),
        ({"request_id": "a", "status": 503}, {"step": 1}, {"step": 1, "request_id": "a", "status": 503}),
        ({"status": "info", "version": True}, {"prediction": 1}, {"prediction": 1}),
        ({"id": "a", "request_id": "b"}, {"prediction": 1}, {"prediction": 1, "request_id": "b"}),
        ({"duration_ms": 9.5}, {"prediction": 1}, {"prediction": 1, "duration_ms": 9.5}),
        ({"elapsedMs": 9}, {"prediction": 1}, {"prediction": 1, "elapsedMs": 9}),
        ({"duration": 9.5, "uptime_ms": 9}, {"prediction": 1}, {"prediction": 1}),
        ({"took_ms": 9, "latency_ms": 8}, {"prediction": 1}, {"prediction": 1, "latency_ms": 8}),
        ({"duration_ms": 9.5}, {"prediction": 1, "latency": 8}, {"prediction": 1, "latency": 8}),
        ({"id": "a"}, {"prediction": 1}, {"prediction": 1}),
        ({"log": {"id": "a"}}, {"prediction": 1}, {"prediction": 1}),
        ({"request": {"id": "a"}}, {"prediction": 1}, {"prediction": 1, "request": {"id": "a"}}),
        ({"request_id": "a"}, {"prediction": 1, "event_id": "b"}, {"prediction": 1, "event_id": "b"}),
        ({"request_id": "a"}, {"event": "buy", "user_id": "u"}, {"event": "buy", "user_id": "u"}),
        ({"request_id": "a"}, {"event": "buy"}, {"event": "buy", "request_id": "a"}),
        (
            {"request_id": "a"},
            {"event": "served", "user_id": "u", "score": 0.5},
            {"event": "served", "user_id": "u", "score": 0.5, "request_id": "a"},
        ),
        (
            {"request_id": "a"},
            {"label": 1, "user_id": "u"},
            {"label": 1, "user_id": "u", "request_id": "a"},
        ),
        ({"@metadata": {"version": "8.1"}, "@version": "1"}, {"prediction": 1}, {"prediction": 1}),
        (
            {"labels": {"model": "m", "app": "x"}},
            {"prediction": 1, "labels": {"team": "t"}},
            {"prediction": 1, "labels": {"team": "t", "model": "m"}},
        ),
    ],
)
def test_only_what_tells_of_the_request_is_taken_from_beside(
    beside: dict[str, object], inside: dict[str, object], expected: dict[str, object]
) -> None:
    line = json.dumps({"level": "INFO", "host": "h", **beside, "message": json.dumps(inside)})

    assert json.loads(unwrapped(line.encode())) == expected


def test_the_id_of_the_call_that_reports_an_event_does_not_displace_its_user(tmp_path: Path) -> None:
    (tmp_path / "mlwatch.toml").write_text('[business]\nby_unit = "30m"\n', encoding="utf-8")
    served = [{"request_id": f"r{n}", "user_id": f"u{n}", "model": "m", "prediction": 1} for n in range(30)]
    bought = [{"event": "purchase", "user_id": f"u{n}", "value": 5.0} for n in range(30)]
    lines = [told(n, json.dumps(fields)) for n, fields in enumerate(served)]
    lines += [told(30 + n, json.dumps(fields)) for n, fields in enumerate(bought)]
    (tmp_path / "app.log").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    with mlwatch.open(tmp_path, db=":memory:") as watched:
        ingest = watched.snapshot().to_dict()["ingest"]

    assert (ingest["events"], ingest["events_unmatched"], ingest["rejected"]) == (30, 0, 0)


def test_a_record_with_text_about_it_stays_the_record() -> None:
    line = json.dumps({"id": "a", "prediction": 1, "message": '{"step": "served"}'}).encode()

    assert unwrapped(line) == line


@pytest.mark.parametrize(
    ("beside", "text"),
    [
        ({"type": "log"}, {"prediction": 1}),
        ({"action": "log", "request_id": "a"}, {"prediction": 1}),
        ({"event": {"dataset": "app.log"}}, {"prediction": 1}),
        ({"event": {"dataset": "app.log"}, "request_id": "a"}, {"prediction": 1}),
        ({"_p": "F", "_type": "doc"}, {"prediction": 1}),
        ({"target": "app::serving"}, {"prediction": 1}),
        ({"output": "stdout"}, {"request_id": "a", "label": 1}),
        ({"type": "log"}, {"request_id": "a", "event": "buy"}),
    ],
)
def test_what_a_shipper_puts_beside_each_message_does_not_hide_the_records(
    beside: dict[str, object], text: dict[str, object]
) -> None:
    line = json.dumps({"@timestamp": AT, **beside, "message": json.dumps(text)}).encode()

    assert format_of(line + b"\n", "app.log", Path("app.log")) == "wrapped"
    assert json.loads(unwrapped(line)).items() >= text.items()


@pytest.mark.parametrize(
    "beside",
    [{"type": "log"}, {"event": {"dataset": "app.log"}}, {"_p": "F"}, {"@metadata": {"type": "_doc"}}],
)
def test_messages_with_the_fields_of_a_shipper_are_no_records(beside: dict[str, object]) -> None:
    line = json.dumps({"@timestamp": AT, **beside, "message": "GET /healthz 200"}).encode()

    assert format_of(line + b"\n", "app.log", Path("app.log")) == "wrapped"
    assert unwrapped(line) == b""


@pytest.mark.parametrize(
    "record",
    [
        {"type": "buy", "request_id": "a", "message": "thanks"},
        {"action": "buy", "user_id": "u", "message": "thanks"},
        {"type": "buy", "event_id": "e", "message": "thanks"},
        {"event": "buy", "message": "thanks"},
        {"label": 1, "message": "thanks"},
        {"result": 1, "message": "served"},
        {"type": "a", "prediction": 1, "message": '{"label": 1}'},
        {"event": "buy", "user_id": "u", "message": '{"score": 5}'},
    ],
)
def test_a_record_with_a_text_stays_a_record(record: dict[str, object]) -> None:
    line = json.dumps(record).encode()

    assert format_of(line + b"\n", "app.log", Path("app.log")) == "jsonl"


def test_a_configured_column_makes_an_event_of_a_message_with_a_type() -> None:
    line = json.dumps({"type": "buy", "order": "a", "message": "thanks"}).encode()

    assert (unwrapped(line, {"order"}), unwrapped(line)) == (line, b"")


def test_a_name_is_judged_once_however_many_lines_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[tuple[str, object]] = []

    def counted(role: str, path: ColumnPath) -> bool:
        judged.append((role, path))
        return is_named(role, path)

    monkeypatch.setattr(module, "is_named", counted)
    line = in_docker(json.dumps({"stage_of_work": "warm-up", "worker_of_many": 1}))
    unwrapped("\n".join([line] * 100).replace("stream", "stream_of_lines").encode())

    assert len(judged) == len(set(judged)) > 0


@given(st.binary(max_size=300))
def test_any_bytes_leave_as_many_lines(text: bytes) -> None:
    is_wrapped(text)

    assert unwrapped(text).count(b"\n") == text.count(b"\n")


PIECES = (*'a9_.-="\\ \té', "a=1 ", 'b="x" ', 'a="\\"" ', "-a=", "@")


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_pairs_are_found_as_if_a_name_were_looked_for_everywhere(text: str) -> None:
    line = text.encode().strip()
    name, quoted = rb"[A-Za-z_@][\w.@/-]*", rb'"(?:[^"\\]|\\.)*"'
    found = list(re.finditer(rb'(%b)=(%b|[^\s"]*)' % (name, quoted), line))
    assert [match.groups() for match in module._PAIR.finditer(line)] == [match.groups() for match in found]
    assert [match.start(1) for match in module._PAIR.finditer(line)] == [match.start() for match in found]
    three = re.search(rb'(?:%b=(?:%b|[^\s"=]*)(?:\s+|$)){3}' % (name, quoted), line)
    assert (module._PAIRS.search(line) is None) == (three is None)
