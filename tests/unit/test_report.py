"""The class report: its numbers, its tables, and that no submission can break out of it."""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
from collections import Counter
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from autograder.report import (
    ItemStatistics,
    ReportPaths,
    clean,
    csv_text,
    item_statistics,
    json_for_script,
    terminal_table,
    write_report,
)
from autograder.results import CheckResult, Status, SubmissionResult

PAYLOADS = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    '"><img src=x onerror=alert(3)>',
    "' onmouseover='alert(4)",
    "{{ 7 * 7 }}{% raw %}",
    "line\u2028separator\u2029",
    "</title></style></textarea><svg onload=alert(5)>",
    "&lt;b&gt; &amp;",
]


def check(
    name: str = "a",
    points: float = 1,
    most: float = 1,
    *,
    task: int = 1,
    status: Status | None = None,
    found: str = "",
    message: str = "",
    title: str = "Track a run",
) -> CheckResult:
    if status is None:
        status = Status.PASSED if points == most else Status.PARTIAL if points else Status.FAILED
    return CheckResult(name, task, title, points, most, status, message, found)


def submission(student: str, *checks: CheckResult, **more) -> SubmissionResult:
    return SubmissionResult(student, "s1_lab", checks, **more)


def four() -> list[SubmissionResult]:
    """Four students on checks a (1 point), b (2) and c (2)."""
    rows = {"ann": (1, 2, 2), "bob": (1, 2, 0), "cem": (0, 0, 2), "dan": (0, 0, 0)}
    return [
        submission(name, check("a", a), check("b", b, 2), check("c", c, 2, task=2))
        for name, (a, b, c) in rows.items()
    ]


def stat(results: list[SubmissionResult], name: str) -> ItemStatistics:
    return next(stat for stat in item_statistics(results) if stat.name == name)


def report(results: list[SubmissionResult], folder: Path, **more) -> ReportPaths:
    return write_report(results, folder, **{"title": "First steps", **more})


def page(results: list[SubmissionResult], folder: Path, **more) -> str:
    return report(results, folder, **more).html.read_text("utf-8")


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


