"""A feature repository with one table, put online: driver 1 has features of now, driver 9 has none."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource
from feast.types import Bool, Float32, Int64, String
from feast.value_type import ValueType

here = Path.cwd()
(here / "feature_store.yaml").write_text(
    "project: shop\nregistry: registry.db\nprovider: local\nentity_key_serialization_version: 3\n"
    "online_store:\n  type: sqlite\n  path: online.db\n"
)
now = datetime.now(UTC)
pd.DataFrame(
    {
        "driver_id": [1, 2],
        "conv": [0.5, 0.25],
        "trips": [10, 20],
        "city": ["Oslo", "Bergen"],
        "vip": [True, False],
        "event_timestamp": [now - timedelta(minutes=5), now - timedelta(hours=3)],
    }
).to_parquet(here / "drivers.parquet")
driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
source = FileSource(path=str(here / "drivers.parquet"), timestamp_field="event_timestamp")
view = FeatureView(
    name="driver_stats",
    entities=[driver],
    ttl=timedelta(days=1),
    schema=[Field(name="conv", dtype=Float32), Field(name="trips", dtype=Int64)],
    source=source,
)
profile = FeatureView(
    name="driver_profile",
    entities=[driver],
    ttl=timedelta(0),
    schema=[
        Field(name="trips", dtype=Int64),
        Field(name="city", dtype=String),
        Field(name="vip", dtype=Bool),
    ],
    source=source,
    online=False,
)
store = FeatureStore(repo_path=str(here))
store.apply([driver, view, profile])
store.materialize(now - timedelta(days=1), now + timedelta(seconds=1))
