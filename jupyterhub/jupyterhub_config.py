"""JupyterHub for one class on one machine; docs/jupyterhub.md tells how to set it up.

Learners are users of the machine.  nbgrader's exchange rests on that: what somebody hands in is
theirs, and the rights of the file system keep others out.  systemd keeps everybody within limits.
"""

import os
from pathlib import Path

c = get_config()  # noqa: F821 - JupyterHub provides it

# --- This class: change these ------------------------------------------------------------------

INSTRUCTORS = {"instructor"}
# The workbook as learners have it (autograder handout), with its environment; no solution in it.
WORKBOOK = Path(os.environ.get("WORKBOOK", "/opt/mlops-workbook"))
# Most labs are happy with 2 GB; a lab that needs more says so in its first cell.
MEMORY = "2G"
CPUS = 2.0

# --- Who -----------------------------------------------------------------------------------------

# By password, as on the machine itself.  Another log-in: c.JupyterHub.authenticator_class.
c.JupyterHub.authenticator_class = "pam"
c.Authenticator.admin_users = INSTRUCTORS
# Whoever has an account on this machine; name people here instead if others have one, too.
c.Authenticator.allow_all = True

# --- What everybody gets -------------------------------------------------------------------------

c.JupyterHub.spawner_class = "systemd"
c.Spawner.cmd = [str(WORKBOOK.parent / "mlops-workbook-start")]
c.Spawner.environment = {"WORKBOOK": str(WORKBOOK)}
c.Spawner.default_url = "/lab/tree/course/roadmap.ipynb"
c.Spawner.mem_limit = MEMORY
c.Spawner.cpu_limit = CPUS
c.Spawner.http_timeout = 120
c.Spawner.start_timeout = 120
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.isolate_devices = True
c.SystemdSpawner.disable_user_sudo = True

# --- The hub -------------------------------------------------------------------------------------

# A web server with HTTPS stands in front; the hub itself is reached from this machine only.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.cookie_secret_file = "/srv/jupyterhub/cookie_secret"
c.JupyterHub.db_url = "sqlite:////srv/jupyterhub/jupyterhub.sqlite"
# A hub that is restarted finds everybody's work still running.
c.JupyterHub.cleanup_servers = False
