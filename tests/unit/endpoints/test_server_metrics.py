"""What real servers said about themselves, under common names; and damaged text."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlwatch.endpoints.exposition import MOST_SERIES, Scrape, read
from mlwatch.endpoints.failures import Failure
from mlwatch.endpoints.measures import MEASURES, WANTED
from mlwatch.endpoints.server_metrics import measured, since_start, with_error_share

FIXTURES = Path(__file__).parents[2] / "fixtures" / "endpoints" / "metrics"
PLAIN, OPEN = "text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0"


def scrape(text: str, at: float = 0.0, kind: str = PLAIN) -> Scrape:
    return read(text.encode(), kind, WANTED, at)


def recorded(name: str) -> str:
    return (FIXTURES / f"{name}.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (
            "torchserve",
            {
                "requests": 4, "errors": 2, "latency_mean_ms": (5589.581 + 88410.591) / 4e3,
                "queue_mean_ms": (297.886 + 276.326) / 4e3, "cpu_share": 1.0, "memory_share": 0.108,
            },
        ),
        (
            "triton",
            {
                "requests": 2, "errors": 0, "latency_mean_ms": (76.072 + 85.530) / 2, "latency_p95_ms": 85.53,
                "queue_mean_ms": 0.19, "queue_length": 0, "cpu_share": 0.4974619289,
                "memory_share": 1738592256 / 25276510208,
            },
        ),
        ("mlserver", {"errors": 2, "in_flight": 0, "memory_bytes": 225562624, "open_files": 26}),
        (
            "ray",
            {
                "requests": 33, "errors": 3, "latency_mean_ms": 480 / 33, "latency_p50_ms": 13.25, "queue_length": 0,
                "in_flight": 0, "cpu_share": 0.893, "memory_share": 3229368320 / 25276514304,
            },
        ),
        ("kserve", {"requests": 4, "latency_mean_ms": 0.46547999863832956 / 4, "latency_p50_ms": 2.5}),
        ("bentoml", {"requests": 5, "errors": 1, "in_flight": 0}),
        ("feast", {"requests": 4, "errors": 2, "latency_mean_ms": 39.49342400119349 / 4, "latency_p50_ms": 5}),
        (
            "fastapi",
            {
                "requests": 1, "errors": 0, "latency_mean_ms": 5.16441199943074, "latency_p95_ms": 9.75,
                "in_flight": 0, "memory_bytes": 153870336, "open_files": 18,
            },
        ),
    ],
)  # fmt: skip
def test_servers_are_told_under_the_same_names(server: str, expected: dict[str, float]) -> None:
    found = since_start(scrape(recorded(server)))
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_openmetrics_says_the_same_as_the_older_format() -> None:
    older, newer = scrape(recorded("fastapi")), scrape(recorded("fastapi_openmetrics"), kind=OPEN)
    assert since_start(older) == since_start(newer)


TENSORFLOW = """# TYPE :tensorflow:serving:request_count counter
:tensorflow:serving:request_count{model_name="m",status="OK"} %d
:tensorflow:serving:request_count{model_name="m",status="INVALID_ARGUMENT"} %d
# TYPE :tensorflow:serving:request_latency histogram
:tensorflow:serving:request_latency_bucket{model_name="m",API="predict",entrypoint="REST",le="1000"} %d
:tensorflow:serving:request_latency_bucket{model_name="m",API="predict",entrypoint="REST",le="1800"} %d
:tensorflow:serving:request_latency_bucket{model_name="m",API="predict",entrypoint="REST",le="+Inf"} %d
"""
VLLM = """# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model_name="m"} 8.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{model_name="m"} 3.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{model_name="m"} 0.25
# TYPE vllm:request_success_total counter
vllm:request_success_total{finished_reason="stop",model_name="m"} %d
vllm:request_success_total{finished_reason="length",model_name="m"} %d
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{model_name="m"} %d
"""


def test_tensorflow_serving_as_documented() -> None:
    window = [scrape(TENSORFLOW % (10, 0, 5, 8, 10)), scrape(TENSORFLOW % (40, 10, 25, 45, 50), 10)]
    found = measured(window)
    assert (found["requests_per_s"], found["errors_per_s"]) == (4, 1)
    assert found["latency_p50_ms"] == pytest.approx(1.0)  # the 20th of 40, the last of the first bucket
    assert found["latency_p95_ms"] == pytest.approx(1.8)  # among those above the highest bound


def test_vllm_as_documented() -> None:
    found = measured([scrape(VLLM % (5, 5, 100)), scrape(VLLM % (15, 5, 2100), 10)])
    assert found == {
        "in_flight": 8, "queue_length": 3, "kv_cache_share": 0.25, "requests_per_s": 1, "tokens_per_s": 200
    }  # fmt: skip


FAILING = {
    "triton": """nv_inference_request_success{model="m",version="1"} %d
