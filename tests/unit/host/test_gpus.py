"""GPUs as NVIDIA's library tells them: replayed by a module in its place, as no machine of ours has a card."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.host.gpus import GpuReader
from mlwatch.host.types import Gpu

if TYPE_CHECKING:
    from collections.abc import Callable


class NVMLError(Exception):
    """What the library raises, whatever it is."""


def library(cards: list[dict[str, Any]], *, driver: bool = True) -> ModuleType:
    """Return a module with the functions of `pynvml` that are used, under their names and with their results."""

    def ask(what: str) -> Callable[..., Any]:
        def answer(handle: int, *_: object) -> Any:
            if what not in cards[handle]:
                raise NVMLError("not supported")
            return cards[handle][what]

        return answer

    def init() -> None:
        if not driver:
            raise NVMLError("library not found")

    def handle(number: int) -> int:
        if not cards[number]:
            raise NVMLError("GPU is lost")
        return number

    found = ModuleType("pynvml")
    found.__dict__.update(
        NVMLError=NVMLError, nvmlInit=init, nvmlShutdown=lambda: None, nvmlDeviceGetCount=lambda: len(cards),
        nvmlDeviceGetHandleByIndex=handle, nvmlDeviceGetMemoryInfo=ask("memory"), nvmlDeviceGetName=ask("name"),
        nvmlDeviceGetUtilizationRates=ask("load"), nvmlDeviceGetTemperature=ask("heat"),
    )  # fmt: skip
    return found


A100 = {
    "name": "NVIDIA A100-SXM4-40GB", "load": SimpleNamespace(gpu=73, memory=20), "heat": 64,
    "memory": SimpleNamespace(total=40_000_000_000, used=12_000_000_000, free=28_000_000_000),
}  # fmt: skip


def test_each_card_is_told_as_far_as_it_tells_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", library([A100, {}, {"name": b"Tesla K80", "heat": 50}]))
    reader = GpuReader()
    assert reader.read() == (
        Gpu("NVIDIA A100-SXM4-40GB", 0.73, 12_000_000_000, 40_000_000_000, 64),
        Gpu("Tesla K80", None, None, None, 50),
    ), "a card that is lost does not hide the others"
    reader.close()
    assert reader.read() == ()


@pytest.mark.parametrize("module", [None, library([A100], driver=False)])
def test_without_package_or_driver_there_is_no_card(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType | None
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", module)
    reader = GpuReader()
    assert reader.read() == ()
    reader.close()
