"""One lab's results as a page to read and two tables to compute with.

Everything a student could have written (names, findings, messages, problems, notes) is treated
as hostile.  It is cleaned once, when the class is assembled, and after that each output has one
guard: Jinja's autoescape for the page, `json_for_script` for the data inside it, `textContent`
in its JavaScript, `csv_text` for the spreadsheets and `rich.text.Text` for the terminal.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import math
import os
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from rich.table import Table
from rich.text import Text

from autograder.results import CheckResult, Status, SubmissionResult

SYMBOLS = {
    Status.PASSED: "✔",
    Status.PARTIAL: "◐",
    Status.FAILED: "✘",
    Status.TIMEOUT: "⏱\ufe0e",  # the selector asks for the text shape, not the emoji
    Status.NEEDS_REVIEW: "?",
    Status.NOT_GRADED: "–",
}
NO_RESULT = "no result"
NO_RESULT_SYMBOL = "∅"

# A result nobody has decided yet says nothing about how hard a check is.
UNDECIDED = frozenset({Status.NOT_GRADED, Status.NEEDS_REVIEW})

FEWEST_FOR_DISCRIMINATION = 3
SEPARATES_WELL = 0.4
SEPARATES = 0.2
BACKWARDS = -0.1
COMMON_FINDINGS = 3
STUCK_SHARE = 0.1
MOST_BARS = 15

# A submission that prints a gigabyte must not become a report of a gigabyte.
LONGEST_NAME = 120
LONGEST_LINE = 1_000
LONGEST_MESSAGE = 6_000

# Letters that do not come apart into a plain one and an accent, for sorting names.
LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})
HARMFUL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class ReportPaths:
    """Where `write_report` put its files."""

    html: Path
    csv: Path
    checks_csv: Path


@dataclass(frozen=True)
class Item:
    """One check as the whole class met it."""

    name: str
    task: int
    title: str
    max_points: float


@dataclass(frozen=True)
class ItemStatistics:
    """How one check behaved over the class.

    ``graded`` is the number of decided results that ``difficulty`` and ``discrimination`` rest
    on; both are None where they are undefined.  ``findings`` holds the most common wrong
    findings with their counts.
    """

    name: str
    task: int
    title: str
    max_points: float
    graded: int
    difficulty: float | None
    discrimination: float | None
    remark: str
    findings: tuple[tuple[str, int], ...] = ()
    timeouts: int = 0


@dataclass(frozen=True)
class Row:
    """One submission, its checks lined up with the items of the lab (None: no result)."""

    result: SubmissionResult
    cells: tuple[CheckResult | None, ...]
    max_points: float

    @property
    def student(self) -> str:
        """The student's name."""
        return self.result.student

    @property
    def points(self) -> float:
        """Points earned."""
        return self.result.points

    @property
    def percent(self) -> float | None:
        """Points as a percentage of the lab's maximum; None if nothing could be earned."""
        return 100 * self.points / self.max_points if self.max_points else None


@dataclass(frozen=True)
class Classroom:
    """All submissions of one lab, by name, over the same items."""

    lab: str
    items: tuple[Item, ...]
    rows: tuple[Row, ...]
    max_points: float


@dataclass(frozen=True)
class Finding:
    """One line of a list in the report: whom it concerns, and what there is to say."""

    student: str
    points: float
    text: str


# --- Text --------------------------------------------------------------------------------------


def clean(text: str, longest: int = LONGEST_LINE) -> str:
    """Return the text without what could break a file or a terminal, cut to a length.

    Control characters (terminal escapes, NUL) and lone surrogates, which UTF-8 cannot hold,
    become U+FFFD.  Line breaks and tabs stay.
    """
    cut = str(text)[: longest + 1].replace("\r\n", "\n").replace("\r", "\n")
    kept = HARMFUL.sub("\ufffd", cut)
    return kept if len(kept) <= longest else kept[:longest] + " …"


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return the cleaned text with all white space folded to single spaces."""
    return " ".join(clean(text, longest).split())


def csv_text(text: str) -> str:
    """Return the text so that a spreadsheet does not take it for a formula.

    The apostrophe also goes after line breaks, tabs and semicolons: a spreadsheet set to a
    country that separates by semicolons starts a new cell there, whatever the quoting.
    """
    return re.sub(r"(^|[;\t\r\n])(\s*)(?=[=+\-@＝＋－＠])", r"\1\2'", text)


def json_for_script(data: object) -> Markup:
    """Return JSON that is safe between script tags.

    The HTML parser looks for ``</script`` and ``<!--`` without knowing about JSON, and U+2028
    and U+2029 end a line in older JavaScript; as escapes they are harmless and mean the same.
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # nothing in it can be read as HTML any more


