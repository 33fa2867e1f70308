"""What is known at schedule time, and the model-ready frame made of it.

A model that is asked before departure must not see anything that happens after.  The columns of
``load_flights()`` therefore fall into three groups:

* ``SCHEDULE_COLUMNS`` (and the calendar parts of ``sched_dep_time``): known weeks ahead.
* ``DAY_OF_COLUMNS``: the aircraft.  ``tailnum`` is the one that *flew*, settled on the day; and
  it is missing for cancelled flights only, so even its absence tells the outcome.
* ``LEAKY_COLUMNS``: recorded during or after the flight.

``features`` reads the first group only, unless asked for more.  It also looks at each row alone:
counts such as "departures in the same hour" or "delay rate of this route" would depend on which
other rows happen to be in the frame, and a service that predicts one flight would compute others
than the training did.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from flights._checks import require_columns
from flights._load import TIME_ZONE

#: What a booking system knows of a flight before it leaves; all that `features` needs.
SCHEDULE_COLUMNS = (
    "carrier",
    "flight",
    "origin",
    "dest",
    "distance",
    "sched_dep_time",
    "sched_arr_time",
)
#: These four identify a flight: no two rows agree in all of them.
KEY_COLUMNS = ("sched_dep_time", "carrier", "flight", "origin")
#: Known only on the day of the flight.
DAY_OF_COLUMNS = ("tailnum",)
#: Known only once the flight has left or landed: never an input of a prediction.
LEAKY_COLUMNS = (
    "dep_time",
    "dep_delay",
    "arr_time",
    "arr_delay",
    "air_time",
    "outcome",
    "late",
)

#: Text columns of `features`.
CATEGORICAL_FEATURES = ("carrier", "origin", "dest")
#: Number columns of `features`.
NUMERIC_FEATURES = (
    "distance",
    "sched_duration",
    "month",
    "day_of_year",
    "weekday",
    "hour",
    "minute",
)
#: The columns of `features`, in order.
FEATURES = CATEGORICAL_FEATURES + NUMERIC_FEATURES
#: What ``weather=`` adds.  Gusts are left out: four hours in five have none recorded.
WEATHER_FEATURES = (
    "weather_temp",
    "weather_dewp",
    "weather_humid",
    "weather_wind_speed",
    "weather_precip",
    "weather_pressure",
    "weather_visib",
)
#: What ``planes=`` adds.
PLANE_FEATURES = ("plane_age", "plane_seats")

_TIMES = ("sched_dep_time", "sched_arr_time")
_REMEDY = "take the rows from flights.load_flights() or flights.schedule_rows()."


def schedule_rows(df: pd.DataFrame) -> pd.DataFrame:
    """Return the flights as a booking system would send them: raw, and nothing but the schedule.

    The columns are ``SCHEDULE_COLUMNS``.  Codes are text, ``flight`` and ``distance`` (miles) are
    ``int64``, times are ISO 8601 text with offset in New York time, such as
    ``2013-01-01T05:15:00-05:00``.  So ``schedule_rows(df).to_dict("records")`` can go into JSON,
    and ``features`` accepts what comes back.  Rows keep their order and index.

    Raises ValueError when a column is missing or a time is missing or has no time zone.
    """
    require_columns(df, SCHEDULE_COLUMNS, "schedule_rows", _REMEDY)
    texts = {name: _iso_text(_new_york(df[name])) for name in _TIMES}
    return df[list(SCHEDULE_COLUMNS)].assign(**texts)


def features(
    df: pd.DataFrame,
    *,
    weather: pd.DataFrame | None = None,
    weather_lag_hours: int | None = None,
    planes: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the model-ready frame: one row per flight, known at schedule time, nothing missing.

    ``df`` is a frame of ``load_flights`` or of raw schedule rows (``schedule_rows``, or parsed
    JSON); any column that is not in ``SCHEDULE_COLUMNS`` is ignored.  Rows keep order and index.
    The columns are ``FEATURES``:

    * ``carrier origin dest``: text.  Encoding it belongs to the model, which must remember the
      codes it was trained on.
    * ``distance``: miles, ``float64``.
    * ``sched_duration``: minutes from scheduled departure to scheduled arrival, ``int64``.
    * ``month`` (1-12), ``day_of_year`` (1-366), ``weekday`` (0 is Monday), ``hour``, ``minute``:
      of the scheduled departure in New York time, ``int64``.  In a split by month, a judged
      ``month`` or ``day_of_year`` is one that training has never seen: use them with care.

    Two additions have to be asked for, because they are *not* known weeks ahead:

    * ``weather`` (from ``load_weather()``) with ``weather_lag_hours`` adds ``WEATHER_FEATURES``
      (``float64``, missing where no observation exists): the weather observed at the origin that
      many hours before the hour of departure.  The weather *at* departure is not known when one
      predicts, and there are no forecasts in the data; hence the lag, at least 1, is the claim
      "we predict this many hours ahead".  Load the month before as well, for its last hours.
    * ``planes`` (from ``load_planes()``) adds ``PLANE_FEATURES`` (years and seats, ``float64``,
      missing for unlisted aircraft).  It reads ``tailnum``, hence claims "we predict on the day,
      when the aircraft is settled".

    Raises ValueError when a needed column or value is missing, a time cannot be read or has no
    time zone, a scheduled arrival is not after the departure, or the lag is missing or below 1.
    """
    needed = [name for name in SCHEDULE_COLUMNS if name != "flight"]
    require_columns(df, needed, "features", _REMEDY)
    departure, arrival = (_new_york(df[name]) for name in _TIMES)
    codes = {name: _filled(df[name]).astype(str) for name in CATEGORICAL_FEATURES}
    result = pd.DataFrame(codes, index=df.index).assign(
        distance=_number(df["distance"]),
        sched_duration=_duration(departure, arrival),
        month=departure.dt.month.astype("int64"),
        day_of_year=departure.dt.day_of_year.astype("int64"),
        weekday=departure.dt.day_of_week.astype("int64"),
        hour=departure.dt.hour.astype("int64"),
        minute=departure.dt.minute.astype("int64"),
    )
    if weather is not None or weather_lag_hours is not None:
        added = _weather(codes["origin"], departure, weather, weather_lag_hours)
        result[list(WEATHER_FEATURES)] = added
    if planes is not None:
        result[list(PLANE_FEATURES)] = _planes(df, departure, planes)
    return result


