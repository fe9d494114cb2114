"""Which version is the baseline and which the candidate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from mlwatch.roles.paths import NO_VERSION
from mlwatch.snapshot.role_names import is_baseline, is_first, is_older
from mlwatch.snapshot.withdrawn import STILL, STRAY, withdrawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from mlwatch.config import RolloutSettings
    from mlwatch.snapshot.read import Life, Pair
    from mlwatch.snapshot.types import Role
    from mlwatch.snapshot.withdrawn import Habit


SAME_START = timedelta(minutes=1)
"""Versions whose first requests are this close have begun together."""
NEARLY_SAME_START = timedelta(hours=1)
"""Up to which words in names tell more than first requests."""

LONGEST_SILENT = timedelta(hours=26)
"""A version without requests for so long gets none any more: one that runs once a day has had some by then."""


class Named(Protocol):
    """What names versions outright."""

    @property
    def baseline(self) -> str | None:
        """Name of the baseline."""

    @property
    def candidate(self) -> str | None:
        """Name of the candidate."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The versions of one model, baseline first, candidate second, the others by age."""

    ordered: tuple[Life, ...]
    baseline: Life | None
    candidate: Life | None
    shadows: frozenset[Pair] = frozenset()
    """Versions that answer the same requests as the baseline: of several candidates some may, and others not."""
    absent: tuple[str, ...] = ()
    """Versions that were named but have no traffic."""
    candidates: tuple[Life, ...] = ()
    """All that are judged, `candidate` first: a named one alone, else every younger version with traffic."""
    named: tuple[str | None, str | None] = (None, None)
    """Baseline and candidate as somebody named them, whether they have traffic or not."""
    rivals: tuple[str, ...] = ()
    """The baseline and those that may as well be it, where neither age nor names nor anybody told; else none."""
    withdrawn: tuple[Life, ...] = ()
    """Former candidates that a younger one has followed: they are judged no more."""

    @property
    def tested(self) -> int:
        """Number of versions that the error budget is divided among; at least 1."""
        return max(len(self.candidates) + len(self.withdrawn), 1)

    @property
    def shadow(self) -> bool:
        """Tell whether the candidate is a shadow."""
        return self.candidate is not None and self.candidate.pair in self.shadows

    @property
    def same(self) -> bool:
        """Tell whether one version was named for both."""
        return self.candidate is not None and self.baseline is self.candidate

    def role(self, pair: Pair) -> Role:
        """Return a version's role."""
        if self.baseline is not None and pair == self.baseline.pair:
            return "baseline"
        under_test = self.candidates if self.candidate is None else (self.candidate, *self.candidates)
        if any(pair == life.pair for life in under_test):
            return "shadow" if pair in self.shadows else "candidate"
        return "other"


def assign_roles(
    versions: Sequence[Life],
    settings: RolloutSettings,
    asked: Named,
    requests_since: Callable[[datetime], Mapping[str, int]] | None = None,
    habit: Callable[[Life], Habit] | None = None,
) -> Roles:
    """Find baseline and candidate of one model.

    The baseline is the oldest version that had traffic together with the candidate, more than stray requests where
    several had some; the oldest of all where none had. The candidate is the newest one that still gets traffic. Flags
    win over the configuration, and both over what the logs say: first requests, and where these hardly differ names.

    Args:
        versions: Of one model.
        settings: The `[rollout]` of the configuration.
        asked: What the command line names.
        requests_since: Returns how many requests each version has had since a moment; None where that is not known.
        habit: Returns how a version has run; as before.
    """
    versions = _by_age(versions)
    by_name = {life.pair.version: life for life in versions}
    baseline = by_name.get(asked.baseline or settings.baseline or "")
    candidate = by_name.get(asked.candidate or settings.candidate or "")
    eligible = _eligible(versions, candidate, requests_since) if baseline is None else ()
    baseline = baseline or next(iter(eligible), None)
    if candidate is None:
        candidate = next((life for life in reversed(_alive(versions)) if life is not baseline), None)
    first = [life for life in (baseline, candidate) if life is not None]
    rest = [life for life in versions if life not in first]
    named = (asked.baseline or settings.baseline, asked.candidate or settings.candidate)
    absent = tuple(name for name in named if name and name not in by_name)
    running = _candidates(versions, baseline, candidate, is_named=bool(named[1]))
    gone: tuple[Life, ...] = ()
    if running and requests_since is not None and habit is not None:
        gone = withdrawn(running, max(life.last for life in versions), requests_since, habit)
    candidates = tuple(life for life in running if life not in gone)
    shadows = frozenset(life.pair for life in versions if settings.mode == "shadow")
    rivals = rivals_of(eligible, candidates, is_named=bool(named[1]))
    return Roles((*first, *rest), baseline, candidate, shadows, absent, candidates, named, rivals, gone)


