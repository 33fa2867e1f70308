"""What is predicted: does the flight arrive 15 or more minutes late?

Decisions, and why:

* *Late* means ``arr_delay >= 15`` minutes: the threshold of the US Department of Transportation,
  under which a flight that arrives 15 or more minutes after schedule is not on time.
* The label exists only for flights that flew and arrived where they should.  A cancelled flight
  has no arrival, and a diverted one has no arrival delay; calling either "late" or "on time"
  would put a different event, with other causes, under the same name.
* Dropping them is a choice with a price: a flight is known to be cancelled only after it was
  predicted, so the model's scores speak of arriving flights only.  Whoever wants to count
  them otherwise has ``outcome`` and ``others="keep"``.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from flights._checks import require_columns

#: Minutes after the scheduled arrival from which on a flight counts as late.
LATE_MINUTES = 15
#: The values of the column ``outcome``.
OUTCOMES = ("on_time", "late", "cancelled", "diverted")


def outcome(df: pd.DataFrame) -> pd.Series:
    """Return what became of each flight: on_time, late, cancelled or diverted.

    The result is a category Series named ``outcome`` with the index of ``df``.  A flight with an
    arrival delay is ``late`` (15 minutes or more) or ``on_time``; one without is ``cancelled``
    when it also lacks ``dep_time``, else ``diverted``.  Of the 336,776 flights, 8,255 were
    cancelled and 1,175 diverted.

    Raises ValueError when ``dep_time`` or ``arr_delay`` is missing as a column.
    """
    require_columns(
        df,
        ("dep_time", "arr_delay"),
        "The outcome of a flight",
        "take the frame from flights.load_flights(), with these columns kept.",
    )
    arrived = df["arr_delay"].notna().to_numpy()
    late = (df["arr_delay"] >= LATE_MINUTES).fillna(False).to_numpy(dtype=bool)
    departed = df["dep_time"].notna().to_numpy()
    names = np.select(
        [arrived & late, arrived, departed], ["late", "on_time", "diverted"], default="cancelled"
    )
    return pd.Series(pd.Categorical(names, categories=OUTCOMES), index=df.index, name="outcome")


def label(df: pd.DataFrame) -> pd.Series:
    """Return 1 for a flight that arrived 15 or more minutes late, 0 for one that did not.

    The result is a nullable ``Int64`` Series named ``late`` with the index of ``df``; it is
    missing (``<NA>``) for cancelled and diverted flights.  Of the 327,346 flights that arrived,
    80,100 (24.5 %) were late.

    Raises ValueError when ``dep_time`` or ``arr_delay`` is missing as a column.
    """
    return _late(outcome(df))


def add_label(df: pd.DataFrame, others: Literal["drop", "keep"] = "drop") -> pd.DataFrame:
    """Return a copy of ``df`` with the columns ``outcome`` and ``late``.

    ``others`` says what happens to cancelled and diverted flights, which have no label:

    * ``"drop"``: their rows are left out and ``late`` is a plain ``int64`` of 0 and 1;
    * ``"keep"``: they stay, and ``late`` is a nullable ``Int64`` with ``<NA>`` for them.

    Rows keep their order and index.
    Raises ValueError when a needed column is missing or ``others`` is something else.
    """
    if others not in ("drop", "keep"):
        raise ValueError(
            f"others is {others!r}: use 'drop' to leave out cancelled and diverted flights, "
            "'keep' to keep them without a label."
        )
    became = outcome(df)
    labelled = df.assign(outcome=became, late=_late(became))
    if others == "keep":
        return labelled
    return labelled[labelled["late"].notna()].astype({"late": "int64"})


def _late(became: pd.Series) -> pd.Series:
    """Return the label that follows from each outcome."""
    late = (became == "late").astype("Int64").rename("late")
    return late.mask(became.isin(["cancelled", "diverted"]))
