"""The dashboard and the alert rules speak of what the processes really tell, by name and by label."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from redis import Redis

from apps.core import lease_metrics, metrics
from apps.core.metrics_listener import exposition
from apps.gateway import serving
from apps.notifications import delivery_metrics
from apps.runs import cached_answers, run_metrics
from promptsaas import cron
from promptsaas.metrics.listening import own_collectors
from promptsaas.metrics.state import StateCollector

FOLDER = Path(__file__).resolve().parents[2] / "deploy/grafana"
RULES: dict[str, Any] = yaml.safe_load((FOLDER / "alerts.yml").read_text())
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
PROMETHEUS: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
# What Prometheus itself adds to everything that it reads, and tells of its own reading.
ITS_LABELS: Final = frozenset({"job", "instance"})
ITS_METRICS: Final = {"up": ITS_LABELS}
# Whoever is imported tells that it has something to tell.
NEEDED: Final = (cached_answers, cron, delivery_metrics, lease_metrics, run_metrics, serving)
WORDS: Final = frozenset({"by", "without", "on", "ignoring", "and", "or", "unless"})
FUNCTIONS: Final = frozenset(
    {"sum", "max", "min", "topk", "rate", "increase", "delta", "changes", "time", "absent"}
    | {"histogram_quantile", "label_values"}
)
DURATION: Final = re.compile(r"\[(\d+[smhd]|\$__rate_interval)\]")
GROUPING: Final = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
MATCHERS: Final = re.compile(r"\{([^}]*)\}")
MATCHER: Final = re.compile(r'^\s*([a-z_]+)\s*(?:=~|!~|!=|=)\s*"[^"]*"\s*$')
NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

Exported = dict[str, frozenset[str]]


@pytest.fixture
def exported(transactional_db: None, redis: Redis) -> Exported:
    """Every sample that the processes tell, with the names of its labels."""
    for metric in {each for each in _declared() if getattr(each, "_labelnames", ())}:
        metric.labels(*("example" for _ in metric._labelnames))  # type: ignore[attr-defined]
    told = exposition([*own_collectors(), StateCollector()], generate_latest)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(told.decode()):
        for sample in family.samples:
            found[sample.name] |= set(sample.labels)
    # No batch is open in an empty database.
    found["promptsaas_batch_rows"] |= {"state"}
    return {name: frozenset(labels) for name, labels in found.items()} | ITS_METRICS


def _declared() -> list[Collector]:
    assert all(NEEDED)
    return list(metrics.REGISTRY._collector_to_names)


def _rules() -> list[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def _panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def _expressions() -> list[tuple[str, str]]:
    found = [(rule["alert"], rule["expr"]) for rule in _rules()]
    found += [(panel["title"], target["expr"]) for panel in _panels() for target in panel["targets"]]
    found += [(each["name"], each["expr"]) for each in DASHBOARD["annotations"]["list"]]
    return found


def problems(expression: str, exported: Exported) -> list[str]:
    """What is wrong with an expression: brackets, durations, functions, names, labels."""
    found = [] if _is_balanced(expression) else ["brackets"]
    bare = DURATION.sub("", expression)
    found += ["duration"] if "[" in bare.replace('"[', "") and re.search(r"\[(?!45\])", bare) else []
    labels = {each.strip() for group in GROUPING.findall(bare) for each in group.split(",")}
    for matchers in MATCHERS.findall(bare):
        names = [MATCHER.match(each) for each in matchers.split(",")]
        found += [f"matcher {matchers}"] if not all(names) else []
        labels |= {match.group(1) for match in names if match}
    bare = re.sub(r'"[^"]*"', "", GROUPING.sub("", MATCHERS.sub("", bare)))
    words = [(match.group(), bare[match.end() :].lstrip()[:1] == "(") for match in NAME.finditer(bare)]
    used = {word for word, called in words if not called and word not in WORDS}
    found += [f"function {word}" for word, called in words if called and word not in FUNCTIONS]
    found += [f"no metric {name}" for name in used - set(exported)]
    known = ITS_LABELS.union(*(exported.get(name, frozenset()) for name in used))
    return found + [f"no label {label}" for label in labels - known]


def _is_balanced(expression: str) -> bool:
    opened: list[str] = []
    for character in re.sub(r'"[^"]*"', "", expression):
        if character in "([{":
            opened.append({"(": ")", "[": "]", "{": "}"}[character])
        elif character in ")]}" and (not opened or opened.pop() != character):
            return False
    return not opened


def test_expressions__of_dashboard_and_rules__name_what_is_told(exported: Exported) -> None:
    assert len(_expressions()) > 60
    wrong = {name: found for name, expr in _expressions() if (found := problems(expr, exported))}
    assert wrong == {}


def test_every_metric_of_ours__stands_on_the_dashboard(exported: Exported) -> None:
    used = {word for _, expression in _expressions() for word in NAME.findall(expression)}
    ours = {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in exported if name.startswith(("prompt", "gen"))
    }
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
    assert sorted(ours - shown) == []


@pytest.mark.parametrize(
    "expression",
    [
        "sum(rate(promptsaas_runs_totals[5m]))",
        "sum by (user) (promptsaas_runs_total)",
        'promptsaas_runs_total{user="x"}',
        "rate(promptsaas_runs_total[5m]",
        "rate(promptsaas_runs_total[5 minutes])",
        "rats(promptsaas_runs_total[5m])",
        "promptsaas_runs_total{status=failed}",
    ],
)
def test_problems__expression_that_prometheus_would_refuse__is_found(expression: str) -> None:
    assert problems(expression, {"promptsaas_runs_total": frozenset({"prompt", "label", "status"})})


def test_rules__each__says_how_bad_it_is_and_what_to_do() -> None:
    assert set(RULES) == {"groups"}
    names = [rule["alert"] for rule in _rules()]
    assert len(set(names)) == len(names) >= 15
    assert len({group["name"] for group in RULES["groups"]}) == len(RULES["groups"])
    for rule in _rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        told = re.findall(r"\{\{ (.+?) \}\}", " ".join(rule["annotations"].values()))
        assert all(re.fullmatch(r"\$labels\.\w+|\$value( \| humanize\w*)?", each) for each in told)


def test_rules__labels_of_their_texts__come_from_the_expression(exported: Exported) -> None:
    for rule in _rules():
        used = {word for word in NAME.findall(rule["expr"]) if word in exported}
        known = ITS_LABELS.union(*(exported[name] for name in used))
        told = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        assert told <= known, rule["alert"]


def test_dashboard__panels__are_whole_and_lie_side_by_side() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    for panel in _panels():
        assert panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) >= 1
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)\}?", " ".join(expr for _, expr in _expressions())))
    assert used <= variables


def test_prometheus__jobs__are_those_that_rules_and_compose_name() -> None:
    jobs = {config["job_name"]: config["dns_sd_configs"][0] for config in PROMETHEUS["scrape_configs"]}
    named = {name for _, expr in _expressions() for name in re.findall(r"promptsaas-[a-z]+", expr)}
    assert named <= set(jobs)
    assert PROMETHEUS["rule_files"] == ["alerts.yml"]
    compose = yaml.safe_load((FOLDER.parents[1] / "docker-compose.yml").read_text())["services"]
    asked = {name: job["port"] for job in jobs.values() for name in job["names"]}
    assert asked == {
        name: int(service["environment"]["METRICS_ADDRESS"].rpartition(":")[2])
        for name, service in compose.items()
        if "METRICS_ADDRESS" in service.get("environment", {}) and name != "migrate"
    }