class Reader(HTMLParser):
    """Collects the elements of a page, its text by element, and the cells of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.sections: dict[str, list[list[str]]] = {}
        self._section, self._script, self._cell = "", False, False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs)["id"]
            self.sections[self._section] = []
        elif tag == "tr":
            self.sections[self._section].append([])
        elif tag in ("td", "th"):
            self.sections[self._section][-1].append("")
            self._cell = True
        elif tag == "script":
            self._script = True
            self.scripts.append("")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._cell = False
        elif tag == "script":
            self._script = False

    def handle_data(self, data):
        if self._script:
            self.scripts[-1] += data
        elif self._cell:
            self.sections[self._section][-1][-1] += data

    @property
    def data(self) -> dict:
        return json.loads(self.scripts[0])


# --- Statistics --------------------------------------------------------------------------------


def test_difficulty_is_the_mean_share_of_points():
    results = [submission(str(n), check("a", points, 4)) for n, points in enumerate((4, 3, 1, 0))]
    assert stat(results, "a").difficulty == pytest.approx(0.5)


def test_discrimination_leaves_the_check_itself_out_of_the_total():
    # a = 1 1 0 0 and b + c = 4 2 2 0: covariance 2, sums of squares 1 and 8.
    # With a left in the total it would be 3 / sqrt(13) = 0.83.
    assert stat(four(), "a").discrimination == pytest.approx(2 / math.sqrt(8))
    # c = 2 0 2 0 and a + b = 3 3 0 0 have nothing to do with each other.
    assert stat(four(), "c").discrimination == pytest.approx(0)


def test_a_check_that_strong_students_fail_is_called_backwards():
    results = [
        submission(str(n), check("a", points), check("b", 1 - points))
        for n, points in enumerate((1, 1, 0, 0))
    ]
    assert stat(results, "a").discrimination == pytest.approx(-1)
    assert "backwards" in stat(results, "a").remark


@pytest.mark.parametrize(
    "results",
    [
        four()[:2],
        [submission(str(n), check("a", 1), check("b", n, 4)) for n in range(4)],
        [submission(str(n), check("a", n, 4), check("b", 1)) for n in range(4)],
        [submission(str(n), check("a", n, 4)) for n in range(4)],
        # 0.1 + 0.2 and 0.3 differ by rounding only, which is no variance.
        [
            submission(str(n), check("a", n, 4), check("b", b), check("c", c))
            for n, (b, c) in enumerate([(0.1, 0.2), (0.3, 0), (0.15, 0.15)])
        ],
    ],
    ids=["two students", "check never varies", "rest never varies", "no rest", "rounding"],
)
def test_discrimination_is_undefined_without_students_or_variance(results, tmp_path):
    assert stat(results, "a").discrimination is None
    rows = Reader(page(results, tmp_path)).sections["checks"]
    assert next(row for row in rows if row[0] == "a")[5] == "–"


@pytest.mark.parametrize("status", [Status.NOT_GRADED, Status.NEEDS_REVIEW])
def test_undecided_results_count_in_no_statistic(status):
    undecided = submission(
        "eve", check("a", 0, status=status), check("b", 2, 2), check("c", 2, 2, task=2)
    )
    with_her, without = stat([*four(), undecided], "a"), stat(four(), "a")
    assert with_her.graded == without.graded == 4
    assert with_her.difficulty == without.difficulty
    assert with_her.discrimination == without.discrimination
    assert stat([*four(), undecided], "b").graded == 5


def test_a_check_nobody_decided_has_no_statistics():
    results = [
        submission(str(n), check("a", 0, status=Status.NOT_GRADED), check("b", n, 3))
        for n in range(4)
    ]
    found = stat(results, "a")
    assert (found.graded, found.difficulty, found.discrimination) == (0, None, None)
    assert found.remark == "not graded"


def test_a_missing_tool_does_not_make_a_student_look_weak():
    # b of the first is not graded.  On the rest, the first two are equally good (all of it), the
    # third has a quarter: with shares, a = 1 1 0 goes exactly along with it.
    results = [
        submission(
            "x", check("a", 1), check("b", 0, 2, status=Status.NOT_GRADED), check("c", 2, 2)
        ),
        submission("y", check("a", 1), check("b", 2, 2), check("c", 2, 2)),
        submission("z", check("a", 0), check("b", 1, 2), check("c", 0, 2)),
    ]
    assert stat(results, "a").discrimination == pytest.approx(1)


@pytest.mark.parametrize("placeholders", [True, False])
def test_a_submission_that_could_not_be_graded_is_no_evidence_about_a_check(placeholders):
    problem = "this is not a notebook"
    # The engine gives such a submission the shape of all checks; others may give it none.
    shapes = [
        CheckResult(name, 0, name, 0, most, Status.FAILED, problem, "not a gradable submission")
        for name, most in (("a", 1), ("b", 2), ("c", 2))
    ]
    broken = submission("eve", *(shapes if placeholders else ()), problem=problem)
    assert item_statistics([broken, *four()]) == item_statistics(four())


def test_a_failure_of_a_submission_with_an_odd_problem_still_counts():
    odd = submission("eve", check("a", 0, found="nothing", message="card"), problem="late")
    assert stat([*four(), odd], "a").graded == 5


def test_checks_are_told_apart_by_name_and_know_their_task_from_the_class():
    timeout = CheckResult("b", 0, "b", 0, 2, Status.TIMEOUT)  # no verdict, so no task
    results = [
        submission("eve", check("a"), timeout, check("c", 0, 2, task=2, title="Version")),
        *four(),
    ]
    found = item_statistics(results)
    assert [(s.name, s.task, s.title) for s in found] == [
        ("a", 1, "Track a run"),
        ("b", 1, "Track a run"),
        ("c", 2, "Track a run"),  # said by four, "Version" by one
    ]
    assert found[1].timeouts == 1


def test_a_check_whose_task_nobody_knows_keeps_its_place(tmp_path):
    unknown = CheckResult("m", 0, "m", 0, 1, Status.TIMEOUT)
    results = [submission("ann", check("a"), check("k", task=2), unknown, check("z", task=3))]
    assert [s.name for s in item_statistics(results)] == ["a", "k", "m", "z"]
    rows = Reader(page(results, tmp_path)).sections["checks"]
    assert next(row for row in rows if row[0] == "m")[1] == "–"


def test_the_three_most_common_wrong_findings_with_ties_in_a_fixed_order():
    texts = ["x"] * 2 + ["b", "a"] + ["no  run\nthere"] * 3 + ["no run there"]
    results = [submission(str(n), check("a", 0, found=text)) for n, text in enumerate(texts)]
    results.append(submission("p", check("a", 1, found="not a wrong finding")))
    assert stat(results, "a").findings == (("no run there", 4), ("x", 2), ("a", 1))
    assert stat(results[::-1], "a").findings == stat(results, "a").findings


def test_remarks():
    rows = [(1, 0, 1, 1), (1, 0, 0, 1), (1, 0, 1, 0), (1, 0, 0, 0)]
    names = ("all", "none", "half", "other")
    results = [
        submission(str(n), *(check(name, p) for name, p in zip(names, row, strict=True)))
        for n, row in enumerate(rows)
    ]
    remarks = {s.name: s.remark for s in item_statistics(results)}
    assert remarks == {
        "all": "everyone has full points",
        "none": "hardest; nobody has points",
        "half": "does not separate",
        "other": "does not separate",
    }
    assert stat(four(), "a").remark == "separates well"  # none is harder than the others
    assert stat(four()[:2], "c").remark == "hardest; too few to judge"


def test_a_check_without_points_is_no_division_by_zero(tmp_path):
    results = [submission(str(n), check("a", 0, 0), check("b", n, 3)) for n in range(4)]
    assert stat(results, "a").difficulty is None
    assert stat(results, "a").remark == "carries no points"
    report(results, tmp_path)


# --- The tables --------------------------------------------------------------------------------


def test_csv_round_trip(tmp_path):
    paths = report(four(), tmp_path)
    assert [path.name for path in (paths.html, paths.csv, paths.checks_csv)] == [
        "s1_lab.html",
        "s1_lab.csv",
        "s1_lab_checks.csv",
    ]
    rows = read_csv(paths.csv)
    assert rows[1] == {
        "student": "bob",
        "points": "3",
        "max": "5",
        "percent": "60.0",
        "a": "1",
        "b": "2",
        "c": "0",
        "problem": "",
    }
    long = read_csv(paths.checks_csv)
    assert list(long[0]) == [
        *("student", "check", "task", "title", "points", "max", "status", "found"),
    ]
    assert len(long) == 4 * 3
    for row in rows:
        mine = [float(entry["points"]) for entry in long if entry["student"] == row["student"]]
        assert sum(mine) == float(row["points"])


def test_csv_keeps_text_with_separators_quotes_and_other_alphabets(tmp_path):
    found = 'no "run", none;\nЛена、东京 ü'
    paths = report([submission('Zoë, "Z" O\'Hara', check("a", 0, found=found))], tmp_path)
    assert read_csv(paths.checks_csv)[0]["found"] == found
    assert read_csv(paths.csv)[0]["student"] == 'Zoë, "Z" O\'Hara'


def test_fractions_of_points_come_without_noise(tmp_path):
    paths = report([submission("ann", check("a", 0.1), check("b", 0.2))], tmp_path)
    row = read_csv(paths.csv)[0]
    assert (row["points"], row["percent"]) == ("0.3", "15.0")


def test_a_submission_without_checks_is_zero_of_the_labs_maximum_everywhere(tmp_path):
    broken = submission("eve", problem="this is not a notebook")
    paths = report([*four(), broken], tmp_path)
    row = read_csv(paths.csv)[-1]
    assert (row["student"], row["points"], row["max"], row["percent"]) == ("eve", "0", "5", "0.0")
    assert (row["a"], row["problem"]) == ("0", "this is not a notebook")
    long = [entry for entry in read_csv(paths.checks_csv) if entry["student"] == "eve"]
    assert [(e["check"], e["points"], e["max"], e["status"], e["found"]) for e in long] == [
        ("a", "0", "1", "no result", "this is not a notebook"),
        ("b", "0", "2", "no result", "this is not a notebook"),
        ("c", "0", "2", "no result", "this is not a notebook"),
    ]
    sections = Reader(paths.html.read_text("utf-8")).sections
    assert ["eve", "0", "0", "∅", "∅", "∅"] in sections["heat"]
    assert ["eve", "0", "0 of 3", "this is not a notebook"] in sections["problems"]
    assert ["eve", "0", "problem: this is not a notebook"] in sections["stuck"]


def test_a_class_where_nobody_could_be_graded(tmp_path):
    results = [submission(name, problem="empty file") for name in ("ann", "bob")]
    paths = report(results, tmp_path)
    assert read_csv(paths.csv)[0]["percent"] == ""
    assert ["ann", "0", "–"] in Reader(paths.html.read_text("utf-8")).sections["heat"]
    assert item_statistics(results) == []


def test_not_graded_is_said_in_every_table(tmp_path):
    results = [submission("ann", check("a", 0, status=Status.NOT_GRADED), check("b", 1))]
    paths = report(results, tmp_path)
    assert read_csv(paths.csv)[0]["a"] == "NOT GRADED"
    assert read_csv(paths.checks_csv)[0]["status"] == "not graded"
    sections = Reader(paths.html.read_text("utf-8")).sections
    assert sections["heat"][-1] == ["ann", "1", "50", "–", "✔"]
    assert ["a", "1 · Track a run", "not graded", "1", "ann"] in sections["open"]


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "  '=1"),
        ("\t=1", "\t'=1"),
        ("＝1", "'＝1"),
        ("a\n=1", "a\n'=1"),
        ("a;=1", "a;'=1"),
        ("a = 1, b-1 and c@d", "a = 1, b-1 and c@d"),
        ("", ""),
    ],
)
def test_a_spreadsheet_finds_no_formula(text, guarded):
    assert csv_text(text) == guarded


def test_every_text_of_the_tables_is_guarded(tmp_path):
    evil = "=cmd|' /C calc'!A0"
    results = [
        submission(evil, check(evil, 0, found=evil, title=evil), problem=evil),
        submission("-" + evil, check(evil, -1)),
    ]
    paths = report(results, tmp_path)
    for path in (paths.csv, paths.checks_csv):
        with path.open(encoding="utf-8", newline="") as lines:
            cells = list(itertools.chain.from_iterable(csv.reader(lines)))
        # A negative number is a number; everything else must not start like a formula.
        texts = [cell for cell in cells if not re.fullmatch(r"-?[\d.]+", cell)]
        assert any("cmd" in cell for cell in texts)
        assert not [cell for cell in texts if cell.startswith(("=", "+", "-", "@"))]


def test_students_are_ordered_by_name_as_people_do(tmp_path):
    names = ["Zoe", "émile", "Łucja", "ann", "Björn", "Élodie", "Mona"]
    rows = read_csv(report([submission(name, check()) for name in names], tmp_path).csv)
    assert [row["student"] for row in rows] == [
        *("ann", "Björn", "Élodie", "émile", "Łucja", "Mona", "Zoe"),
    ]


# --- Hostile text ------------------------------------------------------------------------------


def hostile(payload: str) -> list[SubmissionResult]:
    bad = check(payload, 0, found=payload, message=payload + "\nsecond line", title=payload)
    late = check("late", 0, status=Status.TIMEOUT)
    return [
        submission(payload, bad, late, problem=payload, notes=(payload,)),
        submission("ann", check(payload, 1), check("late", 1)),
    ]


def shape(reader: Reader) -> Counter[tuple[str, tuple[str, ...]]]:
    return Counter((tag, tuple(sorted(attrs))) for tag, attrs in reader.tags)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_becomes_markup(payload, tmp_path):
    ordinary = Reader(page(hostile("eve"), tmp_path / "1", title="eve"))
    attacked = Reader(page(hostile(payload), tmp_path / "2", title=payload))
    # The same elements with the same attributes (by name): nothing was added or taken away.
    assert shape(attacked) == shape(ordinary)
    assert len(attacked.scripts) == 2
    shown = " ".join(payload.split())
    assert shown in [row[0] for row in attacked.data["rows"]]
    assert shown in [row[0] for row in attacked.sections["heat"]]


def test_the_data_cannot_end_its_script(tmp_path):
    text = str(json_for_script({"a": "</script><!--&\u2028\u2029"}))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": "</script><!--&\u2028\u2029"}


def test_control_characters_and_half_characters_break_nothing(tmp_path):
    name = "eve\x00\x1b[31m\ud800\x85"
    paths = report([submission(name, check("a", 0, found=name, message=name))], tmp_path)
    for path in (paths.html, paths.csv, paths.checks_csv):
        text = path.read_text("utf-8")
        assert "eve\ufffd\ufffd[31m\ufffd\ufffd" in text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def test_a_gigantic_message_is_cut(tmp_path):
    results = [submission(str(n), check("a", 0, found="x" * 10**6, message="y" * 10**6 + str(n)))
               for n in range(3)]  # fmt: skip
    assert report(results, tmp_path).html.stat().st_size < 120_000
    assert clean("x" * 50, 10) == "x" * 10 + " …"


def test_a_lab_name_does_not_leave_the_folder(tmp_path):
    results = [replace(result, lab="../../etc/x y") for result in four()]
    paths = report(results, tmp_path / "out")
    assert paths.html.parent == paths.csv.parent == tmp_path / "out"
    assert paths.html.name == "etc_x_y.html"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_terminal_shows_names_literally():
    name = "[red]eve[/red]\x1b]0;owned\x07"
    results = [*four(), submission(name, problem="[bold]no[/bold]")]
    console = Console(width=120, force_terminal=False, record=True)
    with console.capture() as capture:
        console.print(terminal_table(results))
    lines = capture.get()
    assert "\x1b" not in lines and "\x07" not in lines
    row = next(line for line in lines.splitlines() if "eve" in line)
    assert "[red]eve[/red]" in row and "[bold]no[/bold]" in row and "0 / 5" in row
    assert re.search(r"bob\s.*3 / 5\s.*60\s", lines)


# --- The page ----------------------------------------------------------------------------------


def test_the_page_asks_the_network_for_nothing(tmp_path):
    text = page(four(), tmp_path)
    assert not re.search(r"https?:|\bsrc=|url\(|@import|<link|<iframe|<base", text)
    policy = next(attrs for _, attrs in Reader(text).tags if "http-equiv" in attrs)["content"]
    assert policy.startswith("default-src 'none'; ")


def test_header_and_date_come_from_the_caller(tmp_path):
    text = page(four(), tmp_path, title="Lab <1>", made=date(2026, 3, 4))
    assert '<time datetime="2026-03-04">4 March 2026</time>' in text
    assert "<h1>Lab &lt;1&gt;</h1>" in text
    assert "<time" not in page(four(), tmp_path)
    # Points 5, 3, 2, 0.
    assert "<dd>2.5 <small>of 5</small></dd>" in text
    assert "<dd>2.5 <small>50 %</small></dd>" in text


def test_the_same_results_make_the_same_files(tmp_path):
    one = report([*four(), submission("eve", problem="late")], tmp_path / "1")
    two = report([submission("eve", problem="late"), *four()[::-1]], tmp_path / "2")
    for name in ("html", "csv", "checks_csv"):
        assert getattr(one, name).read_bytes() == getattr(two, name).read_bytes()


def test_the_plot_counts_everybody_and_full_points_belong_to_the_last_bar(tmp_path):
    results = [submission(str(n), check("a", n % 11, 10)) for n in range(33)]
    text = page(results, tmp_path)
    bars = re.findall(r"<rect class=\"bar\".*?<title>(.*?)</title>", text)
    assert len(bars) == 10
    assert bars[0] == "0 to under 1 points: 3 submissions"
    assert bars[-1] == "9 to 10 points: 6 submissions"
    assert sum(int(re.search(r": (\d+)", bar)[1]) for bar in bars) == 33
    assert "Points (of 10)</text>" in text and "Submissions (number)</text>" in text


@pytest.mark.parametrize("points", [[0], [5], [0, 0, 0], [-1, 2], [12, 3], [0.25, 0.5]])
def test_the_plot_holds_for_odd_classes(points, tmp_path):
    results = [submission(str(n), check("a", p, 5)) for n, p in enumerate(points)]
    bars = re.findall(r'<rect class="bar" x="(.*?)" y="(.*?)" width="(.*?)" height="(.*?)">.*?'
                      r": (\d+) submission", page(results, tmp_path))  # fmt: skip
    assert sum(int(bar[-1]) for bar in bars) == len(points)
    for bar in bars:
        x, y, width, height = map(float, bar[:4])
        assert 50 <= x < x + width <= 708
        assert 40 <= y <= y + height <= 206.2


def test_cells_say_the_outcome_by_sign_and_the_share_by_shade(tmp_path):
    outcomes = [
        check("full", 3, 3),
        check("most", 2.5, 3),
        check("half", 1.5, 3),
        check("some", 0.5, 3),
        check("none", 0, 3),
        check("late", 0, 3, status=Status.TIMEOUT),
        check("wait", 0, 3, status=Status.NEEDS_REVIEW),
        check("tool", 0, 3, status=Status.NOT_GRADED),
    ]
    text = page([submission("ann", *outcomes)], tmp_path)
    row = re.search(r'<tr><th scope="row" class="who">ann.*?</tr>', text)[0]
    cells = re.findall(r'<td class="(\w)(\d?)[ f]*">(.*?)</td>', row)
    assert [(shade + depth, sign) for shade, depth, sign in cells if "svg" not in sign] == [
        *(("s0", "✔"), ("s1", "◐"), ("s2", "◐"), ("s3", "◐"), ("s4", "✘"), ("r", "?"), ("n", "–")),
    ]
    assert cells[5][:2] == ("s", "4") and "⏱" in cells[5][2]


def test_who_is_stuck_and_why(tmp_path):
    results = [
        submission(f"s{n:02}", check("a", 1), check("b", n / 20, task=2), check("c", 1, task=3))
        for n in range(1, 20)
    ]
    low = submission("low", check("a", 0.5), check("b", 0, task=2), check("c", 0, task=3))
    odd = submission("top", check("a"), check("b", task=2), check("c", task=3), problem="late")
    rows = Reader(page([*results, low, odd], tmp_path)).sections["stuck"][1:]
    assert rows == [
        ["low", "0.5", "lowest tenth of the class; no points after task 1"],
        ["s01", "2.05", "lowest tenth of the class; most lost in task 2 (0.95 points)"],
        ["s02", "2.1", "lowest tenth of the class; most lost in task 2 (0.9 points)"],
        ["top", "3", "problem: late"],
    ]


def test_nobody_is_stuck_in_a_class_that_did_equally_well(tmp_path):
    results = [submission(str(n), check("a", 1), check("b", 0)) for n in range(5)]
    assert Reader(page(results, tmp_path)).sections["stuck"] == []


def test_time_outs_and_notes_name_the_students(tmp_path):
    results = four()
    late = replace(results[0].checks[0], points=0, status=Status.TIMEOUT)
    results[0] = replace(results[0], checks=(late, *results[0].checks[1:]), notes=("late", "late"))
    results[2] = replace(results[2], notes=("odd", "late"))
    sections = Reader(page(results, tmp_path)).sections
    assert sections["late"][1:] == [["a", "1 · Track a run", "1", "ann"]]
    assert sections["notes"][1:] == [["late", "2", "ann, cem"], ["odd", "1", "cem"]]


def test_repeated_texts_are_kept_once(tmp_path):
    message = "Looked at the experiment; " * 20
    results = [submission(f"{n}", check("a", 0, found="x", message=message)) for n in range(200)]
    assert page(results, tmp_path).count(message.strip()) == 1


def test_one_report_is_about_one_lab(tmp_path):
    with pytest.raises(ValueError, match="one lab"):
        report([*four(), replace(four()[0], lab="s2_lab")], tmp_path)
    with pytest.raises(ValueError, match="no submissions"):
        report([], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_report_and_no_litter(tmp_path, monkeypatch):
    paths = report(four(), tmp_path)
    before = paths.html.read_bytes()

    def full_disk(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        report(four()[:2], tmp_path)
    assert paths.html.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("s1_lab.csv", "s1_lab.html", "s1_lab_checks.csv"),
    ]
