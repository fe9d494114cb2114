"""What can go wrong with a request, in words that fit a line of a table."""

from __future__ import annotations

import errno
import re
import socket
import ssl

_TLS = (
    ("self-signed", "TLS: self-signed"),
    ("self signed", "TLS: self-signed"),
    ("certificate has expired", "TLS: certificate expired"),
    ("not yet valid", "TLS: certificate not yet valid: compare the clocks"),
    ("hostname mismatch", "TLS: certificate is for another host"),
    ("ip address mismatch", "TLS: certificate is for another host"),
    ("unable to get local issuer", "TLS: issuer unknown"),
    ("wrong_version_number", "TLS: answered without TLS: is it http://?"),
    ("wrong version number", "TLS: answered without TLS: is it http://?"),
    ("record_layer_failure", "TLS: answered without TLS: is it http://?"),
)
_ERRNO = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "timed out while connecting",
    errno.EMFILE: "this process has too many open files",
}
_STATUS = {
    401: "401: not authorised",
    403: "403: forbidden",
    404: "404: no such path",
    405: "405: method not allowed",
    429: "429: too many requests",
    500: "500: server error",
    502: "502: bad gateway",
    503: "503: not available",
    504: "504: gateway timed out",
}
_LOADING = re.compile(
    rb"(?<!over)loading|not (?:\w+ )?loaded|loaded\"?\s*[:=]\s*false|(?<!failed )to load\b"
    rb"|start(?:ing|up)|initiali[sz]|warm|not populated|deploying",
    re.IGNORECASE,
)
"""What servers say before they are ready; load itself, and overload, is what those say that are."""

_VERSION = re.compile(rb'"(?:model_)?version"\s*:\s*"([^"\\]{1,40})"')
"""Of the model, where an answer in JSON names it."""


class Failure(Exception):  # noqa: N818  it is an expected answer, not a mistake of ours
    """A request failed; `str()` says how, in words."""

    def __init__(self, words: str, *, answered: bool = False) -> None:
        """Keep the words.

        Args:
            words: What failed.
            answered: The server did answer, though not usefully.
        """
        super().__init__(words)
        self.answered = answered


class TimedOut(Failure):
    """Somebody may be there, but does not answer in time."""


class Unreached(Failure):
    """Nobody was reached in time."""


class NotAsked(Failure):
    """Nothing was sent, for what the configuration refers to is not there: that says nothing of the server."""

    def __init__(self, words: str, todo: str) -> None:
        """Keep the words.

        Args:
            words: What is not there.
            todo: What the user can do about it.
        """
        super().__init__(words)
        self.todo = todo


def seconds(value: float) -> str:
    """Return a duration as one says it: "2 s", "250 ms"."""
    return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"


def in_words(error: BaseException) -> str:
    """Return what an exception of a connection means.

    Only the kind of the exception and what the system says is used, never its text: that may hold a URL.
    """
    for each in _causes(error):
        words = _one(each)
        if words:
            return words
    name = type(error).__name__
    return {
        "RemoteProtocolError": "not HTTP, or closed before its answer",
        "ReadError": "connection reset",
        "WriteError": "connection reset",
        "ConnectError": "cannot connect",
        "LocalProtocolError": "the request cannot be sent: look at its headers",
    }.get(name, f"failed: {name}")


def status_in_words(status: int, body: bytes = b"") -> str:
    """Return what a status that is no success means.

    Args:
        status: Of HTTP.
        body: Start of the answer, for servers that say there that they are loading.
    """
    if status == 503 and is_loading(body):
        version = _VERSION.search(body[:2000])
        return "503 while loading" + (f" {version[1].decode('utf-8', 'replace')}" if version else "")
    return _STATUS.get(status, f"status {status}")


def is_loading(body: bytes) -> bool:
    """Tell whether an answer says that the server is not ready yet, rather than broken."""
    return _LOADING.search(body[:2000]) is not None


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return an exception and what led to it, also out of groups."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting and len(found) < 20:
        each = waiting.pop(0)
        if each is None or each in found:
            continue
        found.append(each)
        if isinstance(each, BaseExceptionGroup):
            waiting.extend(each.exceptions)
        waiting += [each.__cause__, each.__context__]
    return found


def _one(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "DNS: no such name" if error.errno != socket.EAI_AGAIN else "DNS: no answer"
    if isinstance(error, ssl.SSLError):
        said = str(error).lower()
        return next((words for sign, words in _TLS if sign in said), "TLS: handshake failed")
    if isinstance(error, OSError) and error.errno is not None:
        return _ERRNO.get(error.errno, "")
    return ""
