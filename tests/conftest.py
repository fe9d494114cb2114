"""An empty store; one of the sample logs, taken in once for all who only ask it; examples that may take their time."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from hypothesis import settings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does

import mlwatch
from mlwatch.store import schema
from mlwatch.store.places import default_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duckdb import DuckDBPyConnection

# how long an example takes says most of the machine
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")

SAMPLES = Path(__file__).resolve().parents[1] / "sample_logs"


@pytest.hookimpl(tryfirst=True)  # before what is not asked for is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take some of the cases of a test for usual, and the others for deep."""
    cases: dict[tuple[str, int], list[pytest.Item]] = {}
    for item in items:
        if (mark := item.get_closest_marker("usual")) is not None:
            cases.setdefault((item.nodeid.partition("[")[0], mark.args[0]), []).append(item)
    for (_, usual), same in cases.items():
        chosen = {place * len(same) // usual for place in range(usual)}
        for place, item in enumerate(same):
            if place not in chosen:
                item.add_marker("deep")


@pytest.fixture(scope="session")
def _taken_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store that the first process to ask for it makes, and all others find."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    store = shared / "samples.duckdb"
    with (shared / "samples.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not store.exists():
            begun = shared / "begun.duckdb"
            with mlwatch.open(SAMPLES, db=begun):
                pass
            begun.rename(store)
    return store


@pytest.fixture(scope="session")
def sample_store(_taken_in: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Return a function that gives a store of one's own, which has the sample logs already: `db=sample_store()`."""

    def copy() -> Path:
        return Path(shutil.copyfile(_taken_in, tmp_path_factory.mktemp("samples") / "store.duckdb"))

    return copy


@pytest.fixture
def sample_state(sample_store: Callable[[], Path], tmp_path: Path) -> Path:
    """A state directory, for `XDG_STATE_HOME`, whose store of the sample logs has them already."""
    state = tmp_path / "state"
    (state / "mlwatch").mkdir(parents=True)
    usual = default_path(SAMPLES)
    assert usual is not None
    sample_store().rename(state / "mlwatch" / usual.name)
    return state


@pytest.fixture
def store() -> Iterator[DuckDBPyConnection]:
    """An empty store in memory, without a session."""
    connection = duckdb.connect(":memory:")
    schema.create(connection)
    yield connection
    connection.close()
