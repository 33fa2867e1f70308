"""Splits in time order: train on the past, judge on the future."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from flights._checks import checked_months, require_columns


class Split(NamedTuple):
    """Three frames in time order; rows keep the index they had."""

    train: pd.DataFrame
    valid: pd.DataFrame
    test: pd.DataFrame


def split_by_month(
    df: pd.DataFrame,
    train: Sequence[int] = range(1, 7),
    valid: Sequence[int] = (7,),
    test: Sequence[int] = (8,),
) -> Split:
    """Split ``df`` by its column ``month`` into train, valid and test.

    A random split would let a model learn from flights of the very days it is judged on, which no
    model in production can.  So every month of ``train`` must lie before those of ``valid``, and
    these before those of ``test``.  ``valid=()`` is allowed and yields an empty frame.  Months
    named in no part are left out.

    Raises ValueError when ``df`` has no ``month`` or several years, when months overlap or are in
    the wrong order, when train or test is empty, or when ``df`` has no row of a month asked for.
    """
    require_columns(df, ["month"], "split_by_month", "add df['month'] = time.dt.month.")
    parts = {
        name: checked_months(months, name)
        for name, months in (("train", train), ("valid", valid), ("test", test))
    }
    _refuse_empty(parts)
    _refuse_overlap(parts)
    _refuse_wrong_order(parts)
    _refuse_unknown_rows(df, parts)
    return Split(*(df[df["month"].isin(months)] for months in parts.values()))


def _refuse_empty(parts: dict[str, list[int]]) -> None:
    for name in ("train", "test"):
        if not parts[name]:
            raise ValueError(f"{name} names no month: give at least one, e.g. {name}=(1,).")


def _pairs(parts: dict[str, list[int]]) -> Iterable[tuple[str, str]]:
    names = [name for name in parts if parts[name]]
    return ((a, b) for i, a in enumerate(names) for b in names[i + 1 :])


def _refuse_overlap(parts: dict[str, list[int]]) -> None:
    for a, b in _pairs(parts):
        shared = sorted(set(parts[a]) & set(parts[b]))
        if shared:
            raise ValueError(
                f"Month(s) {shared} are in both {a} and {b}: the model would be judged on flights "
                f"it has seen.  Take them out of one of the two."
            )


def _refuse_wrong_order(parts: dict[str, list[int]]) -> None:
    for a, b in _pairs(parts):
        last, first = parts[a][-1], parts[b][0]
        if last > first:
            raise ValueError(
                f"{a} reaches to month {last}, but {b} starts with month {first}: that uses the "
                f"future to predict the past.  Let every month of {a} lie before those of {b}."
            )


def _refuse_unknown_rows(df: pd.DataFrame, parts: dict[str, list[int]]) -> None:
    if "year" in df.columns and df["year"].nunique() > 1:
        years = sorted(df["year"].unique().tolist())
        raise ValueError(
            f"The frame holds several years ({years}), so a month number does not say which came "
            "first: split each year on its own."
        )
    there = set(df["month"].unique())
    absent = {name: [m for m in months if m not in there] for name, months in parts.items()}
    for name, months in absent.items():
        if months:
            raise ValueError(
                f"The frame has no flight of month(s) {months}, which {name} asks for: load them "
                f"(flights.load_flights(months=...)) or take them out of {name}."
            )
