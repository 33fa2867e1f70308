"""nbgrader looks here.  The course's settings lie in autograder/; your class's go below them."""

load_subconfig("autograder/nbgrader_config.py")  # noqa: F821 - nbgrader provides it
