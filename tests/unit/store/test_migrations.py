"""Stores that earlier versions wrote are brought up to date; each fixture was written by the code of its time."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from logfiles import lines, prediction
from sklearn.metrics import ndcg_score

from mlwatch.host.types import HostSample
from mlwatch.session import Options, Session
from mlwatch.store import output_rollups, probes, rollups, schema
from mlwatch.store.database import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

FIXTURES = Path(__file__).parents[2] / "fixtures" / "stores"


@pytest.fixture(params=range(1, schema.VERSION), scope="module")
def upgraded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DuckDBPyConnection]:
    path = tmp_path_factory.mktemp("older") / "store.duckdb"
    path.write_bytes(gzip.decompress((FIXTURES / f"schema-{request.param}.duckdb.gz").read_bytes()))
    opened = open_store(path.parent, path)
    yield opened.connection
    opened.connection.close()


def columns(connection: DuckDBPyConnection) -> list[Any]:
    """All columns but those of the features."""
    return connection.execute(
        """SELECT table_name, column_name, data_type FROM duckdb_columns()
        WHERE NOT internal AND table_name <> 'predictions' ORDER BY ALL"""
    ).fetchall()


def test_an_older_store_is_brought_up_to_date(upgraded: DuckDBPyConnection) -> None:
    fresh = duckdb.connect(":memory:")
    schema.create(fresh)
    assert schema.version_of(upgraded) == schema.VERSION
    assert columns(upgraded) == columns(fresh)
    probes.record(upgraded, [], [HostSample(datetime(2026, 11, 1, tzinfo=UTC))])
    assert upgraded.execute("SELECT COUNT(*) FROM host_samples").fetchone() == (1,)


def test_its_scores_are_counted_by_decision(upgraded: DuckDBPyConnection) -> None:
    scored = upgraded.execute(
        "SELECT COUNT(*), SUM(score) FROM predictions WHERE score IS NOT NULL"
    ).fetchone()
    assert scored is not None
    for level in rollups.DECIDED.levels:
        counted = upgraded.execute(
            f"SELECT COALESCE(SUM(n), 0), SUM(sum_score) FROM {rollups.DECIDED.table(level)}"
        ).fetchone()
        assert counted == (scored[0], pytest.approx(scored[1]))


def test_how_late_its_labels_were_is_counted(upgraded: DuckDBPyConnection) -> None:
    late = upgraded.execute(
        """SELECT COUNT(*) FROM outcomes AS o JOIN predictions AS p ON o.id = p.id WHERE NOT p.failed"""
    ).fetchone()
    for level in rollups.LAGS.levels:
        counted = upgraded.execute(f"SELECT COALESCE(SUM(n), 0) FROM {rollups.LAGS.table(level)}").fetchone()
        assert counted == late


def test_what_its_predictions_are_worth_is_counted(upgraded: DuckDBPyConnection) -> None:
    brought = upgraded.execute(
        "SELECT COALESCE(SUM(n_first), 0), SUM(value), SUM(value_sq) FROM r_business_60 WHERE class = 'net'"
    ).fetchone()
    for level in rollups.WORTH.levels:
        counted = upgraded.execute(
            f"SELECT COALESCE(SUM(n), 0), SUM(value), SUM(value_sq) FROM {rollups.WORTH.table(level)}"
        ).fetchone()
        assert counted == brought


def test_what_servers_said_before_has_a_history(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    path.write_bytes(gzip.decompress((FIXTURES / "schema-16.duckdb.gz").read_bytes()))
    connection = open_store(tmp_path, path).connection
    kept = connection.execute(
        """SELECT date_part('minute', bucket), requests_per_s_n, requests_per_s, cpu_share, queue_length_n
        FROM server_minutes WHERE endpoint = 'http://one' ORDER BY bucket"""
    ).fetchall()
    assert kept == [(0, 4, 4 + 5 + 6 + 7, 1.0, 0), (1, 4, 8 + 9 + 10 + 11, 1.0, 0)]
    connection.close()


def test_its_words_are_counted_again_by_their_md5(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    path.write_bytes(gzip.decompress((FIXTURES / "schema-19.duckdb.gz").read_bytes()))
    connection = open_store(tmp_path, path).connection
    answers = [text for (text,) in connection.execute("SELECT prediction FROM predictions").fetchall()]
    words = [word for text in answers for word in re.split(r"[\s,]+", text.lower())]
    buckets = Counter(hashlib.md5(word.encode(), usedforsecurity=False).digest()[0] % 64 for word in words)
    for level in output_rollups.MEASURES.levels:
        counted = connection.execute(
            f"SELECT bin, SUM(n) FROM r_measures_{level} WHERE measure = 'vocabulary' GROUP BY bin"
        ).fetchall()
        assert dict(counted) == buckets
    connection.close()


def test_its_labels_that_are_numbers_are_counted_with_the_next_batch(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    path.write_bytes(gzip.decompress((FIXTURES / "schema-20.duckdb.gz").read_bytes()))
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "b.jsonl").write_text(lines(prediction(n, prediction=20.5, label=50.0) for n in range(400, 401)))
    with Session(Options(logs, db=path)) as session:
        session.ingest_all()
        _, counted = session.query(
            f"SELECT SUM(n), SUM(total) FROM r_features_900 WHERE feature = {rollups.LABEL}"
        )
    assert counted == [(401, 50 + sum(range(400)) / 8)]


def test_its_truth_values_are_those_of_rows_to_come(tmp_path: Path) -> None:
    path, logs = tmp_path / "store.duckdb", tmp_path / "logs"
    path.write_bytes(gzip.decompress((FIXTURES / "schema-22.duckdb.gz").read_bytes()))
    logs.mkdir()
    (logs / "b.jsonl").write_text(lines(prediction(n, features={"vip": n % 3 == 0}) for n in range(300)))
    with Session(Options(logs, db=path)) as session:
        session.ingest_all()
        _, rows = session.query("SELECT vip, COUNT(*) FROM predictions GROUP BY ALL ORDER BY ALL")
        _, counted = session.query(
            "SELECT bin, CAST(SUM(n) AS BIGINT) FROM r_features_900 WHERE feature = 0 GROUP BY bin ORDER BY bin"
        )
    assert rows == [("false", 400), ("true", 200)]
    assert counted == [(0, 400), (1, 200)]


def reference_of_three_classes() -> str:
    rows = [
        f"{n % 7},{'abc'[n % 3]},{'abc'[(n + (n % 10 == 0)) % 3]},"
        + ",".join("0.8" if n % 3 == k else "0.1" for k in range(3))
        for n in range(300)
    ]
    return "\n".join(["x,prediction,label,proba_a,proba_b,proba_c", *rows]) + "\n"


def test_the_probabilities_of_its_reference_are_counted_when_that_is_given_again(tmp_path: Path) -> None:
    path, logs = tmp_path / "store.duckdb", tmp_path / "logs"
    path.write_bytes(gzip.decompress((FIXTURES / "schema-24.duckdb.gz").read_bytes()))
    logs.mkdir()
    (logs / "reference.csv").write_text(reference_of_three_classes())
    with Session(Options(logs, db=path)) as session:
        _, labels = session.query("SELECT label, SUM(n) FROM reference_labels GROUP BY label ORDER BY label")
        _, classes = session.query(
            "SELECT class, SUM(n) FROM reference_classes WHERE hit = 1 GROUP BY class ORDER BY class"
        )
        _, scores = session.query("SELECT class, SUM(sum_score) FROM reference_classes GROUP BY 1 ORDER BY 1")
    assert classes == labels == [("a", 100), ("b", 100), ("c", 100)]
    assert [total for _, total in scores] == pytest.approx([100.0] * 3)


def older(tmp_path: Path, records: list[dict[str, Any]]) -> Session:
    """Open a store of before there were answers by protected features, with more records, of a binary model and of one
    with quantiles.
    """
    path, logs = tmp_path / "store.duckdb", tmp_path / "logs"
    path.write_bytes(gzip.decompress((FIXTURES / "schema-26.duckdb.gz").read_bytes()))
    logs.mkdir()
    (logs / "mlwatch.toml").write_text('[segments]\nprotected = ["sex"]\n')
    (logs / "b.jsonl").write_text(lines(records))
    return Session(Options(logs, db=path))


def test_its_answers_are_counted_by_protected_features_with_the_next_batch(tmp_path: Path) -> None:
    with older(tmp_path, [prediction(400, model="loan", prediction=1, score=0.9, sex="m")]) as session:
        session.ingest_all()
        _, stored = session.query(
            "SELECT sex, prediction, COUNT(*) FROM predictions WHERE model = 'loan' GROUP BY ALL ORDER BY ALL"
        )
        _, counted = session.query(
            """SELECT category, prediction, SUM(n) FROM r_answers_900 JOIN categories USING (feature)
            WHERE bin = part GROUP BY ALL ORDER BY ALL"""
        )
    assert counted == stored
    assert sum(n for _, _, n in counted) == 401


def test_how_many_of_its_labels_are_equal_to_a_quantile_is_not_known(tmp_path: Path) -> None:
    more = [
        prediction(n, model="demand", prediction=1.25, p10=0.0, p90=2.0, label=0.0, version="v2")
        for n in range(400, 500)
    ]
    with older(tmp_path, more) as session:
        session.ingest_all()
        versions = session.snapshot().models["demand"].versions
    before, after = (versions[name].performance for name in ("v1", "v2"))
    assert before["pinball_0.1"].value == pytest.approx(sum(0.1 * (n % 4) for n in range(400)) / 400)
    assert before["coverage_80"].reason == (
        "the labels were read by an earlier mlwatch, which did not count how many are equal to a quantile"
    )
    assert (after["coverage_80"].value, after["coverage_80"].n) == (1.0, 100)


def clicks() -> tuple[list[float], list[float]]:
    """Return the NDCG and the reciprocal rank of the queries of `schema-27` that have labels, by their order in time.

    Every fourth query has grades of all its twelve items, the others a click alone, at 1 + 7q mod 12; of five queries
    one has no label yet.
    """
    gains, firsts = [], []
    for q in range(40):
        grades = [(place * q) % 4 if q % 4 == 0 else int(place == 1 + 7 * q % 12) for place in range(1, 13)]
        if q % 5 != 3:
            firsts.append(next((1 / (at + 1) for at, grade in enumerate(grades) if grade), 0.0))
            gains.append(ndcg_score([grades], [list(range(12, 0, -1))], k=10) if any(grades) else 0.0)
    return gains, firsts


@pytest.mark.usual(1)
@pytest.mark.parametrize("forgotten", [0, 20])
def test_its_rankings_are_counted_by_the_places_among_all_items(tmp_path: Path, forgotten: int) -> None:
    """Those that retention has dropped stay as they were counted: clicks at the first place."""
    path, logs = tmp_path / "store.duckdb", tmp_path / "logs"
    path.write_bytes(gzip.decompress((FIXTURES / "schema-27.duckdb.gz").read_bytes()))
    logs.mkdir()
    with duckdb.connect(path) as older:
        for table in ("predictions", "ranked"):
            older.execute(
                f"DELETE FROM {table} WHERE ts < TIMESTAMP '2026-11-03 08:00:00' + to_minutes(?)", [forgotten]
            )
    with Session(Options(logs, db=path)) as session:
        session.ingest_all()
        sums = {
            level: session.query(
                f"SELECT SUM(n), SUM(reciprocal), SUM(ndcg), SUM(hits) FROM r_rankings_{level}"
            )[1]
            for level in output_rollups.RANKINGS.levels
        }
        _, again = session.query("SELECT COUNT(*) FROM meta WHERE key = 'rankings_as'")
    gains, firsts = clicks()
    gone = sum(q % 5 != 3 for q in range(forgotten))
    graded = [q for q in range(forgotten) if q % 4 == 0 and q % 5 != 3]
    of_graded = [(q - sum(each % 5 == 3 for each in range(q))) for q in graded]
    clicked = gone - len(graded)
    reciprocal = clicked + sum(firsts[at] for at in of_graded) + sum(firsts[gone:])
    ndcg = clicked + sum(gains[at] for at in of_graded) + sum(gains[gone:])
    hits = clicked + sum(firsts[at] > 0 for at in of_graded) + sum(first >= 0.1 for first in firsts[gone:])
    assert again == [(0,)]
    for level in output_rollups.RANKINGS.levels:
        assert sums[level] == [(32, pytest.approx(reciprocal), pytest.approx(ndcg), hits)]
