"""labs/s5_airflow/production: every option exists, every name leads somewhere, nothing is a secret.

Airflow's own list of options is asked of the Airflow that is installed; the providers', which the
course does not install, stand in ``airflow_providers.json``, written from the packages themselves.
"""

from __future__ import annotations

import configparser
import importlib.resources
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from sqlalchemy.engine import make_url

from tests.conftest import ROOT

FILES = ROOT / "labs" / "s5_airflow" / "production"
CONFIGURATIONS = ("celery.cfg", "kubernetes.cfg")
PROVIDERS = json.loads((Path(__file__).parent / "airflow_providers.json").read_text("utf-8"))
CLASSES = {name for names in PROVIDERS["classes"].values() for name in names}
# No option of ours, but Airflow reads it: where the configuration lies.
_NO_OPTION = {"AIRFLOW_CONFIG"}

_ASK = """
import argparse, json
from airflow.configuration import retrieve_configuration_description
from airflow.executors.executor_loader import ExecutorLoader
from airflow.cli.cli_parser import get_parser

core = retrieve_configuration_description(include_providers=False)
commands = next(a for a in get_parser()._actions if isinstance(a, argparse._SubParsersAction))
print(json.dumps({
    "options": {s: {o: d["type"] for o, d in v["options"].items()} for s, v in core.items()},
    "sensitive": [[s, o] for s, v in core.items() for o, d in v["options"].items()
                  if d.get("sensitive")],
    "executors": ExecutorLoader.executors,
    "commands": sorted(commands.choices),
}))
"""
_ASK_VALUES = """
import json, sys
from airflow.configuration import conf

print(json.dumps({s: {o: conf.get(s, o) for o in options}
                  for s, options in json.loads(sys.argv[1]).items()}))
"""


def _read(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser


def _ask(folder: Path, code: str, *arguments: str, **settings: str) -> dict[str, Any]:
    """Ask Airflow, in a process of its own, and return what it says."""
    known = {n: v for n, v in os.environ.items() if not n.startswith("AIRFLOW_")}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**known, "AIRFLOW_HOME": str(folder), **settings},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _ask(tmp_path_factory.mktemp("airflow"), _ASK)


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def as_read(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, str]]:
    """What Airflow makes of a configuration: names of the environment filled in."""
    configuration = FILES / request.param
    sections = _read(configuration.read_text("utf-8"))
    return _ask(
        tmp_path_factory.mktemp("airflow"),
        _ASK_VALUES,
        json.dumps({s: list(sections[s]) for s in sections.sections()}),
        AIRFLOW_CONFIG=str(configuration),
        # Read only: the drivers and backends that it names are in packages that are not here.
        _AIRFLOW__AS_LIBRARY="1",
        AIRFLOW__SECRETS__BACKEND="",
        AIRFLOW_DB_PASSWORD="d-8264",
        AIRFLOW_REDIS_PASSWORD="r-8264",
        AIRFLOW_VAULT_SECRET_ID="v-8264",
    )


def _problems(text: str, airflow: dict[str, Any]) -> list[str]:
    """List what is wrong with a configuration: options, types, executor, classes, secrets."""
    options = {**PROVIDERS["options"], **airflow["options"]}
    given = _read(text)
    found = []
    for section in given.sections():
        for option, value in given[section].items():
            base = re.sub("_(cmd|secret)$", "", option)
            known = options.get(section, {})
            kind = known.get(option) or known.get(base)
            if section not in options:
                found.append(f"no section {section}")
            elif kind is None:
                found.append(f"no option {option} in {section}")
            elif not _is_a(kind, value):
                found.append(f"{section} {option}: {value!r} is no {kind}")
            found += [f"{section} {option}: {w}" for w in _classes(value)]
    executor = given.get("core", "executor", fallback="")
    if airflow["executors"].get(executor) not in CLASSES:
        found.append(f"no executor {executor!r}")
    for section, option, value in _secrets(given, airflow):
        found.append(f"{section} {option} has its secret written out: {value}")
    return found