nv_inference_request_failure{model="m",version="1",reason="BACKEND"} %d
""",
    "vllm": """vllm:request_success_total{finished_reason="stop",model_name="m"} %d
http_requests_total{handler="/v1/completions",method="POST",status="5xx"} %d
""",
}


@pytest.mark.parametrize("server", FAILING)
@pytest.mark.parametrize(("good", "bad"), [(50, 50), (90, 10), (0, 100), (100, 0)])
def test_where_failures_are_counted_apart_from_successes_requests_are_both(
    server: str, good: int, bad: int
) -> None:
    text = FAILING[server]
    found = with_error_share(measured([scrape(text % (7, 3)), scrape(text % (7 + good, 3 + bad), 10)]))
    assert found == {"requests_per_s": 10, "errors_per_s": bad / 10, "error_share": bad / 100}
    assert since_start(scrape(text % (good, bad))) == {"requests": 100, "errors": bad}


def test_rates_go_on_over_a_restart_and_a_failed_scrape() -> None:
    counts = {0: 100, 15: 130, 45: 10, 60: 40}
    window = [
        scrape(f"# TYPE http_requests_total counter\nhttp_requests_total {n}\n", at)
        for at, n in counts.items()
    ]
    assert measured(window) == {"requests_per_s": (30 + 10 + 30) / 60}
    assert measured(window[:1]) == {}


def test_errors_before_a_restart_count_after_it() -> None:
    """As in PromQL: 100 errors of 320 requests, though no error has come since."""
    good, bad = 'http_requests_total{status="200"} %d\n', 'http_requests_total{status="500"} %d\n'
    texts = (good % 100 + bad % 50, good % 200 + bad % 100, good % 300 + bad % 150, good % 20)
    window = [scrape(text, 20 * n) for n, text in enumerate(texts)]
    assert measured(window) == {"requests_per_s": (220 + 100) / 60, "errors_per_s": 100 / 60}


def test_errors_are_told_by_whatever_label_holds_the_status() -> None:
    for label, value in (("status", "500"), ("status", "5xx"), ("code", "503"), ("status_code", "502")):
        text = '# TYPE http_requests_total counter\nhttp_requests_total{%s="%s"} %d\nhttp_requests_total{%s="200"} 9\n'
        window = [scrape(text % (label, value, n, label), n) for n in (0, 5)]
        assert measured(window) == {"requests_per_s": 1, "errors_per_s": 1}


@pytest.mark.parametrize(
    ("labels", "errors"), [('path="/predict"', None), ('path="/predict",status="200"', 0)]
)
def test_errors_are_known_only_where_a_label_holds_the_status(labels: str, errors: float | None) -> None:
    found = measured([scrape(f"http_requests_total{{{labels}}} {n}\n", n) for n in (0, 5)])
    assert found["requests_per_s"] == 1
    assert found.get("errors_per_s") == errors
    assert with_error_share(found).get("error_share") == errors


@pytest.mark.parametrize(
    ("text", "kind", "where"),
    [
        ("a 1\nhttp_requests_total{x=\"1} 5\n", PLAIN, "line 2: 'http_requests_total{x="),
        ("a 1\nb 2\nhttp_requests_total 5,3\n", PLAIN, "line 3: 'http_requests_total 5,3'"),
        ("<html><body>Not metrics</body></html>", PLAIN, "line 1: '<html>"),
        ("# TYPE a counter\na_total 1\n", OPEN, "line 3"),  # no end
        ("x" * 500, PLAIN, "line 1: '" + "x" * 60 + "…'"),
        ("\x1b[2J{}\n", PLAIN, "line 1: '\\x1b[2J{}'"),
    ],
)  # fmt: skip
def test_damage_is_named_by_its_line(text: str, kind: str, where: str) -> None:
    with pytest.raises(Failure) as caught:
        scrape(text, kind=kind)
    assert where in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_many_series_are_not_kept() -> None:
    text = "\n".join(f'http_requests_total{{path="/{n}"}} 1' for n in range(MOST_SERIES + 1))
    with pytest.raises(Failure, match="more than 20,000 series"):
        scrape(text + "\n")


def test_numbers_that_are_none_are_left_out() -> None:
    assert scrape("http_requests_total NaN\nprocess_open_fds +Inf\n").series == {}


def test_names_say_their_units() -> None:
    ends = (
        "_per_s",
        "_ms",
        "_share",
        "_ratio",
        "_s",
        "clients",
        "keys",
        "fragmentation",
        "_bytes",
        "_cores",
        "_length",
        "in_flight",
        "open_files",
        "latency",
        "token",
    )
    assert all(each.name.endswith(ends) for each in MEASURES)
