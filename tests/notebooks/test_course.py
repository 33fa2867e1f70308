"""The reading of the course: every topic taught, every claim dated, every link alive."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nbformat
import pytest
from markdown_it import MarkdownIt
from nbformat import NotebookNode

from autograder import pages
from tests.conftest import COURSE, ROOT

TOPICS = tomllib.loads((COURSE.course / "topics.toml").read_text("utf-8"))
PENDING = set(TOPICS.pop("pending"))
STAGES = [name for name in pages.page_names(COURSE) if re.match(r"[1-6]_", name)]
#: The headings every stage notebook has, in this order; others may stand between them.
HEADINGS = [
    "You will be able to",
    "Five minutes: why",
    "Traps",
    "In a company",
    "In the cloud",
    "Check yourself",
    "Labs",
    "Products, checked",
    "Further reading",
]
CLAIMS = ["Product", "Owner", "Licence", "Status", "Version", "Checked"]


def page(name: str) -> NotebookNode:
    return nbformat.read(COURSE.course / f"{name}.ipynb", 4)


def tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


# --- Topics --------------------------------------------------------------------------------------


def claimed(cells: list[NotebookNode]) -> set[str]:
    """Return the topics that are claimed by a code cell which shows a result."""
    return {
        tag.removeprefix("topic:")
        for cell in cells
        if cell.cell_type == "code" and cell.outputs
        for tag in tags(cell)
        if tag.startswith("topic:")
    }


def mentioned(cells: list[NotebookNode]) -> set[str]:
    return {
        tag.removeprefix("topic:")
        for cell in cells
        for tag in tags(cell)
        if tag.startswith("topic:")
    }


@pytest.mark.parametrize("name", [name for name in TOPICS if name not in PENDING])
def test_every_topic_is_taught_by_a_cell_that_shows_something(name: str) -> None:
    taught = claimed(page(name).cells)
    assert [slug for slug in TOPICS[name] if slug not in taught] == []


@pytest.mark.parametrize("name", pages.page_names(COURSE))
def test_no_tag_names_a_topic_that_does_not_exist(name: str) -> None:
    known = {slug for topics in TOPICS.values() for slug in topics}
    assert mentioned(page(name).cells) - known == set()


def test_a_notebook_is_pending_only_until_it_exists() -> None:
    """When a stage comes in, its name leaves `pending` in course/topics.toml."""
    there = set(pages.page_names(COURSE))
    assert set(TOPICS) - there == PENDING


def test_a_topic_has_one_home() -> None:
    slugs = [slug for topics in TOPICS.values() for slug in topics]
    assert len(slugs) == len(set(slugs))


def test_text_alone_does_not_teach_a_topic() -> None:
    """Markdown, and code that shows nothing, claim nothing."""
    marked = {"metadata": {"tags": ["topic:spark"]}}
    silent = nbformat.v4.new_code_cell("x = 1", **marked)
    text = nbformat.v4.new_markdown_cell("Spark", **marked)
    assert claimed([silent, text]) == set()


# --- Structure -----------------------------------------------------------------------------------


def headings(nb: NotebookNode, level: str = "## ") -> list[str]:
    lines = [
        line
        for cell in nb.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
    ]
    return [line.removeprefix(level).strip() for line in lines if line.startswith(level)]


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_has_its_parts_in_order(name: str) -> None:
    found = [heading for heading in headings(page(name)) if heading in HEADINGS]
    assert found == HEADINGS


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_asks_three_to_six_questions_that_code_answers(name: str) -> None:
    cells = page(name).cells
    asked = [i for i, cell in enumerate(cells) if cell.source.startswith("### Question ")]
    assert 3 <= len(asked) <= 6
    assert all(cells[i + 1].cell_type == "code" and cells[i + 1].outputs for i in asked)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_can_be_run_small(name: str) -> None:
    (cell,) = [cell for cell in page(name).cells if "parameters" in tags(cell)]
    assert re.search(r"^SMALL = False\b", cell.source, re.M)


# --- Claims about products -----------------------------------------------------------------------


def claims(nb: NotebookNode) -> Iterator[dict[str, str]]:
    """Yield the rows of the tables in cells that are tagged `claims`."""
    for cell in nb.cells:
        if cell.cell_type != "markdown" or "claims" not in tags(cell):
            continue
        rows = [
            [part.strip() for part in line.strip().strip("|").split("|")]
            for line in cell.source.splitlines()
            if line.startswith("|")
        ]
        assert rows and rows[0] == CLAIMS, f"the table's columns are {' | '.join(CLAIMS)}"
        for row in rows[2:]:
            assert len(row) == len(CLAIMS), row
            yield dict(zip(CLAIMS, row, strict=True))


@pytest.mark.parametrize("name", STAGES)
def test_claims_about_products_are_dated(name: str) -> None:
    found = list(claims(page(name)))
    assert found
    for claim in found:
        assert all(claim.values()), claim
        assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", claim["Checked"]), claim
        assert claim["Checked"] <= f"{date.today():%Y-%m}", claim


# --- Links ---------------------------------------------------------------------------------------

PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")
ANCHOR = re.compile(r"""<a\s[^>]*(?:id|name)=["']([^"']+)["']""")
HREF = re.compile(r"""<(?:a|img)\s[^>]*(?:href|src)=["']([^"']+)["']""")
DOCUMENTS = [
    *(f"course/{name}.ipynb" for name in pages.page_names(COURSE)),
    *(f"labs/{lab}/{lab}.ipynb" for lab in COURSE.lab_names()),
    *sorted(str(p.relative_to(ROOT)) for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]),
]


def texts(path: Path) -> Iterator[str]:
    """Yield the Markdown of a document: the text itself, or a notebook's cells and results."""
    if path.suffix != ".ipynb":
        yield path.read_text("utf-8")
        return
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            yield cell.source
        for output in cell.get("outputs", ()):
            data: dict[str, Any] = output.get("data", {})
            yield data.get("text/markdown", "")


def links(text: str) -> Iterator[str]:
    yield from HREF.findall(text)
    for token in PARSER.parse(text):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield str(target)


def anchors(path: Path) -> set[str]:
    """Return what `#...` may name: headings, as GitHub or JupyterLab spell them, and `<a id>`."""
    found: set[str] = set()
    for text in texts(path):
        found |= set(ANCHOR.findall(text))
        tokens = PARSER.parse(text)
        for token, inline in pairwise(tokens):
            if token.type == "heading_open":
                plain = "".join(c.content for c in inline.children or ())
                found.add(re.sub(r"\s", "-", plain))
                found.add(re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", plain.lower())))
    return found


def dead_links(path: Path) -> list[str]:
    """Return the links of a document that lead nowhere inside the repository."""
    dead = []
    for target in (link for text in texts(path) for link in links(text)):
        if re.match(r"[a-z][a-z0-9+.-]*:|//", target):
            continue
        file, _, anchor = unquote(target).partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            dead.append(target)
    return dead


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_internal_link_is_dead(document: str) -> None:
    assert dead_links(ROOT / document) == []


def test_a_dead_link_is_caught(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](#one) [b](#two) [c](page.md) [d](gone.md) <a href='x.png'>x</a>\n")
    assert dead_links(page) == ["x.png", "#two", "gone.md"]
