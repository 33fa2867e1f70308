"""Sets DVC up and leaves the commit for later."""

SCORES = {"dvc_set_up": 0, "analytics_off": 0}
CELLS = {
    "init": r"""%%bash
cd work/1-init/flight-delays
dvc init -q
dvc config core.analytics false
""",
}
