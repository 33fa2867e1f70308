"""nbgrader's configuration for this course: read by its commands, extensions and by our own."""

c = get_config()  # noqa: F821 - nbgrader provides it

c.CourseDirectory.course_id = "mlops-workbook"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "labs"
# A lab's .py is the source of its notebook.  nbgrader copies every other file of the source
# folder to learners, which would hand them the solution.
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    ".pytest_cache",
    "s[0-9]_*.py",
    "*.before-[0-9]*",
    "progress.json",
]

# Where learners fetch labs to and submit them from, with the button or by `nbgrader submit`.
c.Exchange.assignment_dir = "labs"

# A comment, not an exception: right in shell cells too, and an untouched cell is no error.
_STUB = "# Your work goes here: in this cell, or in your own terminal."
c.ClearSolutions.code_stub = {"python": _STUB}

# A submission with a deleted check gets the check back, and its points or their absence.
c.OverwriteCells.add_missing_cells = True
c.Execute.timeout = 60
c.Execute.shutdown_kernel = "immediate"
# Warnings are not errors.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = r"[\s\S]*"

# Nothing is taken off for being late unless the class says so; docs/instructors.md shows how.
c.AssignLatePenalties.plugin_class = "autograder.teacher.late.LatePolicy"

# Feedback shows neither hidden tests nor tracebacks that quote them.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "autograder.feedback.HideHiddenTests",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
