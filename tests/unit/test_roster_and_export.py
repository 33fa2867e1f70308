"""Tables in and out: rosters as others write them, scores as others read them."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder import gradebook
from autograder.paths import Course, UserError
from autograder.teacher import late
from autograder.teacher.export import Form, export
from autograder.teacher.roster import Student, enrol, read_roster, students_of
from tests.conftest import ROOT, notebooks

LAB = "s2_git"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    for name in ("solutions", "labs"):
        (tmp_path / name).symlink_to(ROOT / name)
    return Course(tmp_path)


def _read(tmp_path: Path, text: str, encoding: str = "utf-8") -> list[Student]:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return read_roster(path)


# --- Rosters -----------------------------------------------------------------------------------


def test_a_plain_table(tmp_path: Path) -> None:
    (ada,) = _read(tmp_path, "id,last_name,first_name,email\nada,Lovelace,Ada,a@x.edu\n\n")
    assert (ada.id, ada.name, ada.email) == ("ada", "Ada Lovelace", "a@x.edu")


def test_canvas_gradebook(tmp_path: Path) -> None:
    students = _read(
        tmp_path,
        "Student,ID,SIS User ID,SIS Login ID,Section,HW (1)\n"
        "Points Possible,,,,,10\n"
        '"Lovelace, Ada",4100,u1,ada1,S,3\n'
        '"Student, Test",4199,,abc,S,\n',
    )
    assert students == [Student("ada1", "Lovelace", "Ada", "", "4100")]


def test_moodle_participants_and_worksheet(tmp_path: Path) -> None:
    (one,) = _read(tmp_path, "First name,Surname,Email address\nAda,Lovelace,ada@x.edu\n")
    assert one == Student("ada", "Lovelace", "Ada", "ada@x.edu")
    (two,) = _read(
        tmp_path,
        "Identifier,Full name,ID number,Email address,Status\n"
        "Participant 4100,Ada King Lovelace,u7,ada@x.edu,-\n",
    )
    assert two == Student("u7", "Lovelace", "Ada King", "ada@x.edu", "4100")


def test_as_excel_saves_it_in_western_europe(tmp_path: Path) -> None:
    (one,) = _read(tmp_path, "id;last_name;first_name\nfv;Viète;François\n", "cp1252")
    assert one.name == "François Viète"
    (two,) = _read(tmp_path, "\ufeffid\tlast_name\nfv\tViète\n")
    assert two == Student("fv", "Viète")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("name,grade\nAda,1\n", "no column says who a student is.*Found: name, grade"),
        ("id\n", "no student below"),
        ("id\nada\nAda\n", "'Ada' is there twice"),
        ("id,email\n,\nada,a@x\n,b\n", ""),
        ("id,name\n../ada,Ada\n", "line 2: the id '../ada' cannot name a folder"),
        ("id,name\n.ada,Ada\n", "cannot name a folder"),
        ("id,name\nada+1,Ada\n", "cannot name a folder"),
        ("id,name\nok,A\n,Ada\n", "line 3: this student has no id"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str, tmp_path: Path) -> None:
    if not says:
        assert [s.id for s in _read(tmp_path, text)] == ["ada", "b"]
        return
    with pytest.raises(UserError, match=says):
        _read(tmp_path, text)
    with pytest.raises(UserError, match="save it as CSV"):
        read_roster(tmp_path / "class.xlsx")


def test_entering_twice_changes_and_never_removes(course: Course) -> None:
    ada, blaise = Student("ada", "Lovelace", "Ada"), Student("blaise")
    first = enrol(course, [ada, blaise])
    assert (first.new, first.not_in_file) == (("ada", "blaise"), ())
    again = enrol(course, [Student("ada", "King", "Ada", also="countess"), Student("wu")])
    assert (again.new, again.not_in_file) == (("wu",), ("blaise",))
    assert [s.also for s in students_of(course)] == ["countess", ""]
    (course.root / "roster.csv").unlink()
    assert {s.id: s.last_name for s in students_of(course)} == {
        "ada": "King",
        "blaise": "",
        "wu": "",
    }


def test_no_class_yet(course: Course) -> None:
    with pytest.raises(UserError, match=r"autograder roster FILE\.csv"):
        students_of(course)
    with pytest.raises(UserError, match="autograder grade LAB"):
        export(course, [], Form.CSV, course.root / "x.csv")


# --- Scores ------------------------------------------------------------------------------------


@pytest.fixture
def graded(course: Course) -> Course:
    """A class of four: full points, one by hand, late, and nothing handed in."""
    enrol(
        course,
        [
            Student("ada", "Lovelace", "Ada", "ada@x.edu", "4100"),
            Student("=cmd", "Evil", "+1", "evil@x.edu", "4101"),
            Student("dorothy", "Hodgkin", "Dorothy", "d@x.edu", "4102"),
            Student("francois", "Viète", "François", "f@x.edu", "4103"),
        ],
    )
    gradebook.register(course, LAB, notebooks(LAB)[2])
    at = datetime(2026, 12, 2, 20, 15)
    with Gradebook(gradebook.url(course), gradebook.COURSE_ID) as book:
        for student in ("ada", "=cmd", "dorothy"):
            times = {"timestamp": at} if student == "dorothy" else {}
            book.add_submission(LAB, student, **times)
            for grade in book.find_submission_notebook(LAB, LAB, student).grades:
                grade.auto_score = grade.max_score
        book.db.commit()
    return course


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def _most(course: Course) -> float:
    with Gradebook(gradebook.url(course), gradebook.COURSE_ID) as book:
        return book.find_assignment(LAB).max_score


def test_plain_table(graded: Course) -> None:
    done = export(graded, [], Form.CSV, graded.root / "out" / "a.csv")
    rows = {row[0]: row for row in _rows(done.path)}
    most = f"{_most(graded):g}"
    assert rows["ada"][4:] == [most, most, "", most, most]
    assert rows["francois"][4] == "" and "'=cmd" in rows
    assert any("nothing handed in: francois" in note for note in done.notes)
    zero = export(graded, [LAB], Form.CSV, graded.root / "a.csv", zero=True)
    assert {row[0]: row[4] for row in _rows(zero.path)}["francois"] == "0"


def test_canvas_own_table_comes_back_with_scores_only(graded: Course) -> None:
    fill = graded.root / "canvas.csv"
    most = f"{_most(graded):g}"
    given = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Essay (1)", f"{LAB} (2)"],
        ["Points Possible", "", "", "", "", "9", most],
        ["Lovelace, Ada", "4100", "", "ada", "S", "7", ""],
        ["Viète, François", "4103", "", "francois", "S", "8", "5"],
        ["Hopper, Grace", "4999", "", "grace", "S", "6", ""],
    ]
    with fill.open("w", newline="") as file:
        csv.writer(file).writerows(given)
    done = export(graded, [LAB], Form.CANVAS, graded.root / "out.csv", fill=fill)
    rows = _rows(done.path)
    assert rows[2] == [*given[2][:6], most]
    assert rows[3:] == given[3:], "a score of ours is missing, so theirs stays"
    assert any("nobody of yours is 'Hopper, Grace'" in note for note in done.notes)
    assert any("no line for =cmd, dorothy" in note for note in done.notes)


def test_another_maximum_is_not_mixed_up(graded: Course) -> None:
    fill = graded.root / "moodle.csv"
    fill.write_text(
        "Identifier,Full name,Email address,Grade,Maximum Grade\n"
        "Participant 4100,Ada Lovelace,ada@x.edu,,100.00\n"
    )
    goal = graded.root / "out.csv"
    with pytest.raises(UserError, match="has 100 points for s2_git, the lab has"):
        export(graded, [LAB], Form.MOODLE, goal, fill=fill)
    assert not goal.exists()
    export(graded, [LAB], Form.MOODLE, goal, fill=fill, scale=True)
    assert _rows(goal)[1][3] == "100"


def test_a_table_without_the_lab_says_so(graded: Course) -> None:
    fill = graded.root / "canvas.csv"
    fill.write_text("Student,ID,SIS User ID,SIS Login ID,Section,Essay (1)\n")
    with pytest.raises(UserError, match="no column whose name begins with s2_git"):
        export(graded, [LAB], Form.CANVAS, graded.root / "out.csv", fill=fill)


@pytest.mark.parametrize(
    ("policy", "share"),
    [
        ("", 0),
        ("c.LatePolicy.percent_per_day = 10", 0.2),
        ("c.LatePolicy.percent_per_day = 10\nc.LatePolicy.most_percent = 15", 0.15),
        ("c.LatePolicy.percent_per_day = 10\nc.LatePolicy.grace_minutes = 10000", 0),
        ("c.LatePolicy.percent_per_day = 90", 1),
    ],
)
def test_late_policy(policy: str, share: float, graded: Course) -> None:
    (graded.root / "nbgrader_config.py").write_text(f"c = get_config()\n{policy}\n")
    late.set_due(graded, LAB, "2026-12-01 18:00 UTC")
    found = late.apply(graded, LAB)
    assert found.get("dorothy", 0) == pytest.approx(share * _most(graded))
    assert set(found) <= {"dorothy"}, "whose time nobody knows is not late"
    # More time takes it back.
    late.extend(graded, LAB, "dorothy", 2)
    assert late.apply(graded, LAB) == {}


def test_due_dates_are_read_as_people_write_them(graded: Course) -> None:
    assert late.read_time("2026-12-01 18:00 Europe/Berlin") == datetime(2026, 12, 1, 17)
    assert late.read_time("2026-12-01T18:00+01:00") == datetime(2026, 12, 1, 17)
    assert late.read_time("1 July 2026, 6 pm CEST") == datetime(2026, 7, 1, 16)
    for wrong in ("soon", "2026-13-45"):
        with pytest.raises(UserError, match="is not a time"):
            late.read_time(wrong)
    with pytest.raises(UserError, match="no graded submission"):
        late.set_due(graded, LAB, "2026-12-01 18:00 UTC")
        late.extend(graded, LAB, "francois", 1)


def test_a_config_that_is_broken_is_named(graded: Course) -> None:
    (graded.root / "nbgrader_config.py").write_text("c.LatePolicy.percent_per_day = ten\n")
    with pytest.raises(UserError, match=r"nbgrader_config\.py: NameError"):
        late.apply(graded, LAB)