def _new_york(times: pd.Series) -> pd.Series:
    """Return ``times`` (timestamps, datetimes or ISO text) as timestamps in New York time."""
    _filled(times)
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        times = _parsed(times)
    return times.dt.tz_convert(TIME_ZONE).dt.as_unit("us")


def _parsed(times: pd.Series) -> pd.Series:
    text = times
    if pd.api.types.infer_dtype(times) != "string":
        text = times.map(lambda t: t.isoformat() if isinstance(t, datetime) else str(t))
    # pandas would take a time without offset for UTC and be silently hours off.
    naive = ~text.str.contains(r"\d(?:Z|[+-]\d\d:?\d\d)$", regex=True).astype(bool)
    if naive.any():
        raise ValueError(
            f"{times.name} has no UTC offset in {naive.sum()} row(s), "
            f"first {text[naive].iloc[0]!r}: write ISO 8601 with offset, such as "
            f"2013-01-01T05:15:00-05:00, or call .dt.tz_localize({TIME_ZONE!r}) on local times."
        )
    parsed = pd.to_datetime(text, utc=True, format="ISO8601", errors="coerce")
    unread = parsed.isna()
    if unread.any():
        raise ValueError(
            f"{times.name} holds {unread.sum()} time(s) that do not exist, "
            f"first {text[unread].iloc[0]!r}: correct or drop these rows first."
        )
    return parsed


def _filled(values: pd.Series) -> pd.Series:
    """Return ``values`` unless one is missing."""
    missing = int(values.isna().sum())
    if missing:
        raise ValueError(
            f"{values.name} is missing in {missing} row(s), first at index "
            f"{values.index[values.isna()][0]}: fill or drop these rows first."
        )
    return values


def _number(values: pd.Series) -> pd.Series:
    _filled(values)
    try:
        return pd.to_numeric(values).astype("float64")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{values.name} is not a number ({error}): give the distance in miles in every row."
        ) from error


def _duration(departure: pd.Series, arrival: pd.Series) -> pd.Series:
    """Return the minutes from ``departure`` to ``arrival`` as int64."""
    minutes = ((arrival - departure) // pd.Timedelta(minutes=1)).astype("int64")
    wrong = minutes <= 0
    if wrong.any():
        raise ValueError(
            f"sched_arr_time is not after sched_dep_time in {wrong.sum()} row(s), first at index "
            f"{minutes.index[wrong][0]}: correct or drop these rows first."
        )
    return minutes


def _iso_text(times: pd.Series) -> pd.Series:
    """Return local times as text with offset; strftime would need seconds for a whole year."""
    local = times.dt.tz_localize(None)
    offset = (local - times.dt.tz_convert("UTC").dt.tz_localize(None)) // pd.Timedelta(hours=1)
    text = pd.Series(np.datetime_as_string(local.to_numpy(), unit="s"), index=times.index)
    names = {hours: f"{hours:+03d}:00" for hours in offset.unique()}
    return text + offset.map(names).astype(str)  # astype: for a frame without rows


def _weather(
    origin: pd.Series, departure: pd.Series, weather: pd.DataFrame | None, lag: int | None
) -> np.ndarray:
    """Return WEATHER_FEATURES, row by row, as observed ``lag`` hours before the departure."""
    if weather is None or lag is None or lag != int(lag) or lag < 1:
        raise ValueError(
            "weather and weather_lag_hours belong together, and the lag is a whole number of at "
            f"least 1 (it is {lag!r}): the weather at departure is not known when one predicts.  "
            "Write e.g. features(df, weather=load_weather(), weather_lag_hours=6)."
        )
    columns = [name.removeprefix("weather_") for name in WEATHER_FEATURES]
    require_columns(
        weather, ["origin", "time_hour", *columns], "weather", "use flights.load_weather()."
    )
    # Rounded down to the hour in UTC, where no hour occurs twice.  So even a value taken at the
    # end of the hour it is filed under is older than the departure.
    hour = departure.dt.tz_convert("UTC").dt.floor("h") - pd.Timedelta(hours=int(lag))
    wanted = pd.DataFrame({"origin": origin, "time_hour": hour})
    observed = weather[["origin", "time_hour", *columns]].assign(
        time_hour=weather["time_hour"].dt.tz_convert("UTC")
    )
    found = wanted.merge(observed, how="left", on=["origin", "time_hour"], validate="m:1")
    return found[columns].to_numpy(dtype="float64")


def _planes(df: pd.DataFrame, departure: pd.Series, planes: pd.DataFrame) -> np.ndarray:
    """Return PLANE_FEATURES, row by row."""
    require_columns(df, DAY_OF_COLUMNS, "features(planes=...)", "keep it from load_flights().")
    require_columns(planes, ["tailnum", "year", "seats"], "planes", "use flights.load_planes().")
    known = planes.set_index("tailnum")[["year", "seats"]].astype("float64")
    built, seats = (df["tailnum"].map(known[name]).astype("float64") for name in known.columns)
    return np.column_stack([departure.dt.year - built, seats])
