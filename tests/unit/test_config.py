"""The configuration: what is read, and what a wrong one is told."""

from __future__ import annotations

import hashlib
import tomllib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwatch.config import Config, discover, load, parse
from mlwatch.config.lines import line_of
from mlwatch.errors import ConfigError, InputError, MlwatchError

if TYPE_CHECKING:
    from pathlib import Path

FULL = """
[roles]
timestamp = "ts"
version = "path:{model}/{version}/*"
features = ["age", "user.*"]
positive_class = 1
latency_unit = "s"
timezone = "Europe/Berlin"
task = "binary"
[business]
conversion = ["bought"]
[store]
keep = "30d"
[reference]
window = "2026-11-01/2026-11-08"
[rollout]
mode = "canary"
share = 0.1
start = 2026-11-01T10:00:00+01:00
min_time = "1h"
margins = { accuracy = 0.02, latency_p95 = 0 }
on_rollback = "kubectl rollout undo 'my app'"
[[rule]]
metric = "accuracy"
when = "drop > 2%"
for = "10m"
[[rule]]
metric = "latency_p95"
when = "> 200ms"
version = "candidate"
severity = "critical"
[[endpoint]]
url = "torchserve+http://localhost:8080"
interval = "500ms"
headers = { Authorization = "env:TOKEN", Accept = "text/plain" }
probe = { input = "golden.json", tolerance = 1 }
verify = false
[schema.age]
type = "number"
min = 0
allowed = [1, "a", true]
[schema."user.plan"]
nullable = false
[schema.user.city]
regex = "[A-Z].*"
[app.keys]
quit = "q,ctrl+c"
[watch]
poll = true
exclude = ["*.tmp"]
[system]
processes = ["uvicorn", ":8080"]
"""


def test_every_section_is_read() -> None:
    config = parse(FULL)
    assert (config.roles.timestamp, config.roles.features) == ("ts", ("age", "user.*"))
    assert (config.roles.positive_class, config.roles.task) == ("1", "binary")
    assert config.business.conversion == ("bought",)
    assert config.store.keep == timedelta(days=30)
    assert config.reference.window == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 8, tzinfo=UTC))
    assert config.rollout.start == datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert config.rollout.margins == {"accuracy": 0.02, "latency_p95": 0.0}
    assert config.rollout.on_rollback == ("kubectl", "rollout", "undo", "my app")
    assert [rule.for_ for rule in config.rules] == [timedelta(minutes=10), timedelta(0)]
    assert config.rules[1].severity == "critical"
    assert config.endpoints[0].headers["Authorization"] == "env:TOKEN"
    assert config.endpoints[0].probe is not None
    assert config.endpoints[0].probe.tolerance == 1.0
    assert config.endpoints[0].verify is False
    assert set(config.schema) == {"age", "user.plan", "user.city"}
    assert config.schema["age"].allowed == ("1", "a", "1")
    assert config.app.keys == {"quit": "q,ctrl+c"}
    assert config.watch.poll
    assert config.system.processes == ("uvicorn", ":8080")


def test_defaults_are_what_an_empty_file_gives() -> None:
    assert parse("") == Config() == load(None)
    assert Config().store.keep is None


def test_file_is_found_hashed_and_resolved_against(tmp_path: Path) -> None:
    assert discover(tmp_path) is None
    path = tmp_path / "mlwatch.toml"
    path.write_bytes(b"\xef\xbb\xbf[reference]\r\npath = 'ref.csv'\r\n")
    assert discover(tmp_path) == path
    config = load(path)
    assert config.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert config.resolve(config.reference.path or "") == tmp_path / "ref.csv"


