"""Log formats of serving products, recognised by content and rewritten to plain records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.sources.formats import (
    access_logs,
    bentoml,
    cloudevents,
    genai,
    inference_tables,
    labels,
    sagemaker,
    tf_serving,
)
from mlwatch.sources.formats.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlwatch.sources.formats.presets import Preset
    from mlwatch.sources.formats.types import Importer

IMPORTERS: tuple[Importer, ...] = (
    sagemaker.IMPORTER,
    cloudevents.KSERVE,
    cloudevents.SELDON,
    cloudevents.AZUREML,
    inference_tables.DATABRICKS,
    inference_tables.VERTEX,
    bentoml.IMPORTER,
    access_logs.RAY,
    access_logs.TORCHSERVE,
    genai.IMPORTER,
    tf_serving.IMPORTER,
    labels.IMPORTER,
)

LISTED: tuple[Importer | Preset, ...] = (*IMPORTERS, *PRESETS)
"""What `mlwatch formats` lists."""


def recognise(head: bytes, path: Path) -> Importer | None:
    """Tell which format a file of lines is of, from its first bytes; None for plain records."""
    return next((one for one in IMPORTERS if one.matches(head) and one.lies_at(path)), None)


def is_text_log(head: bytes) -> bool:
    """Tell whether a file of plain lines, neither JSON nor delimited, is of a format that is known."""
    return any(one.text and one.matches(head) for one in IMPORTERS)


def recognise_table(columns: Sequence[str], path: Path) -> Importer | None:
    """Tell which format a CSV or Parquet file is of, from its columns; None for plain records."""
    names = set(columns)
    for one in IMPORTERS:
        if (one.columns and one.columns <= names) or (one.table is not None and one.table(columns, path)):
            return one
    return None
