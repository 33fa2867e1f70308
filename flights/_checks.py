"""Checks of arguments that several modules share."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd


def checked_months(months: Iterable[int], name: str = "months") -> list[int]:
    """Return ``months`` as a sorted list of distinct ints.

    Raises ValueError when ``months`` is a single value or holds something that is no month.
    """
    if isinstance(months, str) or not isinstance(months, Iterable):
        raise ValueError(
            f"{name} is {months!r}, not a sequence of months: write {name}=({months},) for one."
        )
    months = list(months)
    wrong = [month for month in months if month not in range(1, 13)]
    if wrong:
        raise ValueError(f"{name} holds {wrong}: use whole numbers from 1 to 12.")
    return sorted({int(month) for month in months})


def require_columns(df: pd.DataFrame, columns: Iterable[str], purpose: str, remedy: str) -> None:
    """Raise ValueError when ``df`` lacks one of ``columns``."""
    missing = [column for column in columns if column not in df.columns]
    if missing:
        raise ValueError(f"{purpose} needs the column(s) {', '.join(missing)}: {remedy}")
