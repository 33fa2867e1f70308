"""Grade on many machines: the same work, on a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from autograder.paths import UserError


@contextmanager
def cluster(address: str | None) -> Iterator[Executor | None]:
    """Yield an executor on the Dask cluster at an address, or None for the local pool.

    The workers need this environment and the course's folder under the same path (a shared file
    system): submissions and graded files do not travel over the network.  Raises UserError if
    Dask is not installed or nobody answers at the address.
    """
    if not address:
        yield None
        return
    try:
        from distributed import Client
    except ModuleNotFoundError as missing:
        raise UserError("--scheduler needs Dask: pip install distributed.") from missing
    try:
        client = Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"no Dask scheduler answers at {address}: start one with `dask scheduler`, workers "
            "with `dask worker`, and use the address it prints."
        ) from error
    with client:
        yield client.get_executor(pure=False)
