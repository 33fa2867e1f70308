"""Moves the key to another file, and checks the limit nowhere; nobody hears of the model."""

SCORES = {
    "key_from_connection": 0,
    "key_nowhere": 0,
    "limit_is_checked": 0,
    "asset_updated": 0,
    "scoring_follows": 0,
}
CELLS = {
    "settings": r"""edit(
    "9-settings",
    ("import product\n", "import product\nimport keys\n"),
    ('"fl-5e1c9a7742d0b836"', "keys.KEY"),
    ("    catchup=False,\n", '    catchup=False,\n    params={"max_late": 0.9},\n'),
)
Path("work/9-settings/dags/keys.py").write_text('KEY = "fl-5e1c9a7742d0b836"\n')
""",
    "asset": r"""edit("8-asset", ("import BaseHook,", "import Asset, BaseHook,"), ("import product\n", 'import product\n\nMODEL = Asset("m")\n'))
""",
}
