"""One module a server, one protocol: what is asked, and what the answers mean.

Every module of this package that has an `ADAPTER` is one; adding a server is adding a file.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.endpoints.adapter import Adapter


@functools.cache
def known() -> Mapping[str, type[Adapter]]:
    """Return all adapters by kind, in the order in which detection asks for them."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    classes: list[type[Adapter]] = [module.ADAPTER for module in modules]
    return {each.kind: each for each in sorted(classes, key=lambda each: each.order)}