def _is_a(kind: str, value: str) -> bool:
    if kind in ("boolean", "bool"):
        return value in ("True", "False")
    if kind in ("integer", "int"):
        return re.fullmatch(r"-?\d+", value) is not None
    if kind == "float":
        return re.fullmatch(r"-?\d+(\.\d+)?", value) is not None
    return not value.startswith(("[", "{")) or _is_json(value)


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _classes(value: str) -> Iterator[str]:
    """Yield what is wrong with names of providers' classes in a value."""
    for name in re.findall(r"airflow\.providers\.[\w.]+", value):
        if name not in CLASSES:
            yield f"no class {name}"


def _secrets(
    given: configparser.ConfigParser, airflow: dict[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Yield options that hold a key or a password and not the name of a variable."""
    sensitive = {tuple(pair) for pair in airflow["sensitive"]}
    for section in given.sections():
        for option, value in given[section].items():
            password = re.search(r"://[^/@]*:([^@]*)@", value)
            token = re.search(r'"(?:token|password|secret_id|secret)": *"([^"]*)"', value)
            shown = [m.group(1) for m in (password, token) if m]
            if (section, option) in sensitive and not (shown or "://" in value or "{" in value):
                shown = [value]
            yield from ((section, option, s) for s in shown if not s.startswith("$"))


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_option_is_one_of_airflows(name: str, airflow: dict[str, Any]) -> None:
    assert _problems((FILES / name).read_text("utf-8"), airflow) == []


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("executor =", "executer =", "no option executer in core"),
        ("sql_alchemy_conn =", "sqlalchemy_conn =", "no option sqlalchemy_conn in database"),
        ("remote_base_log_folder", "remote_log_folder", "no option remote_log_folder in logging"),
        ("[dag_processor]", "[dag_procesor]", "no section dag_procesor"),
        ("[api]", "[webserver]", "no section webserver"),
        ("json_logs = True", "json_logs = yes", "'yes' is no boolean"),
        ("parallelism = 64", "parallelism = many", "'many' is no integer"),
        ("Executor\n", "Exekutor\n", "no executor"),
        ("GitDagBundle", "GitBundle", "no class airflow.providers.git.bundles.git.GitBundle"),
        ('"subdir": "dags",', '"subdir": "dags"', "is no string"),
        ("$AIRFLOW_DB_PASSWORD", "hunter2", "has its secret written out: hunter2"),
    ],
)
def test_a_mistake_is_seen(
    name: str, right: str, wrong: str, said: str, airflow: dict[str, Any]
) -> None:
    text = (FILES / name).read_text("utf-8")
    assert right in text
    assert said in "\n".join(_problems(text.replace(right, wrong), airflow))


@pytest.mark.parametrize(
    ("name", "right", "wrong", "said"),
    [
        ("celery.cfg", "task_acks_late", "tasks_acks_late", "no option tasks_acks_late in celery"),
        ("celery.cfg", "visibility_timeout", "visible", "no option visible in celery_broker"),
        ("celery.cfg", "$AIRFLOW_VAULT_SECRET_ID", "s.abc", "secret written out: s.abc"),
        ("kubernetes.cfg", "pod_template_file", "pod_template", "no option pod_template in kube"),
        ("kubernetes.cfg", "KubernetesSecretsBackend", "Secrets", "no class airflow.providers"),
    ],
)
def test_a_mistake_in_a_providers_option_is_seen(
    name: str, right: str, wrong: str, said: str, airflow: dict[str, Any]
) -> None:
    text = (FILES / name).read_text("utf-8")
    assert right in text
    assert said in "\n".join(_problems(text.replace(right, wrong), airflow))


def test_airflow_reads_the_database_as_postgres(as_read: dict[str, dict[str, str]]) -> None:
    url = make_url(as_read["database"]["sql_alchemy_conn"])
    assert url.get_backend_name() == "postgresql"
    assert (url.username, url.password, url.database) == ("airflow", "d-8264", "airflow")
    if "celery" in as_read:
        result = make_url(as_read["celery"]["result_backend"].removeprefix("db+"))
        assert (result.get_backend_name(), result.password) == ("postgresql", "d-8264")
        assert as_read["celery"]["broker_url"] == "redis://:r-8264@redis:6379/0"


def test_airflow_reads_lists_and_keys_as_json(as_read: dict[str, dict[str, str]]) -> None:
    (bundle,) = json.loads(as_read["dag_processor"]["dag_bundle_config_list"])
    assert set(bundle) == {"name", "classpath", "kwargs"}
    backend = json.loads(as_read["secrets"]["backend_kwargs"])
    assert backend.get("secret_id", "v-8264") == "v-8264"


def _pod() -> dict[str, Any]:
    return yaml.safe_load((FILES / "pod_template.yaml").read_text("utf-8"))


def test_the_pod_is_valid_and_has_the_container_airflow_looks_for() -> None:
    pod = _pod()
    kubernetes_validate.validate(pod, "1.37", strict=True)
    assert [c["name"] for c in pod["spec"]["containers"]] == ["base"]
    config = _read((FILES / "kubernetes.cfg").read_text("utf-8"))["kubernetes_executor"]
    image = f"{config['worker_container_repository']}:{config['worker_container_tag']}"
    assert pod["spec"]["containers"][0]["image"] == image
    assert config["pod_template_file"].endswith("/pod_template.yaml")


def _misspell(pod: dict[str, Any]) -> None:
    pod["spec"]["restartPolcy"] = pod["spec"].pop("restartPolicy")


def _no_number(pod: dict[str, Any]) -> None:
    pod["spec"]["securityContext"]["runAsUser"] = "airflow"


def _no_containers(pod: dict[str, Any]) -> None:
    del pod["spec"]["containers"]


@pytest.mark.parametrize("change", [_misspell, _no_number, _no_containers])
def test_a_mistake_in_the_pod_is_seen(change: Callable[[dict[str, Any]], None]) -> None:
    pod = _pod()
    change(pod)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, "1.37", strict=True)


def _compose() -> dict[str, Any]:
    return yaml.safe_load((FILES / "compose.yaml").read_text("utf-8"))


def _compose_problems(compose: dict[str, Any], airflow: dict[str, Any]) -> list[str]:
    """List what is wrong with the services: variables, commands, secrets."""
    found = []
    options = {f"AIRFLOW__{s}__{o}".upper() for s, v in airflow["options"].items() for o in v}
    config = _read((FILES / "celery.cfg").read_text("utf-8"))
    values = "\n".join(v for s in config.sections() for v in config[s].values())
    used = set(re.findall(r"\$(\w+)", values))
    for name, service in compose["services"].items():
        given = service.get("environment", {})
        if "airflow" in service["image"]:
            bad = given.keys() - options - used - _NO_OPTION
            found += [f"{name}: Airflow reads no {n}" for n in sorted(bad)]
            found += [f"{name}: {n} is missing" for n in sorted(used - given.keys())]
            _, command, *rest = service["command"]
            known = PROVIDERS["cli"]["celery"] if command == "celery" else airflow["commands"]
            if (rest[0] if command == "celery" else command) not in known:
                found.append(f"{name}: no command {' '.join(service['command'])}")
        for key, value in given.items():
            if re.search("PASSWORD|KEY|SECRET", key) and not value.startswith("${"):
                found.append(f"{name}: {key} is written out")
    return found


def test_the_services_are_valid_and_start_what_airflow_has(airflow: dict[str, Any]) -> None:
    schemas = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text("utf-8"))
    jsonschema.validate(_compose(), schema)
    assert _compose_problems(_compose(), airflow) == []
    hosts = {"postgres", "redis", "airflow-api-server"}
    assert hosts <= _compose()["services"].keys()


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("__FERNET_KEY", "__FERNETKEY", "Airflow reads no AIRFLOW__CORE__FERNETKEY"),
        ("[airflow, api-server]", "[airflow, webserver]", "no command airflow webserver"),
        ("celery, worker]", "celery, workers]", "no command airflow celery workers"),
        ("${AIRFLOW_JWT_SECRET:?set it}", "hunter2", "JWT_SECRET is written out"),
        ("AIRFLOW_DB_PASSWORD: $", "AIRFLOW_DATABASE_PASSWORD: $", "AIRFLOW_DB_PASSWORD is miss"),
    ],
)
def test_a_mistake_in_the_services_is_seen(
    right: str, wrong: str, said: str, airflow: dict[str, Any]
) -> None:
    text = (FILES / "compose.yaml").read_text("utf-8")
    assert right in text
    found = _compose_problems(yaml.safe_load(text.replace(right, wrong)), airflow)
    assert said in "\n".join(found)


def test_the_page_names_every_file() -> None:
    page = (FILES / "README.md").read_text("utf-8")
    names = {p.name for p in FILES.iterdir()} - {"README.md"}
    assert names == {n for n in names if f"({n})" in page}