def number(value: float | None, digits: int = 2) -> str:
    """Return a number for reading, without trailing zeros; a dash if there is none."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text.replace("-", "\N{MINUS SIGN}")


def _plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _name_key(name: str) -> tuple[str, str]:
    plain = unicodedata.normalize("NFKD", name).casefold().translate(LETTERS)
    return "".join(c for c in plain if not unicodedata.combining(c)), name


def _file_stem(lab: str) -> str:
    return re.sub(r"[^\w.-]+", "_", lab).strip("._") or "lab"


# --- The class ---------------------------------------------------------------------------------


def _clean_check(check: CheckResult) -> CheckResult:
    return replace(
        check,
        name=one_line(check.name),
        title=one_line(check.title),
        message=clean(check.message, LONGEST_MESSAGE).strip("\n"),
        found=clean(check.found).strip(),
    )


def _clean_result(result: SubmissionResult) -> SubmissionResult:
    return replace(
        result,
        student=one_line(result.student, LONGEST_NAME) or "(no name)",
        checks=tuple(_clean_check(c) for c in result.checks if not _stands_in(c, result)),
        problem=one_line(result.problem),
        notes=tuple(note for text in result.notes if (note := one_line(text))),
    )


def _stands_in(check: CheckResult, result: SubmissionResult) -> bool:
    """Tell whether this is only the shape of a check that never ran.

    A submission that cannot be graded may carry every check of the lab, without points and
    with the submission's problem as message.  To the report that is the same as none at all:
    it must not count as a finding, nor as evidence about the check.
    """
    return bool(result.problem) and not check.points and check.message == result.problem


def _items(results: Iterable[SubmissionResult]) -> tuple[Item, ...]:
    """Collect the checks of the lab, by task and within a task in the order they ran.

    A check that ended without a verdict (an error, a time-out) does not know its task and says
    0, so the task is what most of the class has there.  Where nobody got as far, it stays 0,
    and the check keeps its place after the one before it.
    """
    met: dict[str, list[CheckResult]] = {}
    for result in sorted(results, key=lambda result: -len(result.checks)):
        for check in result.checks:
            met.setdefault(one_line(check.name), []).append(check)
    placed, before = [], 0
    for name, checks in met.items():
        known = Counter((check.task, one_line(check.title)) for check in checks if check.task > 0)
        task, title = known.most_common(1)[0][0] if known else (0, "")
        before = task or before
        placed.append((before, Item(name, task, title, max(c.max_points for c in checks))))
    return tuple(item for _, item in sorted(placed, key=lambda pair: pair[0]))


def assemble(results: Iterable[SubmissionResult]) -> Classroom:
    """Line up all submissions of one lab by student's name over the same checks.

    The maximum is the lab's for everybody, so a submission without any check stands at zero
    of it rather than at zero of zero.
    """
    results = list(results)
    labs = sorted({result.lab for result in results})
    if len(labs) > 1:
        raise ValueError(f"a report is about one lab, but these results are of {labs}")
    items = _items(results)
    most = sum(item.max_points for item in items)
    rows = []
    for result in sorted(map(_clean_result, results), key=lambda r: _name_key(r.student)):
        by_name = {check.name: check for check in result.checks}
        rows.append(Row(result, tuple(by_name.get(item.name) for item in items), most))
    return Classroom(labs[0] if labs else "", items, tuple(rows), most)


# --- Statistics --------------------------------------------------------------------------------


def item_statistics(results: Iterable[SubmissionResult]) -> list[ItemStatistics]:
    """Return how hard each check was and how well it separates, in the order of the lab.

    Only decided results count.  One that is missing, because the submission as a whole could
    not be graded, is no evidence about the check: counted as zero on every check, such
    submissions would make all checks look harder and all of them look as if they separated.
    """
    return _statistics(assemble(results))


def _statistics(room: Classroom) -> list[ItemStatistics]:
    found = [_one_item(room, column) for column in range(len(room.items))]
    known = [stat.difficulty for stat in found if stat.difficulty is not None]
    lowest = min(known) if len(set(known)) > 1 else None
    return [
        replace(stat, remark=f"hardest; {stat.remark}".removesuffix("; "))
        if stat.difficulty is not None and stat.difficulty == lowest
        else stat
        for stat in found
    ]


def _one_item(room: Classroom, column: int) -> ItemStatistics:
    item = room.items[column]
    cells = [cell for row in room.rows if (cell := row.cells[column])]
    graded = [cell for cell in cells if cell.status not in UNDECIDED]
    shares = [cell.points / cell.max_points for cell in graded if cell.max_points]
    difficulty = statistics.fmean(shares) if shares else None
    pairs = [pair for row in room.rows if (pair := _item_and_rest(row, column))]
    discrimination = _correlation(pairs)
    return ItemStatistics(
        name=item.name,
        task=item.task,
        title=item.title,
        max_points=item.max_points,
        graded=len(graded),
        difficulty=difficulty,
        discrimination=discrimination,
        remark=_remark(item, len(graded), difficulty, discrimination),
        findings=_common_findings(cells),
        timeouts=sum(cell.status is Status.TIMEOUT for cell in cells),
    )


def _item_and_rest(row: Row, column: int) -> tuple[float, float] | None:
    """Return the share of points on one check and on all other decided ones of a submission.

    Shares instead of points change nothing where everything is graded, and keep a student
    whose other check could not be graded from looking weak.
    """
    cell = row.cells[column]
    if cell is None or cell.status in UNDECIDED or not cell.max_points:
        return None
    others = [
        other
        for place, other in enumerate(row.cells)
        if place != column and other and other.status not in UNDECIDED
    ]
    rest = sum(other.max_points for other in others)
    if not rest:
        return None
    return cell.points / cell.max_points, sum(other.points for other in others) / rest


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return Pearson's correlation, or None for too few pairs or a side that never varies."""
    if len(pairs) < FEWEST_FOR_DISCRIMINATION:
        return None
    xs, ys = zip(*pairs, strict=True)
    if max(xs) - min(xs) < 1e-9 or max(ys) - min(ys) < 1e-9:  # rounding is not variance
        return None
    return statistics.correlation(xs, ys)


