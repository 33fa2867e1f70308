"""Our engine inside plain nbgrader, by configuration.

Put into ``nbgrader_config.py``::

    from autograder.plugin import AUTOGRADE_STEPS

    c.Autograde.autograde_preprocessors = AUTOGRADE_STEPS

Then ``nbgrader autograde`` runs locked cells in another process than learners' cells, in the
sandbox.  It starts two warm parents for each notebook and grades one after another; for a class,
``autograder grade`` is the fast way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    Execute,
    IgnorePattern,
    LimitOutput,
    NbGraderPreprocessor,
    SaveAutoGrades,
)
from traitlets import Bool

from autograder import sandbox
from autograder.engine import evidence_came_along, imports_of, without_stderr
from autograder.execute import Budget, TrustedExecute, Workshop


class ExecuteApart(NbGraderPreprocessor):
    """nbgrader's `Execute`, with locked cells in another process than all others."""

    confined = Bool(True, help="Refuse to run where no sandbox works.").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Execute a sanitized notebook in its folder.

        Raises SandboxMissingError without a sandbox, NoSuchKernel for a language not installed.
        """
        # nbgrader's own options for Execute stay in force.
        theirs = Execute(parent=self.parent, config=self.config)
        if not theirs.enabled:
            return nb, resources
        if self.confined:
            sandbox.require()
        _require_kernel(nb)
        seconds = theirs.timeout or 3600
        folder = Path(resources["metadata"]["path"] or ".").resolve()
        lab = resources.get("nbgrader", {}).get("assignment", "")
        shop = Workshop(
            folder,
            modules=imports_of(nb),
            budget=Budget(cell=seconds, notebook=10 * seconds, check=seconds),
            confined=self.confined,
        )
        try:
            learner_runs = not evidence_came_along(folder, lab)
            step = TrustedExecute(shop, learner_runs=learner_runs)
            nb, resources = step.preprocess(nb, resources)
        finally:
            shop.close()
        for cell in nb.cells:
            if cell.cell_type == "code":
                without_stderr(cell)
        return nb, resources


def _require_kernel(nb: NotebookNode) -> None:
    """Raise NoSuchKernel if the notebook asks for a kernel that nbgrader would not find, either."""
    name = nb.metadata.get("kernelspec", {}).get("name", "python3")
    _ = KernelManager(kernel_name=name).kernel_spec


AUTOGRADE_STEPS = [
    ExecuteApart,
    IgnorePattern,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]
