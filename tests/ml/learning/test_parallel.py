"""What a Dask cluster fits and predicts is what this machine does, to the bit; what cannot be relied on is refused."""

import socket
from collections.abc import Iterator

import distributed
import numpy as np
import pytest

from ml.learning import parallel
from ml.learning.parallel import ClusterUnusable, on_cluster, results
from ml.learning.samples import Samples
from ml.learning.training import fit_night
from ml.learning.walk_forward import SCORES, TooLittleHistory, walk_forward
from tests.ml.markets import market_samples, nothing_stored, tiny

DAYS = 180


@pytest.fixture(scope="module")
def data() -> Samples:
    return market_samples(shares=15, days=DAYS)


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    """A scheduler with one worker, in this process: the messages are those of any cluster."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=":0"
    ) as cluster:
        yield cluster


def assert_the_same_here_and_there(data: Samples, address: str, name: str) -> None:
    reports: list[tuple[int, int]] = []
    night, session = tiny(name, size=0.02), data.sessions[-1].date()
    here = fit_night(data, night, session, nothing_stored())
    with on_cluster(address):
        there = fit_night(data, night, session, nothing_stored(), on_progress=lambda *report: reports.append(report))
    assert there.predictions.equals(here.predictions)
    assert there.bundle.calibration == here.bundle.calibration
    assert there.bundle.metadata == here.bundle.metadata
    members = len(night.members)
    assert reports[:members] == [(done, members) for done in range(1, members + 1)]
    assert reports[-1][0] == reports[-1][1]
    assert len(reports) > 2 * members - 1


def test_a_cluster_gives_the_same_night_to_the_bit(data, cluster):
    assert_the_same_here_and_there(data, cluster.scheduler_address, "linear")


@pytest.mark.long
@pytest.mark.parametrize("name", ["ensemble", "random_forest", "histogram_forest"])
def test_two_processes_give_the_same_night_to_the_bit(data, name):
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=":0"
    ) as cluster:
        assert_the_same_here_and_there(data, cluster.scheduler_address, name)


def total(data: Samples, job: int) -> tuple[int, float]:
    return job, float(np.nansum(data.values[:: job + 1]))


def test_results_keep_the_order_of_the_jobs_and_samples_are_sent_once(data, cluster, monkeypatch):
    sent: list[int] = []
    scatter = distributed.Client.scatter

    def counted(client, content, **options):
        sent.append(len(content))
        return scatter(client, content, **options)

    monkeypatch.setattr(distributed.Client, "scatter", counted)
    with on_cluster(cluster.scheduler_address):
        there = [results(total, part, range(9)) for part in (data, data, data.between(50, 60))]
    assert there == [results(total, part, range(9)) for part in (data, data, data.between(50, 60))]
    assert sent == [len(data), len(data.between(50, 60))]


def test_an_error_of_a_job_is_raised_as_it_is_here(data, cluster):
    with on_cluster(cluster.scheduler_address), pytest.raises(TooLittleHistory, match="10 sessions with outcomes lie"):
        walk_forward(data, tiny("linear"), 66, 70)


def test_after_a_block_this_machine_works_again(data, cluster):
    with on_cluster(cluster.scheduler_address):
        pass
    cluster_is_used = []
    with on_cluster(""):
        results(lambda data, job: cluster_is_used.append(bool(parallel._in_use)), data, [1])
    assert cluster_is_used == [False]
    assert len(walk_forward(data, tiny("linear"), 150, 151)[[*SCORES]]) == 30


# --- what cannot be relied on ---------------------------------------------------------------------------------------
@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "CONNECT_SECONDS", 0.3)


@pytest.mark.usefixtures("_impatient")
def test_an_address_where_nobody_answers_is_named():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ClusterUnusable, match=f"No Dask scheduler answered at {address} within 0.3 seconds. Start it"):
        on_cluster(address).__enter__()


@pytest.mark.usefixtures("_impatient")
def test_a_scheduler_without_workers_is_refused():
    with distributed.LocalCluster(
        n_workers=0, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=":0"
    ) as empty:
        address = empty.scheduler_address
        with pytest.raises(ClusterUnusable, match=f"The Dask scheduler at {address} has no workers"):
            on_cluster(address).__enter__()


def test_a_worker_with_other_versions_is_refused(cluster, monkeypatch):
    workers = {"tcp://there:1": parallel.environment() | {"numpy": "1.0"}}
    monkeypatch.setattr(distributed.Client, "run", lambda client, work: workers)
    sentence = f"Worker tcp://there:1 of .* would not give the same results: it has numpy 1.0, not {np.__version__}"
    with pytest.raises(ClusterUnusable, match=sentence):
        on_cluster(cluster.scheduler_address).__enter__()


def test_a_worker_without_the_project_is_refused(cluster, monkeypatch):
    def unknown():
        raise ModuleNotFoundError("No module named 'ml'")

    monkeypatch.setattr(parallel, "environment", unknown)
    with pytest.raises(ClusterUnusable, match=r"cannot run this project \(ModuleNotFoundError\)"):
        on_cluster(cluster.scheduler_address).__enter__()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ClusterUnusable, match=r"needs the package distributed.*install the extra \[distributed\]"):
        on_cluster("tcp://127.0.0.1:8786").__enter__()
