"""What can be set from outside, without a change of code."""

import os

MODEL_PATH = os.environ.get("MODEL_PATH", "models/late.json")
THRESHOLD = float(os.environ.get("THRESHOLD", "0.5"))
