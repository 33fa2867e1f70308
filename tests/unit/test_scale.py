"""The same batch on a Dask cluster of two workers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograder.execute import Budget
from autograder.grade import grade_lab
from autograder.paths import Course, UserError
from autograder.scale import cluster
from autograder.source import write_notebook
from tests.conftest import ROOT, notebooks

LAB = "s2_git"


def test_a_cluster_grades_as_the_local_pool_does(tmp_path: Path) -> None:
    from distributed import LocalCluster

    course = Course(tmp_path)
    for name in ("solutions", "labs"):
        (tmp_path / name).symlink_to(ROOT / name, target_is_directory=True)
    for student in ("ada", "bob", "cleo"):
        write_notebook(notebooks(LAB)[1], course.submitted / student / LAB / f"{LAB}.ipynb")
    shutil.copytree(course.submitted / "ada" / LAB, course.submitted / "dan" / LAB)
    (course.submitted / "dan" / LAB / f"{LAB}.ipynb").write_text("{")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as workers,
        cluster(workers.scheduler_address) as executor,
    ):
        batch = grade_lab(course, LAB, executor=executor, budget=Budget(cell=20, notebook=90))
    assert [(r.student, r.points) for r in batch.results] == [
        ("ada", 0),
        ("bob", 0),
        ("cleo", 0),
        ("dan", 0),
    ]
    assert batch.errors == ()
    assert "JSON breaks off" in batch.results[-1].problem
    assert all(len(r.checks) == len(batch.results[0].checks) for r in batch.results)


def test_no_scheduler_is_explained() -> None:
    with (
        pytest.raises(UserError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"),
        cluster("tcp://127.0.0.1:1"),
    ):
        pass
