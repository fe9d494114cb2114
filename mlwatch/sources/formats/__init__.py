"""Log formats of serving products, recognised by content and rewritten to plain records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.sources.formats import cloudevents, sagemaker

if TYPE_CHECKING:
    from mlwatch.sources.formats.types import Importer

IMPORTERS: tuple[Importer, ...] = (
    sagemaker.IMPORTER,
    cloudevents.KSERVE,
    cloudevents.SELDON,
    cloudevents.AZUREML,
)


def recognise(head: bytes) -> Importer | None:
    """Tell which format a file of JSON records is of, from its first bytes; None for plain records."""
    for importer in IMPORTERS:
        if all(mark.search(head) for mark in importer.marks):
            return importer
    return None