@pytest.mark.parametrize(
    ("text", "line", "parts"),
    [
        (
            "[roles]\ntimestmap = 'x'",
            2,
            ["unknown key", "roles.timestmap", "did you mean timestamp?", "Allowed"],
        ),
        ("\n[role]\nid = 'x'", 2, ["unknown section", "role", "did you mean roles?"]),
        ("[store]\nkeep = 'long'", 2, ["bad value", "store.keep", "10m"]),
        ("[store]\nkeep = '-3d'", 2, ["bad value", "store.keep"]),
        ("[store]\nkeep = 30", 2, ["bad value", "duration in quotes"]),
        (
            "[rollout]\nalpha = 0.05\n[rollout.margins]\naccuracy = -0.1",
            3,
            ["margin of accuracy", "zero or more"],
        ),
        ("[rollout]\nmargins = { accuracy = 'x' }", 2, ["accuracy must be a number"]),
        ("[rollout]\nmode = 'cannary'", 2, ["rollout.mode", "did you mean canary?", "canary, ab, shadow"]),
        ("[rollout]\nalpha = 0.7", 2, ["less than 0.5"]),
        ("[rollout]\nshare = true", 2, ["must be a number"]),
        ("[rollout]\nshare = nan", 2, ["must be a number"]),
        ("[rollout]\nshare = [[0, 0.05]]", 2, ["must be a share, or a table"]),
        ('[rollout]\non_rollback = "a \'b"', 2, ["is no command"]),
        ("[roles]\nfeatures = 'age'", 2, ["list of text"]),
        ("[roles]\ntimezone = 'Mars/Base'", 2, ["roles.timezone", "time zone"]),
        ("[roles]\nversion = 'path:{model}/*'", 2, ["{version}"]),
        ("[reference]\nwindow = '2026-11-08/2026-11-01'", 2, ["before its end"]),
        (
            "[[rule]]\nmetric = 'a'\nwhen = '< 1'\n\n[[rule]]\nwhen = '< 1'",
            5,
            ["missing key", "rule[2]", "metric"],
        ),
        (
            "[[rule]]\nmetric = 'a'\nwhen = '< 1'\n[[rule]]\nmetric = 'a'\nwhen = 'low'",
            6,
            ["rule[2].when", "< 0.9"],
        ),
        ("[rule]\nmetric = 'a'", 1, ["[[rule]]"]),
        ("[[endpoint]]\nurl = 'localhost'", 2, ["http://"]),
        ("[[endpoint]]\nurl = 'http://a'\n\ntimeout = '0s'", 4, ["longer than zero"]),
        ("[[endpoint]]\nurl = 'http://a'\nheaders = {X-Api-Key = 'geheim'}", 3, ["X-Api-Key", "env:NAME"]),
        ("[schema.age]\nregex = '('", 2, ["schema.age.regex", "regular expression", "missing )"]),
        ("[schema.age]\nregex = '(?=a)a'", 2, ["schema.age.regex", "of RE2", "invalid perl operator"]),
        ("[schema.age]\nmax = 1\nmin = 2", 3, ["schema.age.min", "at most max, 1"]),
        ("[schema.age]\nallowed = []", 2, ["schema.age.allowed", "one value or more"]),
        ("[schema.age]\nminimum = 1", 2, ["unknown key", "schema.age.minimum"]),
        ("[app]\nfps = 1.5", 2, ["whole number"]),
        ("[app]\nmouse = 'off'", 2, ["true or false"]),
        (
            "[app.keys]\nquit = 'q'\nfreezex = 'f'",
            3,
            ["app.keys.freezex", "there is no such action", "did you mean freeze?", "next_model"],
        ),
        ("[app.keys]\nquit = 'q'\nfreeze = 'f,'", 3, ["app.keys.freeze", "a key is missing"]),
        (
            "[app.keys]\nquit = 'q'\nfreeze = 'f'",
            3,
            ["app.keys.freeze", "f is the key of segment", "take another key, or give segment another one"],
        ),
        (
            "[app.keys]\nsegment = 'F'\nfreeze = 'f8, F'",
            2,
            ["app.keys.segment", "F is the key of freeze"],
        ),
        ("[app.keys]\nfreeze = 'ctrl+c'", 2, ["app.keys.freeze", "ctrl+c is the key of quit: take another"]),
        ("[app.keys]\nquit = 'q'\nfreeze = 3", 3, ["app.keys.freeze", "must be text in quotes"]),
        ("[app]\nkeys = {quit = 'q', freeze = 3}", 2, ["freeze must be text in quotes"]),
        ("roles = 3", 1, ["must be a table"]),
        ("[roles]\nid = ", 2, ["not valid TOML"]),
    ],
)
def test_a_wrong_setting_is_told_with_its_line(text: str, line: int, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "x.toml")
    message = str(caught.value)
    assert f"x.toml, line {line}" in message
    assert "\n" not in message
    assert all(part in message for part in parts), message
    assert "geheim" not in message


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"[roles]\nid = 'f\xfcr'")
    with pytest.raises(ConfigError, match=r"line 2.*UTF-8"):
        load(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ('{input = "absent.json"}', "probe.input: cannot read "),
        ('{input = "good.json", expect = "bad.json"}', "probe.expect: .*bad.json is not valid JSON, line 1"),
    ],
)
def test_files_of_a_golden_probe_are_read_at_once(tmp_path: Path, probe: str, said: str) -> None:
    (tmp_path / "good.json").write_text("{}")
    (tmp_path / "bad.json").write_text("oops")
    path = tmp_path / "mlwatch.toml"
    path.write_text(f'[[endpoint]]\nurl = "http://a"\n\n[[endpoint]]\nurl = "http://b"\nprobe = {probe}\n')
    where = rf"the golden probe cannot be used: .*mlwatch.toml, line 6, endpoint\[2\]\.{said}"
    with pytest.raises(ConfigError, match=where):
        load(path)
    with pytest.raises(ConfigError, match="every: must be from 1s to 12h"):
        parse('[[endpoint]]\nurl = "http://a"\nprobe = {input = "a", every = "1d"}')


