"""Rules of the configuration, evaluated on a snapshot: `[[rule]] metric = "accuracy" when = "< 0.9"`."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from mlwatch.config import RuleSettings
from mlwatch.config.comparison import NUMBER, SCALES, SIGN, holds
from mlwatch.errors import ConfigError
from mlwatch.rule_values import (
    as_old,
    is_amount,
    is_duration,
    is_performance,
    is_young,
    ripe_value_of,
    value_of,
    values_over,
)
from mlwatch.words import whose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from mlwatch.snapshot.types import Model, Severity, Snapshot, Version, Window

DEFAULT_RULES = (
    RuleSettings(metric="error_rate", when="> 5%", for_=timedelta(minutes=5), severity="critical"),
)
"""What is watched where no rule is configured: nobody wants every twentieth request to fail."""
QUIET = timedelta(minutes=30)
"""A version without a request for so long, while others of its model had some, gets none any more, but for chance."""
TRAFFIC = frozenset({"predictions", "throughput"})
"""Metrics that say how much comes: of a version without requests above all."""
COUNTS = frozenset({"predictions", "labelled"})
"""Metrics whose windows are counts, and no means of what their requests were like."""
THE_RULE = ", the rule is "

_ABSOLUTE = re.compile(rf"\s*{SIGN}\s*{NUMBER}\s*")
_RELATIVE = re.compile(rf"\s*(drop|rise|change)\s*(?:>=|>)\s*{NUMBER}\s*")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a rule says about one version."""

    name: str
    model: str
    version: str
    state: Literal["ok", "pending", "breach", "no_data"]
    """Pending: broken now, but not yet for as long as the rule asks."""
    value: float | None
    message: str
    """One plain sentence."""
    severity: Severity
    since: datetime | None = None
    """Since when it is broken."""
    silent: bool = False
    """Its version gets no requests any more, so that what was said of it holds no longer."""
    run: Run | None = None
    """What a rule with `for` goes by; None without, and where the metric is not followed window by window."""


