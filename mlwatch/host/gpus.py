"""GPUs through NVIDIA's management library, where package and driver are there (extra `gpu`)."""

from __future__ import annotations

from typing import Any

from mlwatch.host.types import Gpu


class GpuReader:
    """Ask the driver; without one there are no GPUs, and nobody is asked again."""

    def __init__(self) -> None:
        self._library = _library()

    def read(self) -> tuple[Gpu, ...]:
        """Return each GPU."""
        library = self._library
        if library is None:
            return ()
        count = _ask(library, library.nvmlDeviceGetCount) or 0
        cards = (_gpu(library, number) for number in range(count))
        return tuple(card for card in cards if card is not None)

    def close(self) -> None:
        """Let go of the driver."""
        library, self._library = self._library, None
        if library is not None:
            library.nvmlShutdown()


def _library() -> Any | None:
    try:
        import pynvml  # noqa: PLC0415  optional

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001  no package, no driver, or one of another version: all mean no GPU to show
        return None
    return pynvml


def _gpu(library: Any, number: int) -> Gpu | None:
    """Return a card; None where it is lost."""
    handle = _ask(library, library.nvmlDeviceGetHandleByIndex, number)
    if handle is None:
        return None
    memory = _ask(library, library.nvmlDeviceGetMemoryInfo, handle)
    load = _ask(library, library.nvmlDeviceGetUtilizationRates, handle)
    name = _ask(library, library.nvmlDeviceGetName, handle)
    return Gpu(
        name=name.decode(errors="replace") if isinstance(name, bytes) else name or f"GPU {number}",
        load=load.gpu / 100 if load is not None else None,
        memory_used_bytes=memory.used if memory is not None else None,
        memory_total_bytes=memory.total if memory is not None else None,
        temperature_c=_ask(library, library.nvmlDeviceGetTemperature, handle, 0),
    )


def _ask(library: Any, function: Any, *arguments: Any) -> Any | None:
    """Ask one thing; not every card knows everything."""
    try:
        return function(*arguments)
    except library.NVMLError:
        return None
