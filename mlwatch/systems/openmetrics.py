"""Samples as text that Prometheus scrapes.

Formats: OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/) and the older text format 0.0.4.
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING

from mlwatch.systems.families import FAMILIES, Family, Sample
from mlwatch.systems.samples import samples_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlwatch.snapshot.types import Snapshot

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"


def openmetrics(snapshot: Snapshot) -> str:
    """Return every metric of a snapshot as OpenMetrics."""
    return "".join(f"{line}\n" for line in _openmetrics(samples_of(snapshot))) + "# EOF\n"


def plain(snapshot: Snapshot) -> str:
    """Return every metric of a snapshot in the text format that any Prometheus reads."""
    return "".join(f"{line}\n" for line in _plain(samples_of(snapshot)))


def _openmetrics(samples: Iterable[Sample]) -> Iterator[str]:
    for family, group in _families(samples):
        yield f"# TYPE {family.name} {family.kind}"
        if family.unit:
            yield f"# UNIT {family.name} {family.unit}"
        yield f"# HELP {family.name} {_escaped(family.help)}"
        yield from (_line(family, sample) for sample in group)


def _plain(samples: Iterable[Sample]) -> Iterator[str]:
    for family, group in _families(samples):
        name = _full_name(family)
        yield f"# HELP {name} {family.help}"
        yield f"# TYPE {name} {family.kind}"
        yield from (_line(family, sample) for sample in group)


def _families(samples: Iterable[Sample]) -> Iterator[tuple[Family, Iterator[Sample]]]:
    for name, group in groupby(samples, key=lambda sample: sample.family):
        yield FAMILIES[name], (sample for sample in group if math.isfinite(sample.value))


def _line(family: Family, sample: Sample) -> str:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels)
    return f"{_full_name(family)}{f'{{{labels}}}' if labels else ''} {_number(sample.value)}"


def _full_name(family: Family) -> str:
    return f"{family.name}_total" if family.kind == "counter" else family.name


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
