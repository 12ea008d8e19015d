"""The manifests of deploy/kubernetes: valid for Kubernetes and KEDA, and true of the product."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import kubernetes_validate
import pytest
import yaml
from django.conf import settings

from apps.batches.pump import Times
from apps.batches.services import ringing as batch_ringing
from apps.runs.background import ringing as background_ringing
from promptsaas.metrics.queues import _FIGURES
from promptsaas.metrics.readings import READINGS
from promptsaas.routes import GATEWAY_PREFIXES, PROMPT_PREFIX, WEB_PREFIXES, belongs_to_gateway
from promptsaas.serving import Address, web_command

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "deploy/kubernetes"
SCHEMAS: Final = Path(__file__).parent / "vendor/keda"
# The oldest that the README names, and the newest that is known here.
VERSIONS: Final = ("1.30", "1.37")
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS: Final = {
    name: service for name, service in COMPOSE["services"].items() if service.get("image") == "promptsaas"
}

Document = dict[str, Any]


@cache
def documents() -> list[tuple[str, Document]]:
    """Every document of every file but Kustomize's own, with its file's name."""
    files = sorted(path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml")
    return [
        (str(path.relative_to(FOLDER)), document)
        for path in files
        for document in yaml.safe_load_all(path.read_text())
    ]


def named(document: Document) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


def of_kind(kind: str) -> dict[str, Document]:
    return {found["metadata"]["name"]: found for _, found in documents() if found["kind"] == kind}


def workloads() -> dict[str, Document]:
    return of_kind("Deployment") | of_kind("Job")


def pod(workload: Document) -> Document:
    found: Document = workload["spec"]["template"]["spec"]
    return found


def containers(workload: Document) -> Iterator[Document]:
    yield from pod(workload).get("initContainers", [])
    yield from pod(workload)["containers"]


def config() -> dict[str, str]:
    found: dict[str, str] = of_kind("ConfigMap")["promptsaas"]["data"]
    return found


def strict(schema: Any) -> Any:
    """The schema with unknown fields refused, as `kubectl apply` does with server-side validation."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(part) for key, part in schema.items()}
    if found.get("type") == "object" and found.get("properties") and "required" not in schema.get("name", {}):
        found.setdefault("additionalProperties", False)
    return found


@cache
def keda_schema(kind: str) -> jsonschema_rs.Validator:
    schema = strict(json.loads((SCHEMAS / f"{kind.lower()}-v1alpha1.json").read_text()))
    schema["properties"]["metadata"].pop("additionalProperties", None)
    return jsonschema_rs.validator_for(schema)


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests__each__is_valid_for_kubernetes(version: str) -> None:
    tried = 0
    for file, document in documents():
        if not document["apiVersion"].startswith("keda.sh/"):
            kubernetes_validate.validate(document, version, strict=True)
            tried += 1
        assert file
    assert tried >= 20


def test_manifests__of_keda__fit_its_schema() -> None:
    found = [document for _, document in documents() if document["apiVersion"] == "keda.sh/v1alpha1"]
    assert {document["kind"] for document in found} == {"ScaledObject", "TriggerAuthentication"}
    for document in found:
        keda_schema(document["kind"]).validate(document)


@pytest.mark.parametrize(
    "wrong", [{"maxReplicas": 3}, {"triggers": [{"type": "x"}]}, {"pollingInterval": "5"}]
)
def test_keda_schema__wrong_field__is_refused(wrong: Document) -> None:
    good = of_kind("ScaledObject")["worker"]
    with pytest.raises(jsonschema_rs.ValidationError):
        keda_schema("ScaledObject").validate(good | {"spec": good["spec"] | wrong})


@pytest.mark.parametrize("folder", ["base", "keda", "example"])
def test_kustomization__what_it_names__is_there(folder: str) -> None:
    written = yaml.safe_load((FOLDER / folder / "kustomization.yaml").read_text())
    assert set(written) <= {"apiVersion", "kind", "namespace", "labels", "resources", "images", "patches"}
    assert written["namespace"] == "promptsaas"
    files = {path.name for path in (FOLDER / folder).glob("*.yaml")} - {"kustomization.yaml"}
    named_files = {each for each in written["resources"] if each.endswith(".yaml")}
    assert named_files == files
    for other in set(written["resources"]) - named_files:
        assert (FOLDER / folder / other / "kustomization.yaml").is_file()
    for patch in written.get("patches", []):
        target = of_kind(patch["target"]["kind"])[patch["target"]["name"]]
        for step in yaml.safe_load(patch["patch"]):
            assert step["op"] == "add" or has_path(target, step["path"]), step["path"]


