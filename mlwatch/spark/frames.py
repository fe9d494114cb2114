"""Read files of any shape as one relation of Spark: canonical columns, a column a feature, what each record is."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from mlwatch.elements import element_of, is_element
from mlwatch.sources.canonical import Canonical
from mlwatch.sources.relations import CSV_NULLS
from mlwatch.sources.sql import identifier
from mlwatch.spark.dialect import to_spark
from mlwatch.store.batch import classified
from mlwatch.store.meanings import features_kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructType

    from mlwatch.config import Config
    from mlwatch.roles.types import ColumnPath
    from mlwatch.sources.canonical import Slot
    from mlwatch.sources.shapes import Shape
    from mlwatch.spark.listing import Listed
    from mlwatch.spark.sampling import Learnt

Tree = dict[str, Any]
CORRUPT = "\0corrupt"


def read(
    spark: SparkSession, learnt: Learnt, config: Config, files: Mapping[str, Listed]
) -> DataFrame | None:
    """Return the records of the files that are to be read, with the address of each one's file as `line`.

    Args:
        spark: The session.
        learnt: Shapes and columns.
        config: The zone of times that carry none.
        files: Which of the files to read.
    """
    frames = []
    for number, (shape, listed) in enumerate(learnt.kinds):
        mine = [one.uri for one in listed if one.relative in files]
        if mine:
            frames.append(_canonical(spark, number, shape, mine, learnt, config))
    if not frames:
        return None
    return reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), frames)


def _canonical(
    spark: SparkSession, number: int, shape: Shape, uris: Sequence[str], learnt: Learnt, config: Config
) -> DataFrame:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415

    slots = learnt.registry.slots(features_kept(shape, config.outputs))
    paths = {path: f"p{at}" for at, path in enumerate(dict.fromkeys(shape.paths()))}
    raw, columns = _raw(spark, shape, uris)
    listed = [_column(columns, path) for path in paths]
    if shape.format == "csv":
        listed = [F.when(~one.isin(list(CSV_NULLS)), one) for one in listed]
    listed = [one.alias(name) for one, name in zip(listed, paths.values(), strict=True)]
    view = f"raw_{number}"
    raw.select(*listed, F.col("_metadata.file_path").alias("source")).createOrReplaceTempView(view)
    form = Canonical(
        shape.mapping,
        slots,
        shape.physical,
        timezone=config.roles.timezone,
        tolerant=shape.format != "parquet" or _has_text(shape, slots),
    )
    select = form.select(view, access=lambda path: identifier(paths[path]), line="source")
    return spark.sql(to_spark(classified(select, predicts=shape.predicts, labels=shape.labels)))


def _has_text(shape: Shape, slots: Sequence[Slot]) -> bool:
    return any(slot.kind == "numeric" and shape.physical.get(slot.path) == "text" for slot in slots)


def _raw(spark: SparkSession, shape: Shape, uris: Sequence[str]) -> tuple[DataFrame, StructType]:
    """Return the columns as they are written: text is brought to numbers and times by the same SQL everywhere."""
    from pyspark.sql import types as T  # noqa: N812, PLC0415

    if shape.format == "parquet":
        frame = spark.read.option("mergeSchema", "true").parquet(*uris)
        return frame, frame.schema
    if shape.format == "csv" and shape.dialect is not None:
        schema = T.StructType([T.StructField(name, T.StringType()) for name in shape.dialect.header])
        reader = spark.read.schema(schema).option("header", "true").option("enforceSchema", "true")
        for name, value in (("sep", shape.dialect.delimiter), ("quote", '"'), ("escape", '"')):
            reader = reader.option(name, value)
        return reader.option("multiLine", "true").csv(list(uris)), schema
    tree: Tree = {}
    for path in shape.paths():
        node = tree
        for name in path[:-1]:
            node = node.setdefault(name, {})
        node.setdefault(path[-1], None)
    schema = _struct(tree)
    reader = spark.read.schema(schema.add(CORRUPT, T.StringType())).option("mode", "PERMISSIVE")
    return reader.option("columnNameOfCorruptRecord", CORRUPT).json(list(uris)), schema


def _struct(tree: Tree) -> StructType:
    from pyspark.sql import types as T  # noqa: N812, PLC0415

    fields = ((name, _kind(node) if node is not None else T.StringType()) for name, node in tree.items())
    return T.StructType([T.StructField(name, kind) for name, kind in fields])


def _kind(tree: Tree) -> DataType:
    from pyspark.sql import types as T  # noqa: N812, PLC0415

    if not all(map(is_element, tree)):
        return _struct(tree)
    inner = next(iter(tree.values()))
    return T.ArrayType(T.StringType() if inner is None else _kind(inner))


def _column(columns: StructType, path: ColumnPath) -> Column:
    """Reach a path; nothing where the files that are read now do not have it."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415
    from pyspark.sql.types import ArrayType, StructType  # noqa: PLC0415

    kind: Any = columns
    found: Column | None = None
    for name in path:
        at = element_of(name) if found is not None else None
        if at is not None and found is not None and isinstance(kind, ArrayType):
            kind, found = kind.elementType, F.get(found, F.lit(at))  # nothing where the list is shorter
        elif isinstance(kind, StructType) and name in kind.names:
            quoted = "`" + name.replace("`", "``") + "`"
            kind, found = kind[name].dataType, F.col(quoted) if found is None else found.getField(name)
        else:
            return F.lit(None).cast("string")
    return F.lit(None).cast("string") if found is None else found
