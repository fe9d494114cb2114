"""SQL macros that read the bodies of requests and responses, whatever their servers call the parts.

A body is a JSON value, JSON lines or delimited text without a header. It holds instances as a list, as rows of a
`dataframe_split`, as tensors of the Open Inference Protocol (columns), or is one instance itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

MAX_CELLS = 500
"""An unnamed vector longer than this is an image, a text or an embedding, not a row of features."""

_CONTAINERS = (
    *("dataframe_split", "instances", "dataframe_records", "inputs", "input_data", "data", "predictions"),
    *("outputs", "results", "result", "records", "rows", "jsonData"),
)
_CLASS = (
    *(
        "prediction",
        "predict",
        "predicted_label",
        "label",
        "predicted_class",
        "class",
        "output",
        "value",
        "result",
    ),
)
_SCORE = ("score", "probability", "proba", "prob", "predicted_score")
_CLASSES = ("classes", "displayNames", "labels")
_SCORES = ("scores", "confidences", "probabilities")
"""Lists of all classes and of their scores, side by side, in whatever order."""
_CHANCES = ("predict_proba", "class_probabilities", *_SCORES, *_SCORE)
"""Probabilities of all classes: by name, or a list in the order of the classes."""
_CHANCE = r"^(?:predict_)?(?:probability|proba|prob)_(.+)$"
"""One of them, in a field of its own."""
_PATHS = [f"$.{name}" for name in ("columns", "data", *_CONTAINERS)]


def _first(names: tuple[str, ...], value: str = "j") -> str:
    return f"COALESCE({', '.join(f'{value} -> {name!r}' for name in names)})"


MACROS = (
    """csv_cell(t) AS CASE
        WHEN TRIM(t) = '' THEN 'null'
        WHEN json_valid(t) AND TRIM(t)[1] IN ('-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9') THEN t
        WHEN t LIKE '"%' THEN CAST(to_json(REPLACE(TRIM(t, '"'), '""', '"')) AS VARCHAR)
        ELSE CAST(to_json(TRIM(t)) AS VARCHAR) END""",
    """csv_cells(t) AS CASE WHEN CONTAINS(t, '"')
        THEN regexp_extract_all(t || ',', '("(?:[^"]|"")*"|[^,]*),', 1)
        ELSE string_split(t, ',') END""",
    """csv_row(t) AS CASE WHEN json_valid('[' || t || ']') THEN '[' || t || ']'
        ELSE '[' || array_to_string(list_transform(csv_cells(t), lambda c: csv_cell(c)), ',') || ']' END""",
    """filled_lines(t) AS list_filter(string_split(REPLACE(t, chr(13), ''), chr(10)), lambda l: TRIM(l) <> '')""",
    """text_list(t) AS '[' || array_to_string(list_transform(filled_lines(t),
        lambda l: CASE WHEN l[1] IN ('{', '[') AND json_valid(l) THEN l ELSE csv_row(l) END), ',') || ']'""",
    """parsed(t) AS CASE
        WHEN TRIM(t, chr(32) || chr(10) || chr(13) || chr(9)) IN ('', 'null') THEN NULL
        WHEN json_valid(t) THEN t
        ELSE text_list(t) END""",
    f"""found_parts(t) AS CASE WHEN LTRIM(t)[1] = '{{' THEN json_extract(t, {_PATHS}) END""",
    """opened(t, parts) AS CASE
        WHEN parts[1] IS NOT NULL AND parts[2] IS NOT NULL THEN CAST(t AS JSON)
        ELSE COALESCE(list_filter(parts[2:], lambda p: p IS NOT NULL AND p <> 'null')[1], CAST(t AS JSON)) END""",
    """tensor_lists(values, height) AS list_transform(range(LEAST(height, LEN(values))), lambda r: to_json(
        values[r * (LEN(values) // height) + 1:(r + 1) * (LEN(values) // height)]))""",
    """seldon_lists(j) AS CASE WHEN json_exists(j, '$.ndarray') THEN CAST(j -> 'ndarray' AS JSON[])
        ELSE tensor_lists(CAST(j -> '$.tensor.values' AS JSON[]), CAST(j ->> '$.tensor.shape[0]' AS BIGINT)) END""",
    """seldon_rows(j) AS list_transform(seldon_lists(j), lambda r: COALESCE(TRY(to_json(CASE
        WHEN json_array_length(r) = json_array_length(j, '$.names')
        THEN map(CAST(j -> 'names' AS VARCHAR[]), CAST(r AS JSON[])) END)), r))""",
    """split_rows(j) AS list_transform(CAST(j -> 'data' AS JSON[]), lambda r: to_json(map(
        list_transform(CAST(j -> 'columns' AS VARCHAR[]), lambda name, i: COALESCE(name, 'f' || (i - 1))),
        CAST(r AS JSON[]))))""",
    """tensor_rows(tensors, height) AS list_transform(range(height), lambda r: to_json(map(
        list_transform(tensors, lambda t, i: COALESCE(t ->> 'name', 'f' || (i - 1))),
        list_transform(tensors, lambda t: CASE WHEN json_array_length(t, '$.data') <= height THEN t -> 'data' -> r
            ELSE to_json(CAST(t -> 'data' AS JSON[])[
                r * (json_array_length(t, '$.data') // height) + 1
                :(r + 1) * (json_array_length(t, '$.data') // height)]) END))))""",
    """body_rows(c) AS CASE
        WHEN json_type(c) = 'OBJECT' AND json_exists(c, '$.columns') AND json_exists(c, '$.data') THEN split_rows(c)
        WHEN json_type(c) = 'OBJECT' AND (json_exists(c, '$.ndarray') OR json_exists(c, '$.tensor.values'))
            THEN seldon_rows(c)
        WHEN json_type(c) = 'ARRAY' AND json_exists(c, '$[0].datatype') AND json_exists(c, '$[0].data')
            THEN tensor_rows(CAST(c AS JSON[]), COALESCE(CAST(c ->> '$[0].shape[0]' AS BIGINT), 1))
        WHEN json_type(c) = 'ARRAY' THEN CAST(c AS JSON[])
        WHEN c IS NOT NULL THEN [c] END""",
    f"""row_features(e) AS CASE json_type(e)
        WHEN 'OBJECT' THEN CAST(e AS VARCHAR)
        WHEN 'ARRAY' THEN CASE WHEN json_array_length(e) BETWEEN 1 AND {MAX_CELLS}
            THEN '{{' || array_to_string(list_transform(CAST(e AS JSON[]),
                lambda x, i: '"f' || (i - 1) || '":' || COALESCE(CAST(x AS VARCHAR), 'null')), ',') || '}}' END
        WHEN 'NULL' THEN NULL
        ELSE '{{"f0":' || CAST(e AS VARCHAR) || '}}' END""",
    """pointer_to(name) AS '/' || REPLACE(REPLACE(name, '~', '~0'), '/', '~1')""",
    """unwrapped(j) AS CASE
        WHEN json_type(j) = 'ARRAY' AND json_array_length(j) = 1 THEN j -> 0
        WHEN json_type(j) = 'OBJECT' AND LEN(json_keys(j)) = 1 THEN json_extract(j, pointer_to(json_keys(j)[1]))
        ELSE j END""",
    """answer(j) AS unwrapped(unwrapped(j))""",
    f"""named_classes(j) AS TRY_CAST({_first(_CLASSES)} AS VARCHAR[])""",
    f"""named_scores(j) AS TRY_CAST({_first(_SCORES)} AS DOUBLE[])""",
    """has_names(j) AS LEN(named_classes(j)) = LEN(named_scores(j))""",
    """positive_of_two(a, b) AS CASE WHEN positive_rank(a) = positive_rank(b) THEN GREATEST(a, b)
        WHEN positive_rank(a) < positive_rank(b) THEN a ELSE b END""",
    r"""class_name(name) AS regexp_replace(name, '^t:(\d+)$', '\1')""",  # Seldon's, where a model names none
    """chances_in(j) AS CASE json_type(j)
        WHEN 'ARRAY' THEN TRY(map(CAST(range(CAST(json_array_length(j) AS BIGINT)) AS VARCHAR[]), CAST(j AS DOUBLE[])))
        WHEN 'OBJECT' THEN TRY(map(list_transform(json_keys(j), lambda k: class_name(k)), list_transform(json_keys(j),
            lambda k: CASE WHEN json_type(json_extract(j, pointer_to(k))) IN ('DOUBLE', 'BIGINT', 'UBIGINT')
                THEN CAST(json_extract_string(j, pointer_to(k)) AS DOUBLE) END))) END""",
    f"""chance_fields(j) AS to_json(TRY(map(
        list_transform(list_filter(json_keys(j), lambda k: regexp_matches(k, '{_CHANCE}')),
            lambda k: regexp_extract(k, '{_CHANCE}', 1)),
        list_transform(list_filter(json_keys(j), lambda k: regexp_matches(k, '{_CHANCE}')),
            lambda k: json_extract(j, pointer_to(k))))))""",
    """are_chances(m) AS LEN(map_values(m)) > 1 AND list_count(map_values(m)) = LEN(map_values(m))
        AND ABS(list_sum(map_values(m)) - 1) < 0.01 AND list_min(map_values(m)) >= 0""",
    f"""answer_chances(j) AS COALESCE(
        CASE WHEN has_names(j) THEN TRY(map(named_classes(j), named_scores(j))) END,
        list_filter(
            list_transform([unwrapped({_first(_CHANCES)}), chance_fields(j), j], lambda v: chances_in(v)),
            lambda m: are_chances(m))[1])""",
    """top_class(m) AS map_keys(m)[list_position(map_values(m), list_max(map_values(m)))]""",
    """positive_score(m) AS CASE WHEN LEN(map_keys(m)) = 2 THEN map_values(m)[list_position(map_keys(m),
        positive_of_two(map_keys(m)[1], map_keys(m)[2]))] END""",
    f"""answer_class(j, chances) AS CASE json_type(j)
        WHEN 'OBJECT' THEN COALESCE(unwrapped({_first(_CLASS)}) ->> '$', j ->> '$.choices[0].finish_reason',
            top_class(chances), CASE WHEN {_first(_SCORE)} IS NULL THEN '(object)' END)
        WHEN 'ARRAY' THEN COALESCE(top_class(chances), '(list)')
        WHEN 'NULL' THEN NULL
        WHEN 'BOOLEAN' THEN CASE WHEN j ->> '$' = 'true' THEN '1' ELSE '0' END
        ELSE j ->> '$' END""",
    f"""answer_score(j, chances) AS COALESCE(
        CASE WHEN json_type(j) = 'OBJECT' THEN TRY_CAST(unwrapped({_first(_SCORE)}) ->> '$' AS DOUBLE) END,
        positive_score(chances))""",
    """answer_number(j) AS CASE WHEN json_type(j) IN ('DOUBLE', 'BIGINT', 'UBIGINT', 'HUGEINT')
        THEN CAST(j ->> '$' AS DOUBLE) END""",
    """plain_value(v) AS CASE
        WHEN json_exists(v, '$.arrayValue') THEN to_json(json_extract(v, '$.arrayValue.values[*].stringValue'))
        WHEN json_exists(v, '$.intValue') THEN CAST(v ->> 'intValue' AS JSON)
        ELSE COALESCE(v -> 'stringValue', v -> 'doubleValue', v -> 'boolValue') END""",
    """unbased(t) AS TRY(decode(from_base64(t)))""",
)


def define(connection: DuckDBPyConnection) -> None:
    """Create the macros, for this connection alone."""
    from mlwatch.metrics.confusion import POSITIVE_NAMES  # noqa: PLC0415  it imports numpy

    ranks = f"list_position({list(POSITIVE_NAMES)}, LOWER(TRIM(name)))"
    for macro in (f"positive_rank(name) AS COALESCE({ranks}, {len(POSITIVE_NAMES) + 1})", *MACROS):
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {macro}")


def rows_sql(relation: str, bodies: Sequence[str]) -> str:
    """Return a SELECT with lists of rows in place of bodies; each step is taken once, in a SELECT of its own."""
    if not bodies:
        return f"SELECT * FROM {relation}"
    steps = (
        [f"parsed({name}) AS {name}" for name in bodies],
        [f"found_parts({name}) AS {name}_parts" for name in bodies],
        [f"opened({name}, {name}_parts) AS {name}" for name in bodies],
        [f"body_rows({name}) AS {name}" for name in bodies],
    )
    parsed, parts, opened, rows = (", ".join(step) for step in steps)
    extra = ", ".join(f"{name}_parts" for name in bodies)
    return f"""
        SELECT * REPLACE ({rows}) FROM (
            SELECT * EXCLUDE ({extra}) REPLACE ({opened}) FROM (
                SELECT *, {parts} FROM (SELECT * REPLACE ({parsed}) FROM {relation})))"""