def _remark(item: Item, graded: int, difficulty: float | None, separates: float | None) -> str:
    if not graded:
        return "not graded"
    if not item.max_points:
        return "carries no points"
    if difficulty is not None and difficulty >= 1:
        return "everyone has full points"
    if difficulty is not None and difficulty <= 0:
        return "nobody has points"
    if graded < FEWEST_FOR_DISCRIMINATION:
        return "too few to judge"
    if separates is None:
        return ""
    if separates <= BACKWARDS:
        return "backwards: stronger students lose points here"
    if separates < SEPARATES:
        return "does not separate"
    return "separates well" if separates >= SEPARATES_WELL else ""


def _common_findings(cells: Iterable[CheckResult]) -> tuple[tuple[str, int], ...]:
    counts = Counter(
        " ".join(cell.found.split())
        for cell in cells
        if cell.found and cell.status is not Status.PASSED
    )
    # Ties go by text, so that the same results always make the same report.
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(ranked[:COMMON_FINDINGS])


# --- Who needs a look --------------------------------------------------------------------------


def _stuck(room: Classroom) -> list[Finding]:
    """Name the lowest tenth of the class and every submission with a problem, lowest first."""
    if not room.rows:
        return []
    points = sorted(row.points for row in room.rows)
    cutoff = points[math.ceil(len(points) * STUCK_SHARE) - 1]
    median = statistics.median(points)
    found = []
    for row in room.rows:
        # Below the median: in a class that all did equally well, nobody is at the bottom.
        low = row.points <= cutoff and row.points < median
        if low or row.result.problem:
            found.append(Finding(row.student, row.points, _why_stuck(row, room, low)))
    return sorted(found, key=lambda finding: finding.points)


def _why_stuck(row: Row, room: Classroom, low: bool) -> str:
    reasons = [f"problem: {row.result.problem}"] if row.result.problem else []
    if not row.result.checks:
        return "; ".join(reasons) or "no check ran"
    if low:
        reasons.append("lowest tenth of the class")
        reasons += _where_points_end(row, room)
        late = sum(check.status is Status.TIMEOUT for check in row.result.checks)
        reasons += [_plural(late, "time-out")] if late else []
    return "; ".join(reasons)


