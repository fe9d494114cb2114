"""Documents changed at random: whatever reads them takes them or refuses them in the way it is meant to.

Each run tries the same changes; `make test-soak` tries many more, and others each time.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from fuzzing import READERS, engine
from fuzzing_places import PLACES, place
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mutating import mutated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuzzing import Reader

QUICK, LONG = 40, 20_000
ALL = (*READERS, *PLACES)
SLOW = {"exports of runs", "rows of engines", "stores"}


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    engine().close()
    engine.cache_clear()


def reader_of(name: str) -> Reader:
    return READERS[name] if name in READERS else place(name)


def try_changes(reader: Reader, examples: int, *, fixed: bool) -> None:
    @settings(
        max_examples=examples,
        derandomize=fixed,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.integers(0, 2**63), st.sampled_from(reader.seeds))
    def read_changed(seed: int, good: bytes) -> None:
        reader.read(mutated(good, random.Random(seed)))

    read_changed()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.deep) if name in SLOW else name for name in ALL]
)
def test_what_was_changed_is_taken_or_refused(name: str) -> None:
    reader = reader_of(name)
    for good in reader.seeds:
        reader.read(good)
    try_changes(reader, QUICK, fixed=True)


@pytest.mark.soak
@pytest.mark.parametrize("name", ALL)
def test_many_more_changes_are_taken_or_refused(name: str) -> None:
    try_changes(reader_of(name), LONG, fixed=False)
