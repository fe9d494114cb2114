"""Model and version of the file's path are those of records that name none."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from logfiles import lines, prediction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_the_path_fills_gaps_and_overrides_no_record(logs: Path, opened: Callable[[], Any]) -> None:
    (logs / "mlwatch.toml").write_text('[roles]\nversion = "path:{model}/{version}/*"\n')
    expected: Counter[tuple[str, str]] = Counter()
    for version in ("v1", "v2"):
        place = logs / "fraud" / version
        place.mkdir(parents=True)
        records = [prediction(n, request_id=f"{version}-{n}") for n in range(90)]
        for number, record in enumerate(records):
            record["version"] = (f"own-{version}", "", None)[number % 3]
            if number % 2:
                record["model"] = "own"
            else:
                del record["model"]
            expected[record.get("model", "fraud"), record["version"] or version] += 1
        (place / "app.jsonl").write_text(lines(records))
    with opened() as session:
        _, rows = session.query("SELECT model, version, COUNT(*) FROM predictions GROUP BY ALL")
    assert {(model, version): n for model, version, n in rows} == dict(expected)