def _where_points_end(row: Row, room: Classroom) -> list[str]:
    """Say after which task a submission earned nothing more, or else where it lost the most."""
    decided = [
        (item.task, cell.points, item.max_points)
        for item, cell in zip(room.items, row.cells, strict=True)
        if cell and cell.status not in UNDECIDED and item.task
    ]
    if not decided:
        return []
    earned = [task for task, points, _ in decided if points > 0]
    if not earned:
        return ["no points in any task"]
    if max(earned) < max(task for task, _, _ in decided):
        return [f"no points after task {max(earned)}"]
    lost: Counter[int] = Counter()
    for task, points, most in decided:
        lost[task] += most - points
    task, points = max(lost.items(), key=lambda entry: entry[1])
    return [f"most lost in task {task} ({number(points)} points)"] if points > 0 else []


def _by_check(room: Classroom, statuses: Sequence[Status]) -> list[dict[str, Any]]:
    """List the checks that ended with one of the statuses, and for whom."""
    listed = []
    for column, item in enumerate(room.items):
        for status in statuses:
            cells = [(row.student, cell) for row in room.rows if (cell := row.cells[column])]
            students = [student for student, cell in cells if cell.status is status]
            everybody = 1 < len(cells) == len(students)
            if students:
                listed.append(
                    {"item": item, "status": status, "students": students, "everybody": everybody}
                )
    return listed


def _notes(room: Classroom) -> list[dict[str, Any]]:
    """List every note once, the most frequent first, with the students it was left for."""
    by_note: dict[str, list[str]] = {}
    for row in room.rows:
        for note in dict.fromkeys(row.result.notes):
            by_note.setdefault(note, []).append(row.student)
    listed = [{"text": text, "students": students} for text, students in by_note.items()]
    return sorted(listed, key=lambda note: -len(note["students"]))


# --- The plot ----------------------------------------------------------------------------------


def _round_step(span: float, most: int) -> float:
    """Return the smallest of 1, 2, 5, 10, … (also 0.1, 0.2, …) that needs at most `most` steps."""
    magnitude = 10 ** math.floor(math.log10(span / most))
    fitting = (f * magnitude for f in (1, 2, 5, 10) if span / (f * magnitude) <= most + 1e-9)
    return next(fitting)


def _histogram(points: Sequence[float], max_points: float) -> dict[str, Any]:
    """Lay out the distribution of points in a 720 × 260 drawing."""
    low, high = min(0, *points), max(max_points, *points)
    step = _round_step(high - low, MOST_BARS) if high > low else 1.0
    low = math.floor(low / step + 1e-9) * step
    bars = max(1, math.ceil((high - low) / step - 1e-9))
    # The last bar includes its upper end: full points belong there, not in a bar of their own.
    counts = Counter(min(bars - 1, math.floor((p - low) / step + 1e-9)) for p in points)
    left, right, top, bottom = 52, 706, 44, 206
    wide, tallest = (right - left) / bars, max(counts.values())
    count_step = max(1, round(_round_step(tallest, 5)))
    unit = (bottom - top) / tallest

    def across(value: float) -> float:
        return round(left + (value - low) / step * wide, 1)

    def mark(name: str, value: float, other: float) -> dict[str, Any]:
        x = across(value)
        to_left = value < other or (value == other and name == "median")
        to_left = x > left + 110 and (to_left or x > right - 110)
        return {"name": name, "value": value, "x": x, "to_left": to_left}

    median, mean = statistics.median(points), statistics.fmean(points)
    every = max(1, math.ceil(bars / 16))
    return {
        "bars": [
            {
                "x": round(left + place * wide + 1, 1),
                "width": round(wide - 2, 1),
                "y": round(bottom - counts[place] * unit, 1),
                "height": round(counts[place] * unit, 1),
                "middle": round(left + (place + 0.5) * wide, 1),
                "count": counts[place],
                "low": low + place * step,
                "high": low + (place + 1) * step,
                "last": place == bars - 1,
            }
            for place in range(bars)
        ],
        "across": [
            {"x": round(left + place * wide, 1), "value": low + place * step}
            for place in range(0, bars + 1, every)
        ],
        "up": [
            {"y": round(bottom - count * unit, 1), "value": count}
            for count in range(0, tallest + 1, count_step)
        ],
        "marks": [mark("median", median, mean), mark("mean", mean, median)],
    }


# --- The page ----------------------------------------------------------------------------------


