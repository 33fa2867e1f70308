"""What students get back: their notebook with scores, and no trace of hidden tests."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import nbgrader
from nbconvert.exporters import HTMLExporter
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor
from traitlets import List
from traitlets.config import Config

from autograder.pool import workers
from autograder.submission import without_hidden

_TEMPLATES = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader"


class HideHiddenTests(NbGraderPreprocessor):
    """Take the hidden part out of check cells, and tracebacks that would quote it."""

    # Exporters offer this to every step; a step that does not know it makes them warn.
    display_data_priority = List().tag(config=True)

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Return the cell as its student may see it."""
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = without_hidden(cell.source).rstrip()
            for output in cell.outputs:
                # A check's own answer quotes no source; any other error's traceback does.
                if output.output_type == "error" and output.ename != "TaskNotDone":
                    output.traceback = [f"{output.ename}: this check could not finish"]
                    output.evalue = ""
        return cell, resources


PREPROCESSORS = [GetGrades, HideHiddenTests, CSSHTMLHeaderPreprocessor]


def exporter() -> HTMLExporter:
    """Return nbgrader's own feedback exporter, with hidden tests hidden."""
    config = Config()
    config.HTMLExporter.template_name = "feedback"
    config.HTMLExporter.extra_template_basedirs = [str(_TEMPLATES / "templates")]
    config.HTMLExporter.extra_template_paths = [
        str(_TEMPLATES / "static" / "node_modules" / "bootstrap" / "dist" / "css")
    ]
    config.Exporter.default_preprocessors = []
    html = HTMLExporter(config=config)
    for preprocessor in PREPROCESSORS:
        html.register_preprocessor(preprocessor, enabled=True)
    return html


def without_foreign_scripts(html: str) -> str:
    """Return a page in which no script runs but the template's own.

    A notebook's text and outputs come along as they are, also a script, and whoever opens the page
    would run it.  The browser is told which ones are meant: those in the page's head.
    """
    head, _, _ = html.partition("<body")
    inline = re.findall(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", head, re.DOTALL)
    allowed = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in inline
    ]
    # MathJax loads its parts from its own folder.
    allowed += [url.rpartition("/")[0] + "/" for url in re.findall(r"src=\"(https:[^\"?]+)", head)]
    scripts = " ".join(allowed) or "'none'"
    policy = (
        f"default-src 'none'; script-src {scripts}; "
        "style-src 'unsafe-inline'; img-src data:; font-src data: https:; base-uri 'none'; "
        "form-action 'none'"
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return html.replace("<head>", f"<head>\n{meta}", 1)


def write_feedback(
    students: list[str], *, lab: str, autograded: Path, feedback: Path, db_url: str, jobs: int = 1
) -> list[Path]:
    """Write ``feedback/<student>/<lab>/<lab>.html`` for each student and return the paths."""
    one = partial(_one, lab=lab, autograded=autograded, feedback=feedback, db_url=db_url)
    if jobs <= 1 or len(students) <= 2:
        return [one(student) for student in students]
    with workers(jobs) as pool:
        return list(pool.map(one, students))


def _one(student: str, *, lab: str, autograded: Path, feedback: Path, db_url: str) -> Path:
    nb = nbformat.read(autograded / student / lab / f"{lab}.ipynb", 4)
    names = {"notebook": lab, "assignment": lab, "student": student, "db_url": db_url}
    resources = {"nbgrader": names, "unique_key": lab, "metadata": {"name": lab}}
    try:
        html, _ = exporter().from_notebook_node(nb, resources)
    except Exception:
        # Something in this notebook cannot be shown; the scores can, and the class goes on.
        for cell in nb.cells:
            if not cell.metadata.get("nbgrader", {}).get("grade"):
                cell.outputs = [] if cell.cell_type == "code" else cell.get("outputs")
        html, _ = exporter().from_notebook_node(nb, resources)
    html = without_foreign_scripts(html)
    goal = feedback / student / lab / f"{lab}.html"
    goal.parent.mkdir(parents=True, exist_ok=True)
    temporary = goal.with_suffix(".writing")
    temporary.write_text(html, "utf-8")
    temporary.replace(goal)
    return goal
