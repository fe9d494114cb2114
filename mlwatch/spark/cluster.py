"""A session on Spark that reads times and numbers as the store does."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlwatch.errors import InputError, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    "spark.sql.adaptive.enabled": "false",  # it plans a union of many branches anew after each of them
    "spark.sql.files.ignoreCorruptFiles": "false",
}
LOCAL = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "8"}
"""What suits a single machine besides."""


@contextmanager
def session(master: str | None) -> Iterator[SparkSession]:
    """Open a session, and stop it at the end.

    Args:
        master: Such as `local[*]` or `spark://host:7077`; None for what Spark's own configuration says.

    Raises:
        InputError: when PySpark or Java is missing, or the master does not answer.
    """
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415  an extra, and dear
    except ImportError as error:
        todo = "pip install 'mlwatch[spark]', or --engine duckdb"
        raise InputError("Spark is not installed", "--engine spark", todo) from error
    import warnings  # noqa: PLC0415

    warnings.simplefilter("ignore")  # of versions of libraries that are not used here
    builder = SparkSession.builder.appName("mlwatch rollup")
    if master is not None:
        builder = builder.master(master)
    for name, value in (SETTINGS | (LOCAL if (master or "").startswith("local") else {})).items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except Exception as error:  # whatever a gateway to Java may raise
        todo = "see that Java 17 is installed and the master is up"
        raise InputError(f"Spark cannot start ({reason_of(error)})", master or "spark", todo) from error
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()