@dataclass(frozen=True, slots=True)
class Run:
    """The newest windows with a value, as many as all break the rule or all keep it."""

    broken: bool
    start: datetime
    end: datetime
    value: float
    """Of the newest one."""
    before: float | None
    """What it is compared with there."""
    windows: int
    """Number of them."""
    requests: int
    """Requests in them, labelled ones where they are judged by labels; beside what they are compared with the fewer."""

    @property
    def since(self) -> datetime | None:
        """When it began to be broken; None where it is not."""
        return self.start if self.broken else None

    @property
    def lasted(self) -> timedelta:
        """For how long it has been so."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class _Condition:
    """A condition that was understood."""

    kind: str
    """A sign of comparison; or drop, rise or change against the baseline."""
    amount: float
    """As values are: durations in milliseconds, shares 0 to 1; of a change with %, the share of the value there."""
    unit: str

    @property
    def is_relative(self) -> bool:
        return self.kind in {"drop", "rise", "change"}


def rulings(snapshot: Snapshot, rules: Iterable[RuleSettings]) -> list[Ruling]:
    """Evaluate rules over the range of a snapshot.

    A rule names a metric, see `rule_values.value_of`. Its condition is absolute (`< 0.9`, `> 5%`, `> 200ms`), or
    against the baseline or how the model did on the reference (`drop > 2%`: two per cent of the value there;
    `drop > 0.02`: two points). Without `for` the value over the whole range counts; with it, every window of the last
    so many minutes. Of a version that gets no requests any more, nothing is said as of now: a rule that names none
    passes over it.

    Raises:
        ConfigError: when a condition or a metric cannot be understood.
    """
    return [
        ruling
        for rule in named(rules)
        for model in snapshot.models.values()
        for ruling in _placed(rule, model, whose(snapshot.models, model.name))
    ]


def _placed(rule: RuleSettings, model: Model, of_model: str) -> list[Ruling]:
    """Return what a rule says; an error names the line of the rule, where it has one."""
    try:
        return list(_of_model(rule, model, of_model))
    except ConfigError as error:
        raise ConfigError(error.what, rule.place or error.where, error.todo) from None


def named(rules: Iterable[RuleSettings]) -> list[RuleSettings]:
    """Return rules with their names; the further ones of a name are numbered, for alerts go by it."""
    found: list[RuleSettings] = []
    seen: Counter[str] = Counter()
    for rule in rules:
        name = _name(rule)
        seen[name] += 1
        found.append(replace(rule, name=name if seen[name] == 1 else f"{name} ({seen[name]})"))
    return found


def _of_model(rule: RuleSettings, model: Model, of_model: str) -> Iterator[Ruling]:
    condition = _parse(rule)
    base = _base(rule, model)
    meant = [version for version in model.versions.values() if _is_meant(rule, version)]
    if condition.is_relative and rule.version is None:
        meant = [version for version in meant if version is not base.version]
    for version in meant:
        yield _ruling(rule, condition, model, version, base, of_model)
    if not meant:
        who = rule.version or "candidate"
        message = f"{_name(rule)}: there is no {who}{of_model} with traffic, so the rule says nothing"
        yield Ruling(_name(rule), model.name, who, "no_data", None, message, rule.severity)


@dataclass(frozen=True, slots=True)
class _Base:
    """What changes are measured from: a version, or a fixed value."""

    name: str
    version: Version | None = None
    fixed: float | None = None

    def value(self, metric: str) -> float | None:
        """Return its value over the range."""
        return ripe_value_of(self.version, metric) if self.version is not None else self.fixed

    def over(self, metric: str) -> Mapping[datetime, float | None]:
        """Return its value in each window; a fixed value has none."""
        if self.version is None:
            return {}
        starts = (window.start for window in self.version.windows)
        return dict(zip(starts, values_over(self.version, metric), strict=True))


def _base(rule: RuleSettings, model: Model) -> _Base:
    if rule.against == "reference":
        found = model.reference_performance.get(rule.metric)
        return _Base("reference", fixed=found.value if found is not None else None)
    return _Base(
        "baseline", next((version for version in model.versions.values() if version.role == "baseline"), None)
    )


def _silent(
    rule: RuleSettings, condition: _Condition, model: Model, version: Version, base: _Base, of_model: str
) -> Ruling | None:
    """Return the ruling where nothing can be said as of now, for there are no requests any more; None elsewhere.

    Whoever asks for a version by its name, or compares with one, is told that there was nothing to judge.
    """
    if rule.metric in TRAFFIC:
        return None
    compared = base.version if condition.is_relative else None
    who = next((each for each in (version, compared) if each is not None and _ended(rule, model, each)), None)
    if who is None:
        return None
    message = f"{rule.metric}: {who.name}{of_model} gets no requests any more, so the rule says nothing"
    passed_over = who is version and rule.version is None
    state: Literal["ok", "no_data"] = "ok" if passed_over else "no_data"
    return Ruling(_name(rule), model.name, version.name, state, None, message, rule.severity, silent=True)


def _ended(rule: RuleSettings, model: Model, version: Version) -> bool:
    """Tell whether a version has no requests any more: at the end of the range, or in all of it without `for`."""
    if version.last is None or not rule.for_:
        return version.last is None
    newest = max(each.last for each in model.versions.values() if each.last is not None)
    return newest - version.last > rule.for_ + QUIET and _is_passed_over(version, model, version.last)


def _is_passed_over(version: Version, model: Model, last: datetime) -> bool:
    """Tell whether chance would have given a version one of the newest requests, as many as it had before."""
    from mlwatch.metrics.rollout_silence import is_passed_over  # noqa: PLC0415  pulls numpy

    windows = [window for each in model.versions.values() for window in each.windows]
    every = sum(window.predictions for window in windows)
    since = sum(window.predictions for window in windows if window.start > last)
    return every <= since or bool(is_passed_over(version.predictions, since, every))


def _name(rule: RuleSettings) -> str:
    return rule.name or f"{rule.metric} {rule.when}"


def _is_meant(rule: RuleSettings, version: Version) -> bool:
    role = "candidate" if version.role == "shadow" else version.role
    return rule.version in {None, version.name, version.role, role}


def _parse(rule: RuleSettings) -> _Condition:
    match = _RELATIVE.fullmatch(rule.when) or _ABSOLUTE.fullmatch(rule.when)
    where = f"[[rule]] {rule.metric}"
    condition = None
    if match is not None:
        unit = match[3] or ""
        with suppress(ValueError):  # such as 1.2.3
            condition = _Condition(match[1], float(match[2]) * SCALES.get(unit, 1.0), unit)
    if condition is None:
        todo = 'write "< 0.9", "> 200ms" or "drop > 2%"'
        raise ConfigError(f"cannot read the condition {rule.when!r}", where, todo)
    _check_unit(rule, condition, where)
    return condition


def _check_unit(rule: RuleSettings, condition: _Condition, where: str) -> None:
    """Make sure that the unit is one of the metric; a change may be in per cent of anything."""
    unit = condition.unit
    if unit in {"ms", "s"} and not is_duration(rule.metric):
        kind = "duration"
    elif unit == "%" and not condition.is_relative and is_amount(rule.metric):
        kind = "share"
    else:
        return
    raise ConfigError(
        f"{rule.metric} is no {kind}, but the condition is {rule.when}", where, f"leave {unit} out"
    )


def _ruling(
    rule: RuleSettings, condition: _Condition, model: Model, version: Version, base: _Base, of_model: str
) -> Ruling:
    value = ripe_value_of(version, rule.metric)
    if (silent := _silent(rule, condition, model, version, base, of_model)) is not None:
        return silent
    before = base.value(rule.metric)
    run = _run(rule, condition, version, base)
    if rule.for_ and run is not None:
        value, before = run.value, run.before
    if value is None or (condition.is_relative and before is None):
        if value is None:
            message = _nothing(rule.metric, version.name + of_model, version)
        else:
            message = _nothing(rule.metric, f"the {base.name}{of_model}", base.version)
        return Ruling(_name(rule), model.name, version.name, "no_data", None, message, rule.severity)
    state: Literal["ok", "pending", "breach"] = "breach" if _breaks(condition, value, before) else "ok"
    since = run.since if run is not None else None
    if rule.for_ and run is not None:
        state = "ok" if not run.broken else "breach" if run.lasted >= rule.for_ else "pending"
    return Ruling(
        _name(rule),
        model.name,
        version.name,
        state,
        value,
        _sentence(
            *(rule, condition, version.name + of_model, value, before),
            lasting=run is not None,
            young=_has_young(rule.metric, version) or _has_young(rule.metric, base.version),
        ),
        rule.severity,
        None if state == "ok" else since,
        run=run if rule.for_ else None,
    )


def _has_young(metric: str, version: Version | None) -> bool:
    return version is not None and any(is_young(metric, window) for window in version.windows)


def _nothing(metric: str, who: str, version: Version | None) -> str:
    """Say why a version, or what it is compared with, has no value."""
    if version is not None and value_of(version, metric) is not None:
        return f"no request of {who} is old enough for its {metric}, so the rule says nothing"
    return f"{metric} of {who} has no value, so the rule says nothing"


def _sentence(
    rule: RuleSettings,
    condition: _Condition,
    who: str,
    value: float,
    before: float | None,
    *,
    lasting: bool,
    young: bool,
) -> str:
    """Say what was found; what is not followed window by window cannot last for a time."""
    beside = ""
    if condition.is_relative and before is not None:
        beside = f" ({rule.against} {_shown(rule, condition, before)})"
    found = _shown(rule, condition, value)
    said = f"{found}{beside}{THE_RULE}{rule.when}"
    if rule.for_ and lasting:
        return f"{rule.metric} of {who} is now {said} for {_minutes(rule.for_)}"
    if young:
        return f"{rule.metric} of {who}, as far as requests are old enough, is {said}"
    if not rule.for_:
        return f"{rule.metric} of {who} is {said}"
    return f"{rule.metric} of {who} over the whole range is {said}"


def past(sentence: str) -> str:
    """Return what was said of a rule that was broken as it is told when that is over; other sentences as they are."""
    found, mark, rest = sentence.partition(THE_RULE)
    return found.replace(" is now ", " is ").replace(" is ", " was ", 1) + mark + rest if mark else sentence


def _shown(rule: RuleSettings, condition: _Condition, value: float) -> str:
    """Return a value in the unit of the rule's limit."""
    if condition.unit == "%" and not condition.is_relative:
        return f"{100 * value:.4g} %"
    return f"{value:.6g} ms" if is_duration(rule.metric) else f"{value:.6g}"