def _look(cell: CheckResult | None) -> tuple[str, str]:
    """Return the CSS class (the shade) and the symbol of one cell of the heat map."""
    if cell is None:
        return "m", NO_RESULT_SYMBOL
    symbol = SYMBOLS[cell.status]
    if cell.status is Status.NOT_GRADED:
        return "n", symbol
    if cell.status is Status.NEEDS_REVIEW:
        return "r", symbol
    passed = cell.status is Status.PASSED
    share = cell.points / cell.max_points if cell.max_points else float(passed)
    # Any point lost leaves the palest shade, and only a cell without points has the darkest.
    lost = min(max(1 - share, 0), 1)
    return f"s{0 if lost < 1e-9 else 4 if lost > 1 - 1e-9 else 1 + int(lost * 3)}", symbol


class _Pool:
    """Gives every distinct value one number, so that a text repeated 300 times is kept once."""

    def __init__(self) -> None:
        self._places: dict[Any, int] = {}

    def place(self, value: Any) -> int:
        return self._places.setdefault(value, len(self._places))

    def values(self) -> list[Any]:
        return list(self._places)


def _page_data(room: Classroom) -> dict[str, Any]:
    """Return what the page's JavaScript reads: texts and cells once, rows as numbers."""
    texts, cards = _Pool(), _Pool()
    statuses = list(Status)

    def card(cell: CheckResult | None, most: float, problem: str) -> int:
        if cell is None:
            return cards.place((len(statuses), 0, most, texts.place(problem), texts.place("")))
        # The message wraps its lines, so the finding may be in it with other white space.
        known = " ".join(cell.found.split()) in " ".join(cell.message.split())
        found = "" if known else cell.found
        place = statuses.index(cell.status), round(cell.points, 4), round(cell.max_points, 4)
        return cards.place((*place, texts.place(cell.message), texts.place(found)))

    rows = [
        [
            row.student,
            round(row.points, 4),
            texts.place(row.result.problem),
            [texts.place(note) for note in row.result.notes],
            round(row.result.seconds, 1),
            [
                card(cell, round(item.max_points, 4), row.result.problem)
                for cell, item in zip(row.cells, room.items, strict=True)
            ],
        ]
        for row in room.rows
    ]
    return {
        "max": round(room.max_points, 4),
        "statuses": [*(status.value for status in statuses), NO_RESULT],
        "undecided": [statuses.index(status) for status in statuses if status in UNDECIDED],
        "items": [[item.name, _task(item)] for item in room.items],
        "texts": texts.values(),
        "cards": cards.values(),
        "rows": rows,
    }


def _task(item: Item | ItemStatistics) -> str:
    """Return number and title of the task a check belongs to, a dash if it is not known."""
    return " · ".join([str(item.task or "–"), *([item.title] if item.title else [])])


def _tasks(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Group the columns of the heat map by task number, with the distinct titles inside."""
    groups = [(task, list(inside)) for task, inside in groupby(items, key=lambda i: i.task)]
    return [
        {
            "task": task or "–",
            "width": len(inside),
            "title": " / ".join(dict.fromkeys(item.title for item in inside if item.title)),
        }
        for task, inside in groups
    ]


def _csp_hash(text: str) -> str:
    """Return the name under which a content security policy admits exactly this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(str(text).encode()).digest()).decode()


def _heat_rows(room: Classroom) -> list[dict[str, Any]]:
    firsts = {0}  # columns where a new task begins get a wider gap
    firsts |= {
        place
        for place in range(1, len(room.items))
        if room.items[place].task != room.items[place - 1].task
    }
    rows = []
    for row in room.rows:
        looks = [_look(cell) for cell in row.cells]
        cells = [(f"{css} f" if at in firsts else css, sym) for at, (css, sym) in enumerate(looks)]
        rows.append({"row": row, "cells": cells})
    return rows


def _page(room: Classroom, title: str, made: date | None) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "csp_hash": _csp_hash,
        "plural": _plural,
        "task": _task,
    }
    points = [row.points for row in room.rows]
    stats = _statistics(room)
    opened = _by_check(room, [Status.NEEDS_REVIEW, Status.NOT_GRADED])
    late = _by_check(room, [Status.TIMEOUT])
    legend = [(SYMBOLS[status], status.value) for status in SYMBOLS]
    return environment.get_template("report.html.j2").render(
        lab=one_line(room.lab),
        title=one_line(title),
        made=made,
        room=room,
        heat=_heat_rows(room),
        tasks=_tasks(room.items),
        points=points,
        median=statistics.median(points),
        mean=statistics.fmean(points),
        plot=_histogram(points, room.max_points),
        stats=stats,
        hardest=[stat for stat in stats if stat.remark.startswith("hardest")],
        flat=[stat for stat in stats if _does_not_separate(stat)],
        stuck=_stuck(room),
        late=late,
        late_count=sum(len(entry["students"]) for entry in late),
        opened=opened,
        opened_count=sum(len(entry["students"]) for entry in opened),
        problems=[row for row in room.rows if row.result.problem],
        without=sum(not row.result.checks for row in room.rows),
        notes=_notes(room),
        separates=SEPARATES,
        separates_well=SEPARATES_WELL,
        clock=SYMBOLS[Status.TIMEOUT],
        legend=[*legend, (NO_RESULT_SYMBOL, NO_RESULT)],
        data=json_for_script(_page_data(room)),
    )