def _by_age(versions: Sequence[Life]) -> list[Life]:
    """Order versions, oldest first, by what their names say where their first requests hardly do; see `_precedes`."""
    ordered: list[Life] = []
    for life in sorted(versions, key=lambda life: (life.first, life.pair.version)):
        behind = (at for at, other in enumerate(ordered) if _precedes(life, other))
        ordered.insert(next(behind, len(ordered)), life)
    return ordered


def _precedes(life: Life, other: Life) -> bool:
    """Tell whether names say that a version is older than another one, though its first request was no earlier.

    Those that come in the same minute, as they do where a log begins in the middle of a rollout, are as old as the
    numbers in their names say, where these differ in nothing else: which of them got the first request is chance. A
    word such as control or canary counts for longer: where it says otherwise than the first requests, traffic was low.
    """
    apart, names = abs(life.first - other.first), (life.pair.version, other.pair.version)
    if apart <= NEARLY_SAME_START and (is_baseline(*names) or is_baseline(*reversed(names))):
        return is_baseline(*names)
    return apart <= SAME_START and (is_older(*names) or is_first(*names))


def _is_told(life: Life, other: Life) -> bool:
    """Tell whether it is more than chance which of two versions is the older one."""
    return abs(life.first - other.first) > SAME_START or _precedes(life, other) or _precedes(other, life)


def rivals_of(
    eligible: Sequence[Life], candidates: Sequence[Life], *, is_named: bool = False
) -> tuple[str, ...]:
    """Return the baseline and the versions that may as well be it; none where it is known.

    Args:
        eligible: Versions that could be the baseline by their traffic, as it is the first; none where it was named.
        candidates: All that are judged.
        is_named: Somebody named the candidate, which is then no baseline.
    """
    if not eligible or not candidates or eligible[0].last < min(life.first for life in candidates):
        return ()
    baseline, *rest = eligible
    able = (*rest, *(() if is_named else candidates))
    few = STRAY * sum(life.predictions for life in {baseline, *able})
    others = {
        life.pair.version
        for life in able
        if life.predictions >= few and life.pair.version != NO_VERSION and not _is_told(life, baseline)
    }
    return (baseline.pair.version, *sorted(others)) if others else ()


def _eligible(
    versions: Sequence[Life],
    candidate: Life | None,
    requests_since: Callable[[datetime], Mapping[str, int]] | None,
) -> Sequence[Life]:
    """Return the versions of which the logs suggest the oldest as the baseline.

    One that retired before the candidate came is none of them, if there are others.
    """
    newest = candidate or next((life for life in reversed(_alive(versions)) if life is not versions[0]), None)
    others = [life for life in versions if life is not candidate]
    if newest is None:
        return others
    before = versions.index(newest)
    late = [life for life in versions[before + 1 :] if not _is_told(life, newest)]
    older = [*versions[:before], *late]  # which of those that begin together comes first is chance
    together = [life for life in older if life.last >= newest.first]
    if len(together) > 1 and requests_since is not None:
        counts = requests_since(newest.first)
        few = STRAY * sum(counts.values())
        together = [life for life in together if counts.get(life.pair.version, 0) >= few] or together
    return together or older or others


def _candidates(
    versions: Sequence[Life], baseline: Life | None, candidate: Life | None, *, is_named: bool
) -> tuple[Life, ...]:
    if baseline is None or candidate is None or baseline is candidate:
        return ()
    if is_named:
        return (candidate,)
    alive = _alive(versions)
    younger = [life for life in versions[versions.index(baseline) + 1 :] if life in alive]
    return (candidate, *(life for life in reversed(younger) if life is not candidate))


def _alive(versions: Sequence[Life]) -> list[Life]:
    """Return the versions that still get traffic: the last request in the last tenth of the time, or the last hour.

    Of long logs a tenth is days, and a rollout that was ended does not run for days: `LONGEST_SILENT` is the most,
    in hours in which others had traffic.
    """
    if not versions:
        return []
    end = max(life.last for life in versions)
    begin = min(life.first for life in versions)
    limit = end - max((end - begin) / 10, STILL)
    return [
        life
        for life in versions
        if life.last >= limit and min(end - life.last, life.silent) <= LONGEST_SILENT
    ]
