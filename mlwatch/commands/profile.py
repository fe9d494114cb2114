"""`mlwatch profile SOURCE -o FILE`: save what live data are compared with, so that the rows are not needed again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlwatch.arguments import CHOOSING
from mlwatch.commands.common import chosen_range, need_records, no_traffic, taken_in
from mlwatch.commands.writing import write
from mlwatch.config import discover, load
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any


def run(arguments: Namespace) -> int:
    """Print or write a profile of a table, or of one version's logs."""
    found = _of_table(arguments) if arguments.path.is_file() else _of_logs(arguments)
    try:
        text = json.dumps(found, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        todo = "leave labels and predictions beyond 1e150 out"
        raise InputError("the sums of some values are infinite", str(arguments.path), todo) from error
    write(f"{text}\n", arguments.output)
    return 0


def _of_table(arguments: Namespace) -> dict[str, Any]:
    from mlwatch.store import profile_contents, profiles  # noqa: PLC0415  pulls the engine
    from mlwatch.store.database import open_store  # noqa: PLC0415
    from mlwatch.store.reference import install  # noqa: PLC0415
    from mlwatch.store.registry import Registry  # noqa: PLC0415

    path = arguments.path
    for name in CHOOSING:
        if getattr(arguments, name) is not None:
            raise InputError(
                f"--{name} means nothing to a table", str(path), "leave it out, or name a directory of logs"
            )
    opened = open_store(path.parent, ":memory:")
    try:
        connection = opened.connection
        install(connection, Registry(connection), path, load(arguments.config or discover(path.parent)))
        return profiles.document(connection, profile_contents.of_reference(connection, path.name))
    finally:
        opened.close()


def _of_logs(arguments: Namespace) -> dict[str, Any]:
    from mlwatch.store import profile_contents, profiles  # noqa: PLC0415

    wanted = chosen_range(arguments)
    with taken_in(arguments) as session:
        snapshot = wanted.asked(session)
        need_records(session, snapshot)
        session.need_model()
        model = next(iter(snapshot.models.values()), None)
        version = next(iter(model.versions.values()), None) if model is not None else None
        if model is None or version is None or snapshot.range is None:
            raise InputError("no predictions in this range", str(arguments.path), "give another range")
        if len(snapshot.models) > 1:
            names = ", ".join(snapshot.models)
            raise InputError("several models", str(arguments.path), f"choose one with --model: {names}")
        if arguments.baseline not in {None, version.name}:
            raise no_traffic(arguments.baseline, model.versions, str(arguments.path))
        contents = profile_contents.of_logs(
            session.connection, (model.name, version.name), snapshot.range.start, snapshot.range.end
        )
        return profiles.document(session.connection, contents)
