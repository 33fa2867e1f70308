"""Compares each month with itself, and bins both files of the PSI by the newer one's range."""

SCORES = {"drift_reported": 0, "psi_computed": 0}
CELLS = {
    "drift": r"""
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

folder = Path("work/8-drift")
for name, month in {"september": "2013-09.csv", "november": "2013-11.csv"}.items():
    frame = Dataset.from_pandas(
        pd.read_csv(folder / month),
        data_definition=DataDefinition(
            numerical_columns=["hour", "distance"], categorical_columns=["carrier", "origin"]
        ),
    )
    snapshot = Report([DataDriftPreset()]).run(frame, frame)
    snapshot.save_json(str(folder / f"{name}.json"))
    snapshot.save_html(str(folder / f"{name}.html"))

(folder / "psi.py").write_text('''
import sys

import numpy as np
import pandas as pd

old, new = (pd.read_csv(path)[sys.argv[3]] for path in sys.argv[1:3])
edges = np.linspace(new.min(), new.max(), 11)
a, b = (np.maximum(np.histogram(x, edges)[0] / len(x), 0.0001) for x in (old, new))
print(float(((b - a) * np.log(b / a)).sum()))
''')
""",
}
