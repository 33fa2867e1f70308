"""For /etc/jupyter on the hub: the course's settings, and where labs are handed out and in."""

import os

c = get_config()  # noqa: F821 - nbgrader provides it

_workbook = os.environ.get("WORKBOOK", "/opt/mlops-workbook")
load_subconfig(f"{_workbook}/autograder/nbgrader_config.py")  # noqa: F821
c.Exchange.root = os.environ.get("EXCHANGE", "/srv/nbgrader/exchange")