def has_path(document: Any, path: str) -> bool:
    for part in path.strip("/").split("/"):
        try:
            document = document[int(part)] if isinstance(document, list) else document[part]
        except (KeyError, IndexError):
            return False
    return True


def essence(command: list[str]) -> tuple[str, ...]:
    return tuple(word for word in command if not word.startswith(("--host", "--port", "--web")))


def test_workloads__commands__are_those_of_compose() -> None:
    theirs = {name: essence(pod(each)["containers"][0]["command"]) for name, each in workloads().items()}
    assert theirs == {name: essence(service["command"]) for name, service in OURS.items()}


def test_settings__each__is_one_that_compose_knows_or_the_docs_name() -> None:
    known = set(OURS["migrate"]["environment"])
    secrets = {name: set(secret["stringData"]) for name, secret in of_kind("Secret").items()}
    given = set(config()) | secrets["promptsaas"]
    assert given <= known
    assert secrets["promptsaas-owner"] == {"MIGRATION_DATABASE_URL"}
    text = (ROOT / "docs/self-hosting.md").read_text()
    demanded = set(re.findall(r"^\| `(\w+)` \* \|", text, re.MULTILINE))
    assert demanded <= given
    assert not set(config()) & secrets["promptsaas"]


def test_secrets__stand_in_the_example_alone_and_are_empty() -> None:
    assert [file for file, found in documents() if found["kind"] == "Secret"] == ["secrets.example.yaml"] * 2
    for secret in of_kind("Secret").values():
        assert all("<" in value for value in secret["stringData"].values())


def test_owner_role__is_the_migrating_jobs_alone() -> None:
    readers = {
        name
        for name, workload in workloads().items()
        for container in containers(workload)
        if {"secretRef": {"name": "promptsaas-owner"}} in container["envFrom"]
    }
    assert readers == {"migrate"}


def test_containers__each__may_do_as_little_as_possible() -> None:
    for name, workload in workloads().items():
        assert pod(workload)["automountServiceAccountToken"] is False
        security = pod(workload)["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert f"--uid {security['runAsUser']} " in (ROOT / "Dockerfile").read_text()
        for container in containers(workload):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert set(container["resources"]["limits"]) == {"memory"}
            assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]


def ingress_service(path: str) -> str:
    """Which Service an Ingress controller takes: whole segments, the longest prefix wins."""
    rules = of_kind("Ingress")["promptsaas"]["spec"]["rules"]
    fitting = [
        (len(rule["path"].strip("/").split("/")) if rule["path"] != "/" else 0, rule["backend"]["service"])
        for rule in rules[0]["http"]["paths"]
        if is_below(path, rule["path"])
    ]
    name: str = max(fitting, key=lambda each: each[0])[1]["name"]
    return name


def is_below(path: str, prefix: str) -> bool:
    wanted = [part for part in prefix.split("/") if part]
    return path.lstrip("/").split("/")[: len(wanted)] == wanted


def test_ingress__paths__are_the_routers() -> None:
    paths = of_kind("Ingress")["promptsaas"]["spec"]["rules"][0]["http"]["paths"]
    assert {rule["pathType"] for rule in paths} == {"Prefix"}
    found = {rule["path"]: rule["backend"]["service"]["name"] for rule in paths}
    ours = dict.fromkeys([*GATEWAY_PREFIXES, PROMPT_PREFIX], "gateway") | dict.fromkeys(WEB_PREFIXES, "web")
    assert found == {path.rstrip("/"): service for path, service in ours.items()} | {"/": "web"}


PATHS: Final = (
    *("/", "/v10/x", "/admin/", "/api/v1/runs", "/api/v1/promptsx", "/v1/files", "/v1/files/x", "/v1/filesx"),
    *("/v1/batches/x/cancel", "/v1/chat/completions", "/v1/models", "/api/v1/prompts/a", "/api/v1/prompts"),
    *("/api/v1/prompts/a/b/run", "/api/v1/prompts/a/versions", "/api/v1/prompts/a/versions/3"),
)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_ingress__every_request__comes_to_whom_it_belongs(method: str) -> None:
    # A gateway passes on what is web's; web passes on nothing.
    upstream = next(
        word for word in pod(workloads()["gateway"])["containers"][0]["command"] if "--web" in word
    )
    web = of_kind("Service")["web"]["spec"]["ports"][0]
    assert upstream == f"--web=http://web:{web['port']}"
    assert "web" in config()["ALLOWED_HOSTS"].split(",")
    for path in PATHS:
        if belongs_to_gateway(method, path):
            assert ingress_service(path) == "gateway", path
    # Files do not take the way round.
    assert {ingress_service(path) for path in ("/v1/files", "/v1/batches/x", "/admin/")} == {"web"}


