"""Runs independent jobs on this machine's processors or, within ``on_cluster``, on a Dask cluster; pure.

A job is a function of samples and of something small. The samples are sent to a cluster once and stay there until jobs
on others come. Results are the same to the bit wherever a job runs: a worker with other versions is refused.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ml.learning.samples import Samples

if TYPE_CHECKING:
    from distributed import Client, Future

Progress = Callable[[int, int], None]
Job = TypeVar("Job")
Result = TypeVar("Result")

CONNECT_SECONDS = 5.0
# What the figures of a fit depend on.
_PACKAGES = ("numpy", "pandas", "scipy", "scikit-learn", "lightgbm")


class ClusterUnusable(ConnectionError):
    """Nobody answers at the scheduler's address, it lost its workers, or they would not give the same results."""


class _Cluster:
    """A connected cluster with the samples it was last sent."""

    def __init__(self, address: str, client: "Client") -> None:
        self.address, self.client = address, client
        self._data: Samples | None = None
        self._sent: Future | None = None

    def sent(self, data: Samples) -> "Future":
        if self._sent is None or self._data is not data:
            self._data, self._sent = data, self.client.scatter(data, broadcast=True, hash=False)
        return self._sent


_in_use: list[_Cluster] = []


@contextmanager
def on_cluster(address: str) -> Iterator[None]:
    """Run the jobs of the block on the cluster of a scheduler; on this machine if the address is empty.

    Raises
    ------
    ClusterUnusable
        The sentence names the address and what to do.
    """
    if not address:
        yield
        return
    client = _connected(address)
    _in_use.append(_Cluster(address, client))
    try:
        yield
    finally:
        _in_use.pop()
        client.close()


def results(
    work: Callable[[Samples, Job], Result],
    data: Samples,
    jobs: Sequence[Job],
    on_progress: Progress = lambda done, total: None,
) -> list[Result]:
    """Return ``work(data, job)`` of each job, in order; ``work`` is a function of a module.

    The first error of a job is raised, as if it had run here.
    """
    if _in_use:
        return _on_workers(_in_use[-1], work, data, jobs, on_progress)
    done: list[Result] = []
    # LightGBM, the forest and NumPy release the GIL while fitting, so threads do run in parallel.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for number, result in enumerate(pool.map(lambda job: work(data, job), jobs), start=1):
            done.append(result)
            on_progress(number, len(jobs))
    return done


def _on_workers(
    cluster: _Cluster,
    work: Callable[[Samples, Job], Result],
    data: Samples,
    jobs: Sequence[Job],
    on_progress: Progress,
) -> list[Result]:
    from distributed import KilledWorker, as_completed
    from distributed.comm import CommClosedError

    lost = (KilledWorker, CommClosedError, TimeoutError)
    try:
        futures = cluster.client.map(work, [cluster.sent(data)] * len(jobs), jobs, pure=False)
        for number, future in enumerate(as_completed(futures, loop=cluster.client.loop), start=1):
            future.result()
            on_progress(number, len(jobs))
        gathered: list[Result] = cluster.client.gather(futures)
    except lost as error:
        raise ClusterUnusable(
            f"The cluster at {cluster.address} lost the workers of a job ({type(error).__name__}). Start them again, or"
            " empty DASK_SCHEDULER_ADDRESS to work on this machine."
        ) from error
    return gathered


def _connected(address: str) -> "Client":
    remedy = "Start it, or empty DASK_SCHEDULER_ADDRESS to work on this machine."
    try:
        from distributed import Client
    except ImportError as error:
        raise ClusterUnusable(
            f"The cluster at {address} needs the package distributed, which is not installed: install the extra"
            " [distributed], or empty DASK_SCHEDULER_ADDRESS."
        ) from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterUnusable(
            f"No Dask scheduler answered at {address} within {CONNECT_SECONDS:g} seconds. {remedy}"
        ) from error
    try:
        with suppress(TimeoutError):
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        _refuse_others(client, address, remedy)
    except BaseException:
        client.close()
        raise
    return client


def _refuse_others(client: "Client", address: str, remedy: str) -> None:
    """Refuse a cluster without workers, or whose workers would compute something else."""
    try:
        workers = client.run(environment)
    except Exception as error:  # whatever a worker without this project raises
        raise ClusterUnusable(
            f"A worker of the cluster at {address} cannot run this project ({type(error).__name__}): start its workers"
            " in a checkout of the same version, with the same packages."
        ) from error
    if not workers:
        raise ClusterUnusable(f"The Dask scheduler at {address} has no workers. {remedy}")
    here = environment()
    for worker, there in workers.items():
        other = [f"{name} {there.get(name)}, not {value}" for name, value in here.items() if there.get(name) != value]
        if other:
            raise ClusterUnusable(
                f"Worker {worker} of the cluster at {address} would not give the same results: it has"
                f" {'; '.join(other)}. Install the same versions there."
            )


def environment() -> dict[str, Any]:
    """What the figures of a fit depend on: versions, and a digest of the code."""
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))
    python = ".".join(map(str, sys.version_info[:2]))
    return {"python": python, "code": code.hexdigest()[:12]} | {name: version(name) for name in _PACKAGES}
