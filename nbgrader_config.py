"""nbgrader looks here; the course's configuration lies in autograder/."""

load_subconfig("autograder/nbgrader_config.py")  # noqa: F821 - nbgrader provides it
