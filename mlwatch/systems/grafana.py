"""A Grafana dashboard over the exported metrics: import the JSON and choose a Prometheus data source."""

from __future__ import annotations

from typing import Any, NamedTuple

from mlwatch import __version__

Json = dict[str, Any]

WIDTH, HEIGHT = 12, 8
"""Size of a panel on Grafana's grid, which is 24 wide."""
MODEL = 'model=~"$model"'
WHO = f'{MODEL},version=~"$version"'
LEGEND = "{{model}} {{version}}"


class Panel(NamedTuple):
    """One chart: queries with their legends."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    about: str = ""


PANELS = (
    Panel(
        "Verdict",
        "none",
        ((f"mlwatch_rollout_verdict{{{MODEL}}} == 1", "{{model}} {{candidate}}: {{verdict}}"),),
        "stat",
        "Promote, hold or roll back; right however often one looks.",
    ),
    Panel("Alerts that fire", "none", (("mlwatch_alerts_firing", "{{severity}}"),), "stat"),
    Panel(
        "Model performance",
        "none",
        ((f'mlwatch_performance{{{WHO},metric=~"$metric",bound="value"}}', f"{LEGEND} {{{{metric}}}}"),),
    ),
    Panel(
        "Candidate less baseline",
        "none",
        (
            (
                f'mlwatch_rollout_difference{{{MODEL},metric=~"$compared"}}',
                "{{candidate}} {{metric}} {{bound}}",
            ),
        ),
        about="With its anytime-valid interval.",
    ),
    Panel(
        "Drifted features",
        "percentunit",
        ((f"mlwatch_drifted_features_ratio{{{WHO}}}", LEGEND),),
    ),
    Panel(
        "Features farthest from the reference",
        "none",
        ((f"topk(10, mlwatch_feature_drift_score{{{WHO}}})", f"{LEGEND} {{{{feature}}}}"),),
    ),
    Panel("Missing values", "percentunit", ((f"mlwatch_missing_ratio{{{WHO}}}", LEGEND),)),
    Panel(
        "Latency",
        "s",
        ((f'mlwatch_latency_seconds{{{WHO},stat=~"p50|p95|p99"}}', f"{LEGEND} {{{{stat}}}}"),),
    ),
    Panel("Error rate", "percentunit", ((f"mlwatch_error_ratio{{{WHO}}}", LEGEND),)),
    Panel("Requests", "reqps", ((f"mlwatch_throughput_requests_per_second{{{WHO}}}", LEGEND),)),
    Panel("Endpoints and caches up", "percentunit", (("mlwatch_endpoint_up", "{{endpoint}}"),)),
    Panel(
        "Hits of caches", "percentunit", (('mlwatch_endpoint_metric{metric="hit_ratio"}', "{{endpoint}}"),)
    ),
    Panel("Conversion", "percentunit", ((f'mlwatch_conversion_ratio{{{WHO},bound="value"}}', LEGEND),)),
    Panel(
        "Revenue per prediction",
        "none",
        ((f"mlwatch_revenue_per_prediction{{{WHO}}}", f"{LEGEND} {{{{currency}}}}"),),
    ),
)


def dashboard() -> Json:
    """Return the dashboard, as Grafana's import takes it."""
    return {
        "__inputs": [
            {
                "name": "DS_PROMETHEUS",
                "label": "Prometheus",
                "type": "datasource",
                "pluginId": "prometheus",
                "pluginName": "Prometheus",
            }
        ],
        "title": "mlwatch",
        "uid": "mlwatch",
        "description": f"Made by mlwatch {__version__}.",
        "tags": ["machine learning", "mlwatch"],
        "schemaVersion": 39,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                _variable("model", "label_values(mlwatch_predictions, model)"),
                _variable("version", f"label_values(mlwatch_predictions{{{MODEL}}}, version)"),
                _variable("metric", f"label_values(mlwatch_performance{{{WHO}}}, metric)"),
                _variable("compared", f"label_values(mlwatch_rollout_difference{{{MODEL}}}, metric)"),
            ]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _source() -> Json:
    return {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}


def _variable(name: str, query: str) -> Json:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": _source(),
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _panel(number: int, panel: Panel) -> Json:
    row, column = divmod(number, 24 // WIDTH)
    return {
        "id": number + 1,
        "title": panel.title,
        "description": panel.about,
        "type": panel.kind,
        "datasource": _source(),
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": {"textMode": "name"} if panel.title == "Verdict" else {},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": query, "legendFormat": legend, "datasource": _source()}
            for index, (query, legend) in enumerate(panel.queries)
        ],
    }
