"""The embedded PostgreSQL through its bad days."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded import template
from config.embedded.postgres import LONGEST_SOCKET_FOLDER, Cluster
from config.embedded.procs import started_at

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    home = Path(tempfile.mkdtemp(prefix="portal-pg-"))
    home.chmod(0o711)
    cluster = Cluster(home / "postgres")
    cluster.create()
    with cluster:
        yield cluster
    shutil.rmtree(home)


def test_what_was_committed_survives_kill_9(cluster: Cluster) -> None:
    with cluster.connect() as connection:
        connection.execute("CREATE TABLE t (n int)")
        connection.execute("INSERT INTO t VALUES (42)")
    assert cluster.process is not None
    cluster.process.send_signal(signal.SIGKILL)
    cluster.process.wait()

    cluster.start()

    with cluster.connect() as connection:
        assert connection.execute("SELECT n FROM t").fetchone() == (42,)


def test_a_server_left_over_by_a_killed_supervisor_makes_way(cluster: Cluster) -> None:
    assert cluster.process is not None
    left_over = cluster.process
    successor = Cluster(cluster.home)

    with successor:
        left_over.wait(10)
        assert successor.process is not None
        assert started_at(successor.process.pid)


def test_a_recorded_process_id_that_is_anothers_now_does_not_stop_the_start(cluster: Cluster) -> None:
    cluster.stop()
    lock = cluster.files / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{cluster.files}\n0\n5432\n\n\n")
    cluster.runner.own(lock)

    cluster.start()

    assert started_at(os.getpid())


def test_the_server_is_on_no_network_and_its_socket_is_private(cluster: Cluster) -> None:
    with cluster.connect() as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
    assert cluster.sockets.stat().st_mode & 0o077 == 0


def test_a_deep_data_folder_gets_a_short_path_for_its_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 20) / "postgres"

    assert len(str(Cluster(deep).sockets)) <= LONGEST_SOCKET_FOLDER


def test_a_change_of_any_migration_asks_for_a_new_template(monkeypatch: pytest.MonkeyPatch) -> None:
    before = template.ingredients()
    changed = before | {"accounts/migrations/0001_initial.py": "changed"}

    assert "requirements.txt" in before
    assert template.key_of(before) == template.key_of(template.ingredients())
    assert template.key_of(before) != template.key_of(changed)
