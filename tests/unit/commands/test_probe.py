"""`mlwatch probe`: a real server on this machine, recognised, described, found down."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from servers import Reply, as_json, replaying

from mlwatch.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

V2 = {
    "GET /v2": as_json({"name": "mlserver", "version": "1.7.1", "extensions": []}),
    "GET /v2/health/live": Reply(""),
    "GET /v2/health/ready": Reply(""),
    "POST /v2/repository/index": as_json([{"name": "fraud\x1b[31m", "version": "v2", "state": "READY"}]),
    "GET /v2/models/fraud%1B%5B31m/ready": Reply(""),
}


@pytest.fixture
def server() -> Iterator[Any]:
    with serving(V2) as found:
        yield found


@pytest.fixture
def golden_server() -> Iterator[Any]:
    with serving(V2 | GOLDEN) as found:
        yield found


@contextmanager
def serving(replies: dict[str, Reply]) -> Iterator[Any]:
    """Serve from a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    found = asyncio.run_coroutine_threadsafe(replaying(replies), loop).result(10)
    yield found
    asyncio.run_coroutine_threadsafe(found.aclose(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_says_what_it_is(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", server.url]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{server.url}\n  server      mlserver, ")
    assert "  live        yes\n  ready       yes\n" in out
    assert "fraud\\x1b[31m v2" in out
    assert "\x1b" not in out
    assert all(asked.startswith("GET") or asked == "POST /v2/repository/index" for asked in server.asked)


def test_json_and_a_server_that_is_down(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "http://user:secret@127.0.0.1:9", server.url, "--format", "json"]) == 1
    out = capsys.readouterr().out
    assert "secret" not in out
    down, up = json.loads(out)
    assert (down["live"], down["error"]) == (False, "refused")
    assert (up["server"], up["live"], up["ready"], up["status"]) == ("mlserver", True, True, 200)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://there", "mlwatch: not an address: an endpoint: give one such as http://localhost:8080"),
        ("iis+http://there", "mlwatch: unknown kind of server iis: an endpoint: known are "),
    ],
)
def test_a_wrong_address_is_refused(url: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", url]) == 2
    assert capsys.readouterr().err.startswith(said)


GOLDEN = {
    "GET /v2/models/fraud/ready": Reply(""),
    "POST /v2/repository/index": as_json([{"name": "fraud", "version": "v2", "state": "READY"}]),
    "POST /v2/models/fraud/infer": as_json({"model_version": "v2", "id": "1", "outputs": [{"data": [0.5]}]}),
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.json").write_text('{"inputs": []}')
    for name, value in (("good.json", 0.5), ("bad.json", 0.25)):
        answer = {"model_version": "v2", "id": "2", "outputs": [{"data": [value]}]}
        (tmp_path / name).write_text(json.dumps(answer))
    return tmp_path


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--expect", "good.json"], 0, "golden      the expected answer, at most 0 apart\n"),
        (
            ["--expect", "bad.json"],
            1,
            "not the expected answer: outputs[0].data[0]: 0.5 instead of 0.25 (0.25 apart)",
        ),
        (["--expect", "bad.json", "--tolerance", "0.3"], 0, "at most 0.25 apart"),
        ([], 0, 'no --expect was given; the answer is {"model_version": "v2", "outputs": [{"data": [0.5]}]}'),
        (["--path", "/elsewhere"], 1, "not the expected answer: no answer: 404: no such path: {"),
    ],
)
def test_golden_input(
    golden_server: Any,
    files: Path,
    options: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["probe", golden_server.url, "--golden", "in.json", *options]) == code
    assert said in capsys.readouterr().out


def test_what_of_the_answer_may_change_can_be_left_out(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "random.json").write_text('{"score": 0.5, "meta": {"request_id": "a", "trace": 1}}')
    answers = {
        "/healthz": Reply("ok"),
        "POST /predict": as_json({"score": 0.5, "meta": {"request_id": "b", "trace": 2}}),
    }
    with serving(answers) as server:
        command = [
            "probe",
            server.url,
            "--golden",
            "in.json",
            "--path",
            "/predict",
            "--expect",
            "random.json",
        ]
        assert main([*command, "--ignore", "request_id"]) == 1
        assert "not the expected answer: meta.trace: 2 instead of 1" in capsys.readouterr().out
        assert main([*command, "--ignore", "request_id", "--ignore", "trace"]) == 0
        assert "golden      the expected answer, at most 0 apart" in capsys.readouterr().out
        assert main([*command[:-2], "--ignore", "meta"]) == 0
        assert 'the answer is {"score": 0.5}' in capsys.readouterr().out


def test_golden_input_in_json(golden_server: Any, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["probe", golden_server.url, "--golden", "in.json", "--format", "json"]
    assert main(command) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["golden"]["matches"] is None
    assert found["golden"]["answer"]["outputs"] == [{"data": [0.5]}]
    assert main([*command, "--expect", "bad.json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["golden"]["matches"], found["golden"]["difference"]) == (False, 0.25)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--golden", "none.json"],
            "mlwatch: the golden probe cannot be used: --golden: cannot read none.json",
        ),
        (["--golden", "in.json", "--expect", "none"], "mlwatch: the golden probe cannot be used: --expect: "),
        (["--expect", "good.json"], "mlwatch: --expect without --golden: give the input"),
        (["--ignore", "id"], "mlwatch: --ignore without --golden: give the input"),
        (
            ["--golden", "in.json", "--tolerance", "-1"],
            "mlwatch: not a tolerance: --tolerance -1.0: give zero",
        ),
    ],
)
def test_a_wrong_golden_input_is_refused(
    files: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", "http://127.0.0.1:9", *options]) == 2
    assert capsys.readouterr().err.startswith(said)


def test_tells_what_the_server_says_about_itself(capsys: pytest.CaptureFixture[str]) -> None:
    text = "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 3\n"
    models = as_json({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "vllm"}]})
    answers = {
        "/v1/models": models,
        "/health": Reply(""),
        "/metrics": Reply(text, headers={"Content-Type": "text/plain"}),
    }
    with serving(answers) as server:
        assert main(["probe", server.url]) == 0
        out = capsys.readouterr().out
        assert "  serves      m\n" in out
        assert "  metrics     since the server started: queue_length 3\n" in out
        assert main(["probe", server.url, "--format", "json"]) == 0
        (found,) = json.loads(capsys.readouterr().out)
        assert found["server_metrics"] == {"queue_length": 3}
        assert found["served"] == [{"model": "m", "version": None, "ready": None}]
        assert main(["probe", server.url, "--model", "mistral"]) == 1
        assert "  ready       no: no model mistral: it serves m\n" in capsys.readouterr().out
        answers["/metrics"] = Reply("vllm:num_requests_waiting{ 3\n", headers={"Content-Type": "text/plain"})
        main(["probe", server.url])
        assert "  metrics     n/a, because damaged metrics in line 1: " in capsys.readouterr().out
