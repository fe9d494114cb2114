"""Texts in what chat models answer: `choices[0].message.content` and the like, which are in lists of objects.

Only the first answer is read, and of a list of its parts the first, as far down as `DEEPEST`; what was asked
(`messages`) is none.

https://platform.openai.com/docs/api-reference/chat/object
https://docs.anthropic.com/en/api/messages
https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mlwatch.elements import element, is_element

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mlwatch.roles.types import ColumnPath

ANSWERS = frozenset({"choices", "generations", "candidates"})
"""Lists of answers, wherever they are."""
PARTS = frozenset({"content", "parts", "message", "output", "outputs", "response"})
"""Lists and objects that an answer's text may be in, below one that says that it is an answer."""
LISTS = ANSWERS | PARTS
OF_CHATS = frozenset({"message", "parts"})
"""What an answer in such a list has only if a chat model gave it."""
_OUTPUTS = frozenset({"output", "outputs", "response"})
_OF_ANY = frozenset({"choices", "candidates"})
"""Lists that are as often of what a model may choose from, as in a quiz, unless they are in an output."""
_OF_ANSWERS = frozenset({"message", "finish_reason", "finishReason", "stop_reason"})
_STEPS = ("message", "content", "parts", "text", "tool_calls", "function", "name")
"""Keys that lead to a text, or to the name of the tool that is to be asked instead."""
TEXTS = frozenset({"content", "text"})
TOOL = ("function", "name")
DEEPEST = 8
"""Keys and places from the record down to a text."""

LONGEST_CATEGORY = 60
"""Characters from which on a text is no category, but what somebody wrote, to a language model perhaps."""
_ASKED = frozenset({"prompt", "messages", "prompttokens", "completiontokens", "inputtokens", "outputtokens"})
"""What only records of language models have."""


def is_generated(samples: Sequence[object], names: Collection[str]) -> bool:
    """Tell whether a `completion` is what a language model wrote, and not how far something is done.

    Args:
        samples: Of it.
        names: Normalised names of the columns at the top.
    """
    texts = [sample for sample in samples if isinstance(sample, str)]
    asked = not _ASKED.isdisjoint(names) or any(len(text) > LONGEST_CATEGORY for text in texts)
    return asked and len(texts) == len(samples)


def answer_texts(path: ColumnPath, value: object) -> Iterator[tuple[ColumnPath, object]]:
    """Yield the path and value of each text in the first element of a list of answers or of their parts.

    Args:
        path: Of the list.
        value: The list.
    """
    names = {name for name in path if not is_element(name)}
    answers = path[-1] in ANSWERS and (
        path[-1] not in _OF_ANY or not _OUTPUTS.isdisjoint(names) or _are_answers(value)
    )
    if answers or (path[-1] in PARTS and len(names) > 1):
        yield from _texts(path, value)


def _are_answers(value: object) -> bool:
    """Tell whether the first of a list says of itself what only answers of language models do."""
    first = value[0] if isinstance(value, list | tuple) and value else None
    if not isinstance(first, Mapping):
        return False
    content = first.get("content")
    return not _OF_ANSWERS.isdisjoint(first) or (isinstance(content, Mapping) and "parts" in content)


def _texts(path: ColumnPath, value: object) -> Iterator[tuple[ColumnPath, object]]:
    if len(path) > DEEPEST:
        return
    if isinstance(value, list | tuple):
        if value:
            yield from _texts((*path, element(0)), value[0])
    elif isinstance(value, Mapping):
        for name in _STEPS:
            if name in value:
                yield from _texts((*path, name), value[name])
    elif (value is None or isinstance(value, str)) and (path[-1] in TEXTS or path[-2:] == TOOL):
        yield path, value
