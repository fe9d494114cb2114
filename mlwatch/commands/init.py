"""`mlwatch init PATH`: write the inferred `mlwatch.toml`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.commands.common import need_records, taken_in
from mlwatch.commands.writing import put
from mlwatch.config import FILE_NAME
from mlwatch.elements import dotted
from mlwatch.errors import InputError, one_line
from mlwatch.output import print_document
from mlwatch.rights import public
from mlwatch.roles import describe
from mlwatch.roles.describe import quoted
from mlwatch.sources.importing import IMPORTED
from mlwatch.sources.shapes import load_shape
from mlwatch.store.events import class_of
from mlwatch.store.meanings import features_kept

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from mlwatch.config import OutputSettings
    from mlwatch.roles import Mapping
    from mlwatch.session import Session
    from mlwatch.sources.shapes import Shape

_NOT_KEPT = "of requests without an answer, only what they took and cost is kept"


def run(arguments: Namespace) -> int:
    """Write the file, or print it."""
    directory = arguments.path if arguments.path.is_dir() else arguments.path.parent
    target = arguments.output or directory / FILE_NAME
    if target.exists() and not (arguments.force or arguments.stdout):
        raise InputError(
            "there is a configuration already", str(target), "add --force to write over it, or --stdout"
        )
    with taken_in(arguments) as session:
        need_records(session, session.snapshot())
        session.need_model()
        text = configuration(session)
    if arguments.stdout:
        print_document(text)
        return 0
    try:
        with public():
            put(text, target)
    except OSError as error:
        raise InputError(f"cannot write ({error.strerror})", str(target), "use --stdout") from error
    sys.stderr.write(f"mlwatch: wrote {one_line(str(target))}\n")
    return 0


def configuration(session: Session) -> str:
    """Return a commented configuration that says what was inferred.

    The roles of the kind of file with predictions are written; what other files have is said in comments.
    """
    rows = session.connection.execute("SELECT key, document FROM shapes ORDER BY key").fetchall()
    shapes = [load_shape(key, document) for key, document in rows]
    imported = [kind[1] for kind in (json.loads(shape.key) for shape in shapes) if kind[0] == IMPORTED]
    shapes = [shape for shape in shapes if json.loads(shape.key)[0] != IMPORTED]
    shapes.sort(key=lambda shape: not shape.predicts)
    parts = [
        f"# What mlwatch inferred from {one_line(session.title)}. Every line may be changed or left out.\n"
    ]
    if imported:
        names = one_line(", ".join(imported))
        parts.append(
            f"# Files of {names} are read as their format says, see mlwatch formats: no roles are needed.\n"
        )
    for number, shape in enumerate(shapes):
        place = one_line("/".join(json.loads(shape.key)[:2]))
        text = describe(_stored(shape, session.config.outputs))
        if number:
            text = "".join(f"# {line}\n" for line in text.splitlines() if line != "[roles]")
        parts.append(f"# --- files like {place} ({shape.format})\n{text}")
    return "\n".join(parts) + "\n" + _source(session) + _business(session) + _rollout(session)


def _stored(shape: Shape, settings: OutputSettings) -> Mapping:
    """Return what is known of the columns of a kind of file, with the features that are stored alone."""
    mapping, kept = shape.mapping, features_kept(shape, settings)
    left = tuple(each.path for each in mapping.features if each not in kept)
    reasons = {f"ignored:{dotted(path)}": _NOT_KEPT for path in left}
    return replace(
        mapping, features=kept, ignored=(*mapping.ignored, *left), reasons={**mapping.reasons, **reasons}
    )


def _source(session: Session) -> str:
    topics = session.options.topics
    return "" if topics is None else f"[source]\nkafka = {quoted(topics.text)}\n\n"


def _business(session: Session) -> str:
    kinds = [
        row[0] for row in session.connection.execute("SELECT DISTINCT kind FROM events ORDER BY 1").fetchall()
    ]
    if not kinds:
        return ""
    classes: dict[str, list[str]] = {}
    for kind in kinds:
        classes.setdefault(class_of(kind, session.config.business), []).append(kind)
    lines = [
        f"{name} = {_list(found)}" if name != "other" else f"# other events: {one_line(_list(found))}"
        for name, found in sorted(classes.items())
    ]
    return "[business]\n" + "\n".join(lines) + "\n\n"


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(map(quoted, names))}]"


def _rollout(session: Session) -> str:
    """Name the versions of the first model; the section holds for all, so with several it would name too much.

    Of several candidates none is named: one that is named is judged alone.
    """
    models = list(session.snapshot().models.values())
    if len(models) != 1:
        return ""
    versions = models[0].versions.values()
    baselines = [version.name for version in versions if version.role == "baseline"]
    candidates = [version.name for version in versions if version.role in {"candidate", "shadow"}]
    lines = [
        f"{role} = {quoted(names[0])}\n"
        for role, names in (("baseline", baselines), ("candidate", candidates))
        if len(names) == 1
    ]
    return "[rollout]\n" + "".join(lines) if lines else ""