def test_services__ports__are_those_that_the_processes_listen_on() -> None:
    for name, service in of_kind("Service").items():
        container = pod(workloads()[service["spec"]["selector"]["app.kubernetes.io/component"]])[
            "containers"
        ][0]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for port in service["spec"]["ports"]:
            assert port["port"] == ports[port["targetPort"]]
        listened = {int(word.partition("=")[2]) for word in container["command"] if word.startswith("--port")}
        assert listened == set(ports.values()) - {9464}, name
    assert config()["METRICS_ADDRESS"] == "0.0.0.0:9464"


@pytest.mark.parametrize("name", ["web", "gateway"])
def test_servers__probes__ask_what_is_answered(name: str) -> None:
    container = pod(workloads()[name])["containers"][0]
    asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert {kind: probe["path"] for kind, probe in asked.items()} == {
        "startup": "/healthz",
        "readiness": "/readyz",
        "liveness": "/healthz",
    }
    hosts = {probe["httpHeaders"][0]["value"] for probe in asked.values()}
    assert hosts <= set(config()["ALLOWED_HOSTS"].split(","))


def test_grace__each__is_longer_than_the_process_needs_to_end() -> None:
    grace = {name: pod(each).get("terminationGracePeriodSeconds", 30) for name, each in workloads().items()}
    command = " ".join(web_command(Address("", 0), workers=1, threads=1))
    killed = int(re.findall(r"--workers-kill-timeout=(\d+)", command)[0])
    assert killed > settings.GATEWAY_DRAIN_SECONDS > 0
    for name in ("web", "gateway"):
        sleep = pod(workloads()[name])["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert grace[name] > sleep + killed
    # A pump's calls, then its last transaction.
    for name in ("worker", "worker-interactive"):
        assert grace[name] >= Times().shutdown + 10


def test_cron__is_one_and_replaced_whole() -> None:
    spec = workloads()["cron"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "ScaledObject", "PodDisruptionBudget"])
def test_scaling__what_it_speaks_of__is_there(kind: str) -> None:
    found = of_kind(kind)
    assert found
    deployments = of_kind("Deployment")
    for name, document in found.items():
        spec = document["spec"]
        if kind == "PodDisruptionBudget":
            name = spec["selector"]["matchLabels"]["app.kubernetes.io/component"]
        else:
            assert spec["scaleTargetRef"]["name"] == name
        assert name in deployments
    # Two who set one number would fight over it.
    scaled = set(of_kind("HorizontalPodAutoscaler"))
    assert not scaled & set(of_kind("ScaledObject"))
    assert not [name for name in scaled if "replicas" in deployments[name]["spec"]]


def test_keda__figures__are_told_and_its_numbers_the_products() -> None:
    told = {family.name for reading in READINGS for family in reading.families}
    told |= {name for name, _, _ in _FIGURES}
    cron = of_kind("Service")["cron"]
    for scaled in of_kind("ScaledObject").values():
        for trigger in scaled["spec"]["triggers"]:
            asked = trigger["metadata"]
            assert asked["valueLocation"].partition("{")[0] in told
            host = f"{cron['metadata']['name']}.promptsaas.svc.cluster.local"
            assert asked["url"] == f"http://{host}:{cron['spec']['ports'][0]['port']}/metrics"
            assert trigger["authenticationRef"]["name"] in of_kind("TriggerAuthentication")
    for name, ringing in (("worker", batch_ringing), ("worker-interactive", background_ringing)):
        spec = of_kind("ScaledObject")[name]["spec"]
        assert spec["triggers"][0]["metadata"]["targetValue"] == str(ringing.SLOTS)
        assert spec["maxReplicaCount"] == ringing.MOST_PUMPS


def test_network_policies__pods_that_they_name__are_the_deployments() -> None:
    for policy in of_kind("NetworkPolicy").values():
        for rule in policy["spec"]["podSelector"].get("matchExpressions", []):
            assert set(rule["values"]) <= set(of_kind("Deployment"))
    measured = of_kind("NetworkPolicy")["metrics"]["spec"]["podSelector"]["matchExpressions"][0]["values"]
    assert set(measured) == set(of_kind("Deployment"))