def test_line_of_quoted_dotted_and_nested_keys() -> None:
    text = '[a."b c"]\nx = 1\n[d]\ne.f = 2\n[[g]]\n[g.h]\ni = 1\n[[g]]\nj = 3\n'
    assert line_of(text, ("a", "b c", "x")) == 2
    assert line_of(text, ("d", "e", "f")) == 4
    assert line_of(text, ("g", 0, "h", "i")) == 7
    assert line_of(text, ("g", 1, "j")) == 9
    assert line_of(text, ("d", "unknown")) == 3
    assert line_of(text, ("z",)) is None


TOML_VALUES = st.sampled_from(
    [
        "1",
        "-1",
        "1.5",
        "nan",
        "true",
        "'x'",
        "''",
        "[]",
        "['a']",
        "[1]",
        "{}",
        "{a = 1}",
        "2026-01-01",
        "10:00:00",
    ]
)
SECTIONS = st.sampled_from(
    ["roles", "business", "store", "reference", "rollout", "app", "watch", "schema", "zz"]
)
KEYS = st.sampled_from(
    ["timestamp", "keep", "path", "window", "mode", "share", "margins", "fps", "keys", "task", "q"]
)


def refusal_of(text: str) -> ConfigError | None:
    try:
        parse(text)
    except ConfigError as error:
        return error
    return None


@given(SECTIONS, KEYS, TOML_VALUES, st.booleans())
def test_any_document_is_read_or_refused(section: str, key: str, value: str, doubled: bool) -> None:
    head = f"[[{section}]]" if doubled else f"[{section}]"
    text = f"{head}\n{key} = {value}\n"
    tomllib.loads(text)
    refusal = refusal_of(text)
    assert refusal is None or "line" in refusal.where


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    assert str(refusal_of(text)).isprintable()


def test_errors_are_one_line_of_what_where_todo() -> None:
    assert str(MlwatchError("no logs", "/tmp/x", "give another directory")) == (
        "no logs: /tmp/x: give another directory"
    )
    assert str(InputError("no logs", todo="look elsewhere")) == "no logs: look elsewhere"
    assert str(InputError("bad", "a\nb\x1b[31m\u202eevil\x00")) == r"bad: a b\x1b[31m\u202eevil\x00"
    assert len(str(InputError("x" * 10_000))) == 400
