"""Write ``airflow_providers.json``: what Airflow's provider packages say of themselves.

The course does not install the providers that production needs.  To renew the record, install them
beside Airflow in an environment of their own and run this file there::

    pip install apache-airflow apache-airflow-providers-{celery,cncf-kubernetes,hashicorp,git,fab}
    pip install apache-airflow-providers-amazon
    python tests/unit/airflow_providers.py
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
from pathlib import Path

PROVIDERS = ("amazon", "celery", "cncf-kubernetes", "fab", "git", "hashicorp")
RECORD = Path(__file__).with_suffix(".json")


def main() -> None:
    """Ask each installed provider, and write down names only."""
    record: dict[str, dict[str, object]] = {"versions": {}, "options": {}, "classes": {}, "cli": {}}
    for name in PROVIDERS:
        module = importlib.import_module(f"airflow.providers.{name.replace('-', '.')}")
        info = importlib.import_module(f"{module.__name__}.get_provider_info").get_provider_info()
        record["versions"][name] = importlib.metadata.version(f"apache-airflow-providers-{name}")
        for section, about in info.get("config", {}).items():
            record["options"][section] = {o: d["type"] for o, d in about["options"].items()}
        bundles = [m for b in info.get("bundles", ()) for m in b["python-modules"]]
        record["classes"][name] = sorted(
            [*info.get("executors", ()), *info.get("secrets-backends", ())]
            + list(info.get("auth-managers", ()))
            + [f"{m}.{c}" for m in bundles for c in _bundles_of(m)]
        )
    commands = importlib.import_module("airflow.providers.celery.cli.definition")
    record["cli"]["celery"] = sorted(c.name for c in commands.CELERY_COMMANDS)
    RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", "utf-8")


def _bundles_of(module: str) -> list[str]:
    there = vars(importlib.import_module(module))
    return [n for n, v in there.items() if getattr(v, "__module__", "") == module and "Bundle" in n]


if __name__ == "__main__":
    main()
