"""What can go wrong is said in words that are true."""

from __future__ import annotations

import pytest

from mlwatch.endpoints.failures import status_in_words


@pytest.mark.parametrize(
    "body",
    [
        b"<p>Message: The server cannot process the request due to a high load.</p>",
        b"upstream overloaded, request dropped",
        b'{"detail": "payload queue full"}',
        b"overloading",
        b'{"error": "failed to load model"}',
        b"Service Unavailable",
        b'{"model_loaded": true, "detail": "too many requests"}',
    ],
)
def test_a_server_under_load_is_not_loading(body: bytes) -> None:
    assert status_in_words(503, body) == "503: not available"


@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "LOADING"}',
        b"Model is not loaded yet",
        b"the model is not yet loaded",
        b'{"model_loaded": false}',
        b"waiting for the model to load",
        b"downloading weights",
        b"warming up",
        b"model_is_loading",
    ],
)
def test_a_server_that_loads_its_model_is(body: bytes) -> None:
    assert status_in_words(503, body) == "503 while loading"
