"""`mlwatch.toml` as typed, validated settings."""

from __future__ import annotations

from mlwatch.config.polled import CacheSettings, EndpointSettings, ProbeSettings, SystemSettings
from mlwatch.config.reader import FILE_NAME, discover, load, parse
from mlwatch.config.settings import (
    AppSettings,
    BusinessSettings,
    Config,
    ConstraintSettings,
    OutputSettings,
    ReferenceSettings,
    RoleSettings,
    RolloutSettings,
    RuleSettings,
    SegmentSettings,
    SourceSettings,
    StoreSettings,
    WatchSettings,
)
from mlwatch.config.systems import (
    FeastSettings,
    NotifySettings,
    OtlpSettings,
    RegistrySettings,
    TrainingSettings,
)
from mlwatch.times import format_duration, parse_duration, parse_time

__all__ = [
    "FILE_NAME",
    "AppSettings",
    "BusinessSettings",
    "CacheSettings",
    "Config",
    "ConstraintSettings",
    "EndpointSettings",
    "FeastSettings",
    "NotifySettings",
    "OtlpSettings",
    "OutputSettings",
    "ProbeSettings",
    "ReferenceSettings",
    "RegistrySettings",
    "RoleSettings",
    "RolloutSettings",
    "RuleSettings",
    "SegmentSettings",
    "SourceSettings",
    "StoreSettings",
    "SystemSettings",
    "TrainingSettings",
    "WatchSettings",
    "discover",
    "format_duration",
    "load",
    "parse",
    "parse_duration",
    "parse_time",
]
