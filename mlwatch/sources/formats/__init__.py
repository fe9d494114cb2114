"""Log formats of serving products, recognised by content and rewritten to plain records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.sources.formats import (
    access_logs,
    bentoml,
    cloudevents,
    genai,
    inference_tables,
    sagemaker,
    tf_serving,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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
)


def recognise(head: bytes, path: Path) -> Importer | None:
    """Tell which format a file of lines is of, from its first bytes; None for plain records."""
    for importer in IMPORTERS:
        if importer.matches(head) and (importer.beside is None or importer.beside(path)):
            return importer
    return None


def is_text_log(head: bytes) -> bool:
    """Tell whether a file of plain lines, neither JSON nor delimited, is of a format that is known."""
    return any(one.text and one.matches(head) for one in IMPORTERS)


def recognise_table(columns: Iterable[str]) -> Importer | None:
    """Tell which format a CSV or Parquet file is of, from the names of its columns; None for plain records."""
    names = set(columns)
    return next((one for one in IMPORTERS if one.columns and one.columns <= names), None)