def _minutes(length: timedelta) -> str:
    seconds = length.total_seconds()
    n, unit = (seconds / 60, "minute") if seconds >= 60 else (seconds, "second")
    return f"{n:g} {unit}{'' if n == 1 else 's'}"


def _run(rule: RuleSettings, condition: _Condition, version: Version, base: _Base) -> Run | None:
    """Look from the newest window back; windows without a value neither end nor begin a run."""
    known = _known(rule.metric, condition, version, base)
    if not known:
        return None
    broken = [_breaks(condition, value, before) for _, value, before, _ in known]
    windows = next((n for n, each in enumerate(reversed(broken)) if each != broken[-1]), len(known))
    newest, value, before, _ = known[-1]
    requests = sum(n for *_, n in known[-windows:])
    return Run(broken[-1], known[-windows][0].start, newest.end, value, before, windows, requests)


def _known(
    metric: str, condition: _Condition, version: Version, base: _Base
) -> list[tuple[Window, float, float | None, int]]:
    """Return the windows with a value, what it is compared with, and how many requests both are of at least."""
    others = base.over(metric)
    twins = {window.start: window for window in base.version.windows} if base.version is not None else {}
    known = []
    for window, value in zip(version.windows, values_over(version, metric), strict=True):
        before, twin = others.get(window.start, base.fixed), twins.get(window.start)
        fair = condition.is_relative and twin is not None and as_old(window, twin)
        if is_young(metric, window) and not fair:
            continue
        if value is not None and not (condition.is_relative and before is None):
            n = min(_size(metric, each) for each in (window, twin if condition.is_relative else None) if each)
            known.append((window, value, before, n))
    return known


def _size(metric: str, window: Window) -> int:
    return window.labelled if is_performance(metric) else window.predictions


def _breaks(condition: _Condition, value: float, before: float | None) -> bool:
    if not condition.is_relative:
        return holds(condition.kind, value, condition.amount)
    base = before or 0.0
    size = condition.amount * abs(base) if condition.unit == "%" else condition.amount
    change = {"drop": base - value, "rise": value - base, "change": abs(value - base)}[condition.kind]
    return change > size