def _does_not_separate(stat: ItemStatistics) -> bool:
    return stat.discrimination is not None and stat.discrimination < SEPARATES


# --- The tables --------------------------------------------------------------------------------


def _csv(rows: Iterable[Sequence[object]]) -> str:
    """Return the rows as CSV, every text in them guarded."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in rows:
        writer.writerow(csv_text(value) if isinstance(value, str) else value for value in row)
    return buffer.getvalue()


def _plain(value: float) -> float | int:
    """Return the number without the noise of binary fractions, whole ones as integers."""
    rounded = round(value, 4)
    return int(rounded) if rounded == int(rounded) else rounded


def _cell_points(cell: CheckResult | None) -> float | str:
    """Return the points of one check, or words where there are none yet.

    A sum over the column skips the words, which it would not do with a zero, and a reader does
    not overlook them, which happens with an empty cell.
    """
    if cell is None:
        return 0
    return "NOT GRADED" if cell.status is Status.NOT_GRADED else _plain(cell.points)


def _students_csv(room: Classroom) -> str:
    rows: list[Sequence[object]] = [
        ["student", "points", "max", "percent", *(i.name for i in room.items), "problem"]
    ]
    for row in room.rows:
        cells = [_cell_points(cell) for cell in row.cells]
        percent = "" if row.percent is None else round(row.percent, 1)
        totals = [row.student, _plain(row.points), _plain(row.max_points), percent]
        rows.append([*totals, *cells, row.result.problem])
    return _csv(rows)


def _checks_csv(room: Classroom) -> str:
    rows: list[Sequence[object]] = [
        ["student", "check", "task", "title", "points", "max", "status", "found"]
    ]
    for row in room.rows:
        for item, cell in zip(room.items, row.cells, strict=True):
            points, status = (cell.points, cell.status.value) if cell else (0, NO_RESULT)
            found = cell.found if cell else row.result.problem
            about = [row.student, item.name, item.task, item.title]
            rows.append([*about, _plain(points), _plain(item.max_points), status, found])
    return _csv(rows)


def _write(path: Path, text: str) -> None:
    """Write the file under another name first: whoever opens it sees the old one or the new."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_report(
    results: Sequence[SubmissionResult], out: Path, *, title: str, made: date | None = None
) -> ReportPaths:
    """Write the report of one lab into a folder and return where its files are.

    The folder is made if need be.  ``made`` is the date the page carries: it is the caller's,
    so that the same results give the same file.  Raises ValueError without any result or with
    results of several labs.
    """
    if not results:
        raise ValueError("no submissions: there is nothing to report on")
    room = assemble(results)
    stem = _file_stem(room.lab)
    paths = ReportPaths(out / f"{stem}.html", out / f"{stem}.csv", out / f"{stem}_checks.csv")
    # All three are made before the first is written, so that a failure leaves no mixed set.
    texts = _page(room, title, made), _students_csv(room), _checks_csv(room)
    out.mkdir(parents=True, exist_ok=True)
    for path, text in zip((paths.html, paths.csv, paths.checks_csv), texts, strict=True):
        _write(path, text)
    return paths


def terminal_table(results: Iterable[SubmissionResult]) -> Table:
    """Return student, points, percent and problem of every submission for the terminal."""
    room = assemble(results)
    table = Table(title=Text(one_line(room.lab)) if room.lab else None)
    table.add_column("student")
    table.add_column("points", justify="right")
    table.add_column("%", justify="right")
    table.add_column("problem")
    for row in room.rows:
        points = f"{number(row.points)} / {number(row.max_points)}"
        # Text objects, because rich would read "[bold]" in a name as markup.
        cells = (row.student, points, number(row.percent, 0), row.result.problem)
        table.add_row(*(Text(cell) for cell in cells))
    return table
