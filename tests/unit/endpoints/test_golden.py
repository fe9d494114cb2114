"""Golden probes against real servers: only where configured, against the expected answer or the first of a version."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import servers
from servers import Reply, as_json, recorded

from mlwatch.config import EndpointSettings
from mlwatch.config.polled import ProbeSettings
from mlwatch.endpoints.adapters.feast import Feast
from mlwatch.endpoints.address import parse
from mlwatch.endpoints.golden import CHANGED, UNKNOWN, Baselines, GoldenProbe
from mlwatch.endpoints.poller import Poller
from mlwatch.endpoints.target import Target
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlwatch.endpoints.types import Probe

OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "churn", "version": "1"},
    "paths": {"/healthz": {}, "/version": {}, "/predict": {}},
}


def fastapi(version: str, answer: Any, status: int = 200) -> dict[str, Reply]:
    return {
        "GET /openapi.json": as_json(OPENAPI),
        "GET /healthz": Reply("ok"),
        "GET /version": as_json({"model": "churn", "version": version}),
        "POST /predict": as_json(answer, status),
    }


class Asking:
    """A target on a server whose replies may be changed, asked look by look."""

    def __init__(self, directory: Path, replies: Mapping[str, Reply], **settings: Any) -> None:
        self.directory, self.replies = directory, dict(replies)
        (directory / "golden.json").write_text(json.dumps({"instances": [[1, 1]]}))
        given = {"kind": "fastapi"} | settings
        every = timedelta(seconds=given.pop("every", 3600))
        of_probe = {
            name: given.pop(name) for name in ("path", "expect", "ignore", "tolerance") if name in given
        }
        self.probe = ProbeSettings(input="golden.json", every=every, **of_probe)
        self.settings = given
        self.baselines = Baselines()

    async def __aenter__(self) -> Asking:
        self.server = await servers.replaying(self.replies)
        self.target = self.new_target()
        return self

    def new_target(self, replica: str = "") -> Target:
        settings = EndpointSettings(url=self.server.url, probe=self.probe, **self.settings)
        golden = GoldenProbe("e", self.probe, self.directory.joinpath, self.baselines)
        address = parse(self.server.url)
        return Target("e", address, settings, self.directory.joinpath, replica, golden)

    async def __aexit__(self, *_: object) -> None:
        await self.target.aclose()
        await self.server.aclose()

    async def look(self, replies: Mapping[str, Reply] | None = None, target: Target | None = None) -> Probe:
        self.replies.update(replies or {})
        return await (target or self.target).probe(asyncio.get_running_loop().time())

    @property
    def posts(self) -> int:
        return len([each for each in self.server.asked if each.startswith("POST")])


async def test_the_first_answer_of_a_version_is_the_expected_one(tmp_path: Path) -> None:
    async with Asking(tmp_path, fastapi("7", {"predictions": [0.5]}), every=0) as asking:
        first = (await asking.look()).golden
        same = (await asking.look(fastapi("7", {"predictions": [0.5 + 1e-9]}))).golden
        wrong = (await asking.look(fastapi("7", {"predictions": [0.75]}))).golden
        new = (await asking.look(fastapi("8", {"predictions": [0.75]}))).golden
        back = (await asking.look(fastapi("7", {"predictions": [0.75]}))).golden
    assert first is not None
    assert first.first is not None
    assert (first.matches, first.first.version, json.loads(first.first.answer)) == (
        True,
        "churn 7",
        {"predictions": [0.5]},
    )
    assert same is not None
    assert (same.matches, same.first) == (True, None)
    assert same.difference == pytest.approx(1e-9)
    assert wrong is not None
    assert (wrong.matches, wrong.difference) == (False, 0.25)
    assert wrong.reason == f"{CHANGED}: predictions[0]: 0.75 instead of 0.5 (0.25 apart)"
    assert new is not None
    assert new.matches
    assert back is not None
    assert not back.matches


async def test_another_replica_must_give_the_same_answer(tmp_path: Path) -> None:
    async with Asking(tmp_path, fastapi("7", [1.0])) as asking:
        await asking.look()
        other = asking.new_target("127.0.0.1")
        found = (await asking.look(fastapi("7", [2.0]), other)).golden
        await other.aclose()
    assert found is not None
    assert found.reason == f"{CHANGED}: [0]: 2 instead of 1 (1 apart)"


async def test_it_is_asked_at_its_interval_and_at_once_after_a_new_version(tmp_path: Path) -> None:
    async with Asking(tmp_path, fastapi("7", [1.0])) as asking:
        said = [(await asking.look()).golden is not None for _ in range(3)]
        assert said == [True, False, False]
        assert (await asking.look(fastapi("8", [3.0]))).golden is not None
        assert asking.posts == 2


async def test_a_name_for_replicas_with_different_versions_is_not_asked_more_often(tmp_path: Path) -> None:
    async with Asking(tmp_path, fastapi("7", [1.0])) as asking:
        for version in ("7", "8", "7", "8", "7"):
            await asking.look(fastapi(version, [float(version)]))
        assert asking.posts == 2


async def test_nothing_is_sent_without_a_configured_probe_nor_to_a_server_that_is_not_ready(
    tmp_path: Path,
) -> None:
    async with Asking(tmp_path, fastapi("7", [1.0])) as asking:
        bare = Target(
            "e", parse(asking.server.url), EndpointSettings(url=asking.server.url), tmp_path.joinpath
        )
        await asking.look(target=bare)
        await bare.aclose()
        await asking.look({"GET /healthz": as_json({"status": "loading"}, 503)})
        assert asking.posts == 0


async def test_a_rollout_between_the_two_requests_is_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlwatch.endpoints.golden.AGAIN_S", 0.0)
    versions = iter(["7", "7", "8", "8", "8"])

    class Rolling(dict[str, Reply]):
        def get(self, asked: str, default: Any = None) -> Any:
            if asked == "GET /version":
                return as_json({"model": "churn", "version": next(versions, "8")})
            return super().get(asked, default)

    async with Asking(tmp_path, fastapi("7", [1.0]), every=0) as asking:
        asking.replies = Rolling(asking.replies)
        await asking.server.aclose()
        asking.server = await servers.replaying(asking.replies)
        asking.target = asking.new_target()
        assert (await asking.look()).golden is not None
        asking.replies["POST /predict"] = as_json([9.0])
        assert (await asking.look()).golden is None  # the look said 7, the answer was that of 8
        found = (await asking.look()).golden
    assert found is not None
    assert found.matches


async def test_an_expected_answer_holds_whatever_the_version(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text('{"label": "cat", "p": 0.5}')
    replies = fastapi("7", {"label": "cat", "p": 0.5004, "request_id": "a"})
    async with Asking(
        tmp_path, replies, expect="out.json", tolerance=1e-3, ignore=("request_id",), every=0
    ) as asking:
        good = (await asking.look()).golden
        bad = (await asking.look(fastapi("8", {"label": "dog", "p": 0.5}))).golden
    assert good is not None
    assert good.matches
    assert good.difference == pytest.approx(4e-4)
    assert good.first is None
    assert bad is not None
    assert bad.reason == 'label: "dog" instead of "cat"'


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (as_json({"detail": "no worker"}, 503), 'no answer: 503: not available: {"detail": "no worker"}'),
        (Reply("<html>sorry", 422), "no answer: status 422"),
        (Reply("x" * 1_100_000), "no answer: answer larger than 1 MB"),
    ],
)
async def test_healthy_and_unable_to_predict_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: Reply, reason: str
) -> None:
    monkeypatch.setattr("mlwatch.endpoints.golden.PAUSES_S", (0.0, 0.0))
    async with Asking(tmp_path, fastapi("7", [1.0]) | {"POST /predict": reply}) as asking:
        probe = await asking.look()
    assert probe.up
    assert probe.golden is not None
    assert (probe.golden.matches, probe.golden.difference, probe.golden.reason) == (False, None, reason)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_has_no_time_just_now_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("mlwatch.endpoints.golden.PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr("mlwatch.endpoints.golden.AGAIN_S", 0.0)
    replies = fastapi("7", [1.0])

    class Busy(dict[str, Reply]):
        refusals = 0

        def get(self, asked: str, default: Any = None) -> Any:
            if asked == "POST /predict" and self.refusals:
                self.refusals -= 1
                return Reply("busy", status)
            return super().get(asked, default)

    async with Asking(tmp_path, replies) as asking:
        await asking.server.aclose()
        asking.replies = busy = Busy(replies)
        asking.server = await servers.replaying(busy)
        asking.target = asking.new_target()
        busy.refusals = 2
        found = (await asking.look()).golden
        assert found is not None
        assert found.matches
        assert asking.posts == 3
        busy.refusals = 3
        for matches in (False, True):  # also before the next hour
            found = (await asking.look(fastapi("8", [2.0]))).golden
            assert found is not None
            assert found.matches == matches


async def test_an_unknown_path_is_said(tmp_path: Path) -> None:
    async with Asking(tmp_path, {"GET /": Reply("ok")}, kind="http") as asking:
        found = (await asking.look()).golden
        assert asking.posts == 0
    assert found is not None
    assert found.reason.startswith("not sent, because the path of predictions is not known")


async def test_a_server_without_versions_is_compared_with_its_first_answer(tmp_path: Path) -> None:
    replies = {"GET /ping": Reply("\n"), "POST /invocations": as_json({"predictions": [1]})}
    async with Asking(tmp_path, replies, kind="mlflow", every=0) as asking:
        first = (await asking.look()).golden
        found = (await asking.look({"POST /invocations": as_json({"predictions": [0]})})).golden
    assert first is not None
    assert first.matches
    assert found is not None
    assert found.reason == f"{UNKNOWN}: predictions[0]: 0 instead of 1 (1 apart)"


async def test_the_id_of_a_v2_answer_may_change_and_its_version_is_the_answers_own(tmp_path: Path) -> None:
    replies = recorded("mlserver")
    async with Asking(tmp_path, replies, kind="v2", model="churn", every=0) as asking:
        first = (await asking.look()).golden
        body = replies["POST /v2/models/churn/infer"].body
        other = Reply(body.replace('"id":"9b94a58b', '"id":"0'))
        second = (await asking.look({"POST /v2/models/churn/infer": other})).golden
        new = Reply(body.replace('"v7"', '"v8"').replace('"data":[1]', '"data":[0]'))
        third = (await asking.look({"POST /v2/models/churn/infer": new})).golden
    assert first is not None
    assert first.first is not None
    assert first.first.version == "v7"
    assert second is not None
    assert second.matches
    assert third is not None
    assert third.first is not None
    assert third.first.version == "v8"


@pytest.mark.parametrize(
    ("name", "kind", "model", "path"),
    [
        ("torchserve", "torchserve", "churn", "/predictions/churn"),
        ("bentoml", "bentoml", None, "/predict"),
        ("ray", "ray", None, "/churn"),
        ("tensorflow", "tensorflow", "churn", "/v1/models/churn:predict"),
    ],
)
async def test_the_path_of_predictions_is_the_servers_own(
    tmp_path: Path, name: str, kind: str, model: str | None, path: str
) -> None:
    async with Asking(tmp_path, recorded(name), kind=kind, model=model) as asking:
        found = (await asking.look()).golden
        assert [each for each in asking.server.asked if each.startswith("POST")] == [f"POST {path}"]
    assert found is not None
    assert found.matches


async def test_feast_says_how_old_features_are_and_what_is_absent(tmp_path: Path) -> None:
    (tmp_path / "golden.json").write_text("{}")
    asked = {"features": ["driver_stats:conv", "driver_stats:trips"], "entities": {"driver_id": [1, 3, 999]}}
    async with Asking(tmp_path, recorded("feast"), kind="feast", every=0) as asking:
        (tmp_path / "golden.json").write_text(json.dumps(asked))
        asking.target = asking.new_target()
        probe = await asking.look()
    oldest = datetime.fromisoformat("2026-11-23T06:51:44.569825Z")
    age = max(0.0, (datetime.now(UTC) - oldest).total_seconds())
    assert probe.golden is None  # features are there to change
    assert set(probe.metrics) == {
        f"feature_{what}.{name}" for what in ("age_s", "absent") for name in ("conv", "trips")
    }
    assert probe.metrics["feature_age_s.conv"] == pytest.approx(age, abs=5)
    assert probe.metrics["feature_absent.trips"] == pytest.approx(1 / 3)


def feast_answer(names: list[str], rows: list[tuple[Any, str, str]]) -> dict[str, Any]:
    results = [{"values": [v], "statuses": [s], "event_timestamps": [t]} for v, s, t in rows]
    return {"results": results, "metadata": {"feature_names": names}}


def test_an_absent_entity_of_feast_is_not_stale() -> None:
    answer = feast_answer(["conv"], [(None, "NOT_FOUND", "1970-01-01T00:00:00Z")])
    measured = Feast(EndpointSettings()).measure({"entities": {"driver_id": [9]}}, answer, datetime.now(UTC))
    assert measured == {"feature_absent.conv": 1.0}


def test_the_order_of_feasts_answer_does_not_matter() -> None:
    rows = [(0.1, "PRESENT", "2026-11-23T09:46:44Z"), (3, "PRESENT", "2026-11-23T09:46:44Z")]
    later = [(3, "PRESENT", "2026-11-24T09:46:44Z"), (0.1, "PRESENT", "2026-11-24T09:46:44Z")]
    feast = Feast(EndpointSettings())
    one, other = feast_answer(["conv", "trips"], rows), feast_answer(["trips", "conv"], later)
    assert feast.output(one) == feast.output(other)


@pytest.fixture
def bad_files(tmp_path: Path) -> Path:
    (tmp_path / "good.json").write_text("{}")
    (tmp_path / "bad.json").write_text('{"a":\n oops}')
    (tmp_path / "empty.json").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        (ProbeSettings(input="absent.json"), "probe.input: cannot read .*absent.json: No such file"),
        (ProbeSettings(input="bad.json"), "probe.input: .*bad.json is not valid JSON, line 2"),
        (ProbeSettings(input="empty.json"), "probe.input: .*empty.json is empty"),
        (ProbeSettings(input="good.json", expect="absent.json"), "probe.expect: cannot read .*absent.json"),
    ],
)
def test_a_file_that_is_gone_is_an_input_error(bad_files: Path, probe: ProbeSettings, said: str) -> None:
    settings = EndpointSettings(url="http://127.0.0.1:9", probe=probe)
    with pytest.raises(InputError, match=said):
        Poller([settings], print, resolve=bad_files.joinpath)
