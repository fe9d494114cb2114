"""The exported metrics, read back by the parser of the Prometheus project."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from logfiles import lines, prediction
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

import mlwatch
from mlwatch.cli import main
from mlwatch.errors import InputError
from mlwatch.metrics.estimate import Estimate
from mlwatch.metrics.outputs import Measure
from mlwatch.snapshot.health_types import ConditionState, Endpoint, EndpointLatency, Replica, Uptime
from mlwatch.snapshot.output_types import Outputs
from mlwatch.snapshot.types import Constraint, Shadow, Stream
from mlwatch.systems.exporter import Exporter, parse_address
from mlwatch.systems.families import (
    FAMILIES,
    MOST_ENDPOINTS,
    MOST_FEATURES,
    MOST_MEASURES,
    MOST_MODELS,
    MOST_STREAMS,
    MOST_VERSIONS,
)
from mlwatch.systems.grafana import dashboard
from mlwatch.systems.mlflow_registry import Entry
from mlwatch.systems.openmetrics import openmetrics, plain
from mlwatch.systems.samples import samples_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logfiles import SampleStore

    from mlwatch.snapshot.types import Snapshot

SAMPLES = Path(__file__).resolve().parents[3] / "sample_logs"

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def rollout(sample_store: SampleStore) -> Iterator[Snapshot]:
    with mlwatch.open(SAMPLES, db=sample_store()) as watch:
        yield watch.snapshot()


def series(text: str) -> Series:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_openmetrics(text)  # type: ignore[no-untyped-call]
        for sample in family.samples
    }


def of(found: Series, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_metrics_are_the_numbers_of_the_report(rollout: Snapshot) -> None:
    found, who = series(openmetrics(rollout)), {"model": "flight-delay", "version": "v2"}
    version = rollout.models["flight-delay"].versions["v2"]
    accuracy = version.performance["accuracy"]
    assert of(found, "mlwatch_performance", **who, metric="accuracy", bound="value") == accuracy.value
    assert of(found, "mlwatch_performance", **who, metric="accuracy", bound="low") == accuracy.low
    assert version.latency.p95 is not None
    assert of(found, "mlwatch_latency_seconds", **who, stat="p95") == pytest.approx(
        version.latency.p95 / 1000
    )
    assert of(found, "mlwatch_predictions", **who) == version.predictions
    assert of(found, "mlwatch_feature_drifted", **who, feature="dep_delay") == 1
    read = rollout.ingest
    fates = [
        of(found, "mlwatch_ingest_records_total", fate=fate) for fate in ("rows", "rejected", "duplicates")
    ]
    assert fates == [read.rows, read.rejected, read.duplicates]
    assert sum(fates) == read.records
    verdicts = {
        verdict: of(
            found,
            "mlwatch_rollout_verdict",
            model="flight-delay",
            baseline="v1",
            candidate="v2",
            verdict=verdict,
        )
        for verdict in ("promote", "hold", "rollback")
    }
    assert verdicts == {"promote": 0, "hold": 0, "rollback": 1}


def test_what_only_some_logs_hold_is_told_too(rollout: Snapshot) -> None:
    model = rollout.models["flight-delay"]
    kinds = {f"kind {number}": 30 - number for number in range(20)}
    outputs = Outputs({"cost": Measure(Estimate(0.25, 40), 10.0, 0.2, 0.9)}, kinds, {"p50": -1.5})
    v2 = replace(model.versions["v2"], outputs=outputs, maturity=0.75)
    told = replace(rollout, models={"flight-delay": replace(model, versions={**model.versions, "v2": v2})})
    found, who = series(openmetrics(told)), {"model": "flight-delay", "version": "v2"}
    stats = {
        stat: of(found, "mlwatch_amount", **who, amount="cost", stat=stat) for stat in ("mean", "p50", "p95")
    }
    assert stats == {"mean": 0.25, "p50": 0.2, "p95": 0.9}
    assert of(found, "mlwatch_amount_in_all", **who, amount="cost") == 10.0
    assert of(found, "mlwatch_residual", **who, quantile="p50") == -1.5
    assert of(found, "mlwatch_conversion_maturity_ratio", **who) == 0.75
    kinds_told = {key: value for key, value in found.items() if key[0] == "mlwatch_errors_of_kind"}
    counted = [value for (_, labels), value in kinds_told.items() if ("version", "v2") in labels]
    assert sorted(counted) == list(range(21, 31)), "kinds are log text: the ten most frequent are told"


def test_the_older_format_says_the_same(rollout: Snapshot) -> None:
    old = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_plain(plain(rollout))
        for sample in family.samples
    }
    assert old == series(openmetrics(rollout))
    assert {family.type for family in parse_plain(plain(rollout))} == {"gauge", "counter"}


def test_hostile_names_stay_label_values(tmp_path: Path) -> None:
    evil = 'v"} 1\n# EOF\nfake{a="\\'
    records = [prediction(number, version=evil, features={evil: 1.0 * number}) for number in range(30)]
    (tmp_path / "log.jsonl").write_text(lines(records))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        found = series(openmetrics(watch.snapshot()))
    (shown,) = {dict(labels)["version"] for name, labels in found if name == "mlwatch_predictions"}
    line, _, digest = shown.partition("~")
    assert line == 'v"} 1 # EOF fake{a="\\'
    assert len(digest) == 8
    assert {name.removesuffix("_total") for name, _ in found} <= set(FAMILIES)


def test_cardinality_is_bounded_and_what_is_left_out_is_counted(rollout: Snapshot) -> None:
    model = rollout.models["flight-delay"]
    version = model.versions["v2"]
    feature = version.quality.features["distance"]
    wide = replace(
        version,
        quality=replace(version.quality, features={f"f{n}": feature for n in range(MOST_FEATURES + 7)}),
    )
    many = replace(model, versions={f"v{n}": replace(wide, name=f"v{n}") for n in range(MOST_VERSIONS + 3)})
    models = {f"m{n}": replace(many, name=f"m{n}") for n in range(MOST_MODELS + 2)}
    found = samples_of(replace(rollout, models=models))
    features = [one for one in found if one.family == "mlwatch_feature_missing_ratio"]
    assert len(features) == MOST_MODELS * MOST_VERSIONS * MOST_FEATURES
    left = next(one.value for one in found if one.family == "mlwatch_series_left_out")
    assert left == 2 + MOST_MODELS * 3 + MOST_MODELS * MOST_VERSIONS * 7


def test_what_is_polled_is_told_with_bounds(rollout: Snapshot) -> None:
    now = rollout.generated_at
    replicas = (
        Replica("10.0.0.1", now, True, True, up=True, status=200, latency_ms=3.0, error=""),
        Replica("10.0.0.2", now, False, False, up=False, status=None, latency_ms=None, error="refused"),
    )
    conditions = (
        ConditionState("metrics.hit_ratio > 0.9", "ok", "0.97"),
        ConditionState("live == true", "firing", ""),
    )
    cache = Endpoint(
        "features", now, "redis 7", live=True, ready=True, replicas=replicas, hour=Uptime(10, 9),
        latency=EndpointLatency(4, 2.0, 9.0), conditions=conditions,
        metrics={"hit_ratio": 0.97, **{f"m{n:02}": 1.0 * n for n in range(MOST_MEASURES)}},
    )  # fmt: skip
    told = replace(rollout, endpoints=(cache, replace(cache, name="old", stale=True)))
    found = series(openmetrics(told))
    who = {"endpoint": "features"}
    assert of(found, "mlwatch_endpoint_up", **who, server="redis 7") == 0.5
    assert of(found, "mlwatch_endpoint_uptime_ratio", **who, window="hour") == 0.9
    assert of(found, "mlwatch_endpoint_latency_seconds", **who, stat="p95") == 0.009
    assert of(found, "mlwatch_endpoint_metric", **who, metric="hit_ratio") == 0.97
    assert of(found, "mlwatch_endpoint_condition", **who, condition="metrics.hit_ratio > 0.9") == 1
    assert of(found, "mlwatch_endpoint_condition", **who, condition="live == true") == 0
    assert of(found, "mlwatch_series_left_out") == 1
    assert not [labels for _, labels in found if ("endpoint", "old") in labels], (
        "what is of the past is not told"
    )
    many = tuple(replace(cache, name=f"e{n:03}") for n in range(MOST_ENDPOINTS + 4))
    assert (
        of(series(openmetrics(replace(rollout, endpoints=many))), "mlwatch_series_left_out")
        == 4 + MOST_ENDPOINTS
    )


def test_estimates_training_and_what_schema_asks_are_told(rollout: Snapshot) -> None:
    found, who = series(openmetrics(rollout)), {"model": "flight-delay", "version": "v1"}
    version = rollout.models["flight-delay"].versions["v1"]
    assert (
        of(found, "mlwatch_performance_estimated", **who, metric="accuracy", bound="value")
        == version.estimated["accuracy"].value
    )
    assert (
        of(found, "mlwatch_feature_wrong_values", **who, feature="dep_delay", kind="unseen")
        == version.quality.features["dep_delay"].unseen
    )
    mean = version.labels
    assert mean is not None
    assert of(found, "mlwatch_labels_mean", **who, bound="value") == mean.value
    there = rollout.models["flight-delay"].reference_performance["accuracy"].value
    key = {"model": "flight-delay", "metric": "accuracy", "bound": "value"}
    assert of(found, "mlwatch_performance_of_reference", **key) == there
    entry = Entry("1", metrics={"val_accuracy": 0.9})
    asked = tuple(Constraint("age", f"rule{n}", "are above 9", 10, n) for n in range(3))
    told = replace(version, registered=entry, constraints=asked)
    model = replace(rollout.models["flight-delay"], versions={"v1": told})
    more = series(openmetrics(replace(rollout, models={"flight-delay": model})))
    assert of(more, "mlwatch_performance_in_training", **who, metric="accuracy") == 0.9
    assert of(more, "mlwatch_constraint_broken_values", **who, feature="age", rule="rule2") == 2


def test_names_that_are_alike_stay_series_of_their_own(tmp_path: Path) -> None:
    long = "the_embedding_of_the_transactions_of_a_customer_" * 3
    names = ["a b", "a  b", "a\tb", f"{long}mean", f"{long}max", "é" * 128, "\x1b", "\\x1b"]
    records = [prediction(n, features={name: n * at for at, name in enumerate(names)}) for n in range(4)]
    (tmp_path / "a.jsonl").write_text(lines(records))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        snapshot = watch.snapshot()
    assert series(openmetrics(snapshot))  # the parser refuses a series that is there twice
    labels = [one.labels for one in samples_of(snapshot) if one.family == "mlwatch_feature_missing_ratio"]
    shown = {dict(each)["feature"] for each in labels}
    assert len(shown) == len(labels) == len(names)
    assert {"a b", "é" * 128, "\\x1b"} < shown, "a name that fits is shown as it is"
    assert max(map(len, shown)) == 128
    assert sum(re.fullmatch("the_.{115}~[0-9a-f]{8}", name) is not None for name in shown) == 2


def test_a_shadow_tells_how_often_its_answers_differ(rollout: Snapshot) -> None:
    shadow = Shadow(100, 0, 0.05, 0.02, None, None, None, None, None, 0, 0, None, None)
    (one,) = rollout.rollouts
    found = series(openmetrics(replace(rollout, rollouts=(replace(one, shadow=shadow),))))
    who = {"model": "flight-delay", "baseline": "v1", "candidate": "v2"}
    assert of(found, "mlwatch_rollout_disagreement_ratio", **who, bound="value") == 0.05
    assert of(found, "mlwatch_rollout_disagreement_ratio", **who, bound="low") == 0.02
    assert not [
        labels
        for name, labels in found
        if name.endswith("disagreement_ratio") and ("bound", "high") in labels
    ]


def test_the_lag_of_topics_is_told_of_the_worst_partitions(rollout: Snapshot) -> None:
    streams = tuple(Stream("t", number, 0, number) for number in range(MOST_STREAMS + 5))
    found = samples_of(replace(rollout, ingest=replace(rollout.ingest, streams=streams)))
    lags = [one for one in found if one.family == "mlwatch_stream_lag_messages"]
    assert [one.value for one in lags] == list(range(MOST_STREAMS + 4, 4, -1))
    assert dict(lags[0].labels) == {"topic": "t", "partition": str(MOST_STREAMS + 4)}


def test_a_store_without_data_has_metrics_too(tmp_path: Path) -> None:
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        found = series(openmetrics(watch.snapshot()))
    assert of(found, "mlwatch_ingest_records_total", fate="rows") == 0


def test_the_dashboard_asks_only_for_metrics_that_there_are() -> None:
    document = dashboard()
    queries = [target["expr"] for panel in document["panels"] for target in panel["targets"]]
    queries += [variable["query"]["query"] for variable in document["templating"]["list"]]
    asked = set(re.findall(r"mlwatch_\w+", " ".join(queries)))
    assert len(asked) > 10
    assert asked <= set(FAMILIES)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in document["panels"]]
    assert len(set(places)) == len(places)


def test_the_dashboard_draws_all_that_its_variables_can_choose(rollout: Snapshot) -> None:
    """Grafana fills a variable with the values of a label, and "All" of it matches these."""
    document, found = dashboard(), series(openmetrics(rollout))

    def values(family: str, label: str) -> set[str]:
        return {dict(labels)[label] for name, labels in found if name == family}

    choices = {}
    for variable in document["templating"]["list"]:
        family, label = re.fullmatch(r"label_values\((\w+).*, (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
        choices[variable["name"]] = values(family, label)
    drawn = set()
    for panel in document["panels"]:
        for target in panel["targets"]:
            (family,) = re.findall(r"mlwatch_\w+", target["expr"])
            for label, name in re.findall(r'(\w+)=~"\$(\w+)"', target["expr"]):
                drawn.add(name)
                assert values(family, label) <= choices[name], (panel["title"], label)
    assert drawn == set(choices)
    assert len(values("mlwatch_rollout_difference", "metric")) > 3


def still(found: Series) -> Series:
    """Return the series of the data alone."""
    return {
        key: value
        for key, value in found.items()
        if not key[0].startswith(("mlwatch_host", "mlwatch_ingest"))
    }


def test_export_prints_what_the_exporter_serves(
    capsys: pytest.CaptureFixture[str], sample_store: SampleStore
) -> None:
    store = str(sample_store())
    asked = ["export", str(SAMPLES), "--to", "prometheus", "--db", store]
    assert main(asked) == 0
    printed = series(capsys.readouterr().out)
    assert main([*asked, "--since", "2026-11-01"]) == 0
    whole = series(capsys.readouterr().out)
    with mlwatch.open(SAMPLES, db=store) as watch:
        exporter = Exporter(watch, ":0")
        try:
            served = series(httpx.get(exporter.url, headers={"Accept": "application/openmetrics-text"}).text)
        finally:
            exporter.close()
        everything = watch.snapshot().models["flight-delay"].versions["v2"].predictions
    # the engine adds up in parallel: the last digit of a sum may differ
    assert still(printed) == pytest.approx(still(served), rel=1e-12)
    who = {"model": "flight-delay", "version": "v2"}
    assert of(whole, "mlwatch_predictions", **who) == everything > of(printed, "mlwatch_predictions", **who)


def test_export_prints(capsys: pytest.CaptureFixture[str], tmp_path: Path, sample_store: SampleStore) -> None:
    assert main(["export", "--to", "grafana"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "mlwatch"
    out = tmp_path / "metrics.txt"
    store = str(sample_store())
    assert main(["export", str(SAMPLES), "--to", "prometheus", "--db", store, "-o", str(out)]) == 0
    assert of(series(out.read_text()), "mlwatch_predictions", model="flight-delay", version="v2") > 0
    assert main(["export", "--to", "prometheus"]) == 2
    assert capsys.readouterr().err == (
        "mlwatch: PATH is missing: command line: name the directory of prediction logs\n"
    )


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":9464", ("127.0.0.1", 9464)),
        ("9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:8", ("::1", 8)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "host", ":", ":http", ":70000", "http://u:hunter2@h/t", "http://u:hunter2@h:1"]
)
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(InputError, match="not an address") as error:
        parse_address(text)
    assert "hunter2" not in str(error.value)


def test_the_exporter_answers_both_formats_and_outlives_errors(rollout: Snapshot) -> None:
    class Source:
        generation = 1
        failing = False

        def snapshot(self, span: object = None, at: object = None) -> Snapshot:
            if self.failing:
                raise InputError("the store is not open yet")
            return rollout

    source = Source()
    exporter = Exporter(source, ":0")
    try:
        old = httpx.get(exporter.url)
        new = httpx.get(exporter.url, headers={"Accept": "application/openmetrics-text;version=1.0.0"})
        assert old.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert new.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert series(new.text) == series(openmetrics(rollout))
        assert httpx.get(exporter.url + "x").status_code == 404
        source.failing, source.generation = True, 2
        down = httpx.get(exporter.url)
        assert (down.status_code, down.text) == (503, "# the store is not open yet\n")
        source.failing = False
        assert httpx.get(exporter.url).status_code == 200
        with pytest.raises(InputError, match="cannot listen"):
            Exporter(source, exporter.url.removeprefix("http://").removesuffix("/metrics"))
    finally:
        exporter.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(exporter.url)


def test_a_scrape_that_hangs_up_before_its_answer_prints_nothing(
    rollout: Snapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, gone = threading.Event(), threading.Event()

    class Source:
        generation = 1

        def snapshot(self, span: object = None, at: object = None) -> Snapshot:
            asked.set()
            assert gone.wait(60)
            return rollout

    exporter = Exporter(Source(), ":0")
    try:
        host, port = exporter.url.removeprefix("http://").removesuffix("/metrics").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # hang up at once
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert asked.wait(60)
        gone.set()
        for thread in threading.enumerate():
            if "process_request" in thread.name:
                thread.join(60)
        assert httpx.get(exporter.url).status_code == 200
    finally:
        exporter.close()
    assert capsys.readouterr().err == ""


def test_watch_serves_metrics_without_a_screen_and_follows(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(lines(prediction(number) for number in range(20)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlwatch", "watch", str(tmp_path), "--db", ":memory:"]
    process = subprocess.Popen(
        [*command, "--exporter", f":{port}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == f"mlwatch: metrics at http://127.0.0.1:{port}/metrics\n"
        _until(port, 20)
        with log.open("a") as file:
            file.write(lines(prediction(number) for number in range(20, 50)))
        _until(port, 50)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        code = process.wait(timeout=30)
    assert code == 0


def _until(port: int, predictions: int) -> None:
    accept = {"Accept": "application/openmetrics-text"}
    for _ in range(200):
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", headers=accept, timeout=10).text
        key = ("mlwatch_predictions", frozenset({("model", "m"), ("version", "v1")}))
        found = series(text).get(key)
        if found == predictions:
            return
        time.sleep(0.1)
    raise AssertionError(f"{found} predictions and not {predictions}")
