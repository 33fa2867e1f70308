"""The data dictionary."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd


class _Column(NamedTuple):
    column: str
    meaning: str
    unit: str
    known: str


_SCHEDULE, _DAY, _LEFT, _LANDED = "schedule", "day of flight", "departure", "arrival"
_ALWAYS, _OBSERVED = "always", "hour of observation"

_TABLES: dict[str, tuple[_Column, ...]] = {
    "flights": (
        _Column("year", "year of the scheduled departure", "", _SCHEDULE),
        _Column("month", "month of the scheduled departure", "1-12", _SCHEDULE),
        _Column("day", "day of the month of the scheduled departure", "1-31", _SCHEDULE),
        _Column("dep_time", "actual departure", "timestamp, New York", _LEFT),
        _Column("sched_dep_time", "scheduled departure", "timestamp, New York", _SCHEDULE),
        _Column("dep_delay", "actual minus scheduled departure", "minutes", _LEFT),
        _Column("arr_time", "actual arrival", "timestamp, New York", _LANDED),
        _Column("sched_arr_time", "scheduled arrival", "timestamp, New York", _SCHEDULE),
        _Column("arr_delay", "actual minus scheduled arrival", "minutes", _LANDED),
        _Column("carrier", "airline, see load_airlines()", "two-letter code", _SCHEDULE),
        _Column("flight", "flight number", "", _SCHEDULE),
        _Column("tailnum", "aircraft that flew, see load_planes()", "registration", _DAY),
        _Column("origin", "airport of departure: EWR, JFK or LGA", "FAA code", _SCHEDULE),
        _Column("dest", "airport of arrival, see load_airports()", "FAA code", _SCHEDULE),
        _Column("air_time", "time in the air", "minutes", _LANDED),
        _Column("distance", "distance between the airports", "miles", _SCHEDULE),
        _Column("hour", "hour of the scheduled departure", "0-23", _SCHEDULE),
        _Column("minute", "minute of the scheduled departure", "0-59", _SCHEDULE),
        _Column(
            "time_hour",
            "scheduled departure rounded down to the hour: joins with weather",
            "timestamp, New York",
            _SCHEDULE,
        ),
        _Column(
            "outcome",
            "added by add_label(): on_time, late, cancelled or diverted",
            "category",
            _LANDED,
        ),
        _Column("late", "added by add_label(): arrived 15+ minutes late", "0 or 1", _LANDED),
    ),
    "weather": (
        _Column("origin", "airport: EWR, JFK or LGA", "FAA code", _ALWAYS),
        _Column("year", "year of the observation", "", _ALWAYS),
        _Column("month", "month of the observation", "1-12", _ALWAYS),
        _Column("day", "day of the month of the observation", "1-31", _ALWAYS),
        _Column("hour", "local hour of the observation", "0-23", _ALWAYS),
        _Column("temp", "temperature", "degrees Fahrenheit", _OBSERVED),
        _Column("dewp", "dew point", "degrees Fahrenheit", _OBSERVED),
        _Column("humid", "relative humidity", "percent", _OBSERVED),
        _Column("wind_dir", "direction the wind comes from", "degrees", _OBSERVED),
        _Column("wind_speed", "wind speed", "miles per hour", _OBSERVED),
        _Column("wind_gust", "speed of gusts", "miles per hour", _OBSERVED),
        _Column("precip", "precipitation", "inches", _OBSERVED),
        _Column("pressure", "air pressure at sea level", "millibar", _OBSERVED),
        _Column("visib", "visibility", "miles", _OBSERVED),
        _Column("time_hour", "hour of the observation", "timestamp, New York", _ALWAYS),
    ),
    "planes": (
        _Column("tailnum", "aircraft; which one flies is known on the day", "registration", _DAY),
        _Column("year", "year of manufacture", "", _DAY),
        _Column("type", "type of aircraft", "category", _DAY),
        _Column("manufacturer", "manufacturer", "category", _DAY),
        _Column("model", "model", "", _DAY),
        _Column("engines", "number of engines", "", _DAY),
        _Column("seats", "number of seats", "", _DAY),
        _Column("speed", "average cruising speed, mostly missing", "miles per hour", _DAY),
        _Column("engine", "type of engine", "category", _DAY),
    ),
    "airports": (
        _Column("faa", "airport", "FAA code", _ALWAYS),
        _Column("name", "name", "", _ALWAYS),
        _Column("lat", "latitude", "degrees", _ALWAYS),
        _Column("lon", "longitude", "degrees", _ALWAYS),
        _Column("alt", "altitude", "feet", _ALWAYS),
        _Column("tz", "offset from UTC in winter", "hours", _ALWAYS),
        _Column("dst", "daylight saving: A = US rule, N = none, U = unknown", "category", _ALWAYS),
        _Column("tzone", "time zone", "IANA name", _ALWAYS),
    ),
    "airlines": (
        _Column("carrier", "airline", "two-letter code", _ALWAYS),
        _Column("name", "name", "", _ALWAYS),
    ),
}


def describe(table: str = "flights") -> pd.DataFrame:
    """Return the data dictionary of ``table``: one row per column, in the order of the table.

    The columns are ``column``, ``meaning``, ``unit``, ``known`` (when the value becomes known) and
    ``known_at_schedule_time`` (bool: may a prediction made weeks ahead use it?).  ``table`` is
    flights, weather, planes, airports or airlines.

    Raises ValueError for another table.
    """
    if table not in _TABLES:
        raise ValueError(f"There is no table {table!r}: use one of {', '.join(_TABLES)}.")
    words = pd.DataFrame(_TABLES[table], columns=list(_Column._fields))
    return words.assign(known_at_schedule_time=words["known"].isin([_SCHEDULE, _ALWAYS]))
