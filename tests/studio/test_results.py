"""Results: for the account that paid, for one hour."""

import sqlite3
import time

import pytest

from tests.client.stand_in import OTHER_KEY, StandIn
from tests.studio.running import StudioProcess, wait_until

IMAGE = {"model": "m", "prompt": "p"}


def expire(studio: StudioProcess) -> None:
    """As if an hour had passed: the results' time is over."""
    with sqlite3.connect(studio.data / "studio.sqlite3") as database:
        database.execute("UPDATE result SET expires_at = ?", [time.time_ns() // 1_000_000 - 1])
    database.close()


def test_a_result_is_kept_for_one_hour(studio: StudioProcess) -> None:
    before = time.time()
    job = studio.call("POST", "/v1/images/generate", IMAGE).json
    with sqlite3.connect(studio.data / "studio.sqlite3") as database:
        (expires_at,) = database.execute("SELECT expires_at FROM result").fetchone()
    database.close()
    assert before + 3600 <= expires_at / 1000 <= time.time() + 3600
    assert studio.call("GET", job["results"][0]["url"]).status == 200


def test_an_expired_result_is_gone_and_says_so(studio: StudioProcess) -> None:
    job = studio.call("POST", "/v1/images/generate", IMAGE).json
    expire(studio)
    answer = studio.call("GET", job["results"][0]["url"])
    assert (answer.status, answer.json["status"]) == (410, 410)
    assert "one hour" in answer.json["detail"]
    assert studio.call("GET", f"/v1/jobs/{job['id']}").json["metadata"]["cost"] == job["cost_eur"]


@pytest.mark.slow
def test_expired_files_are_deleted_and_still_answer_410(studio: StudioProcess) -> None:
    job = studio.call("POST", "/v1/images/generate", IMAGE).json
    expire(studio)
    studio.kill()
    studio.start()
    wait_until(lambda: not list((studio.data / "results").iterdir()), what="the file to be deleted")
    assert studio.call("GET", f"/v1/results/{job['results'][0]['file']}").status == 410


def test_other_accounts_see_neither_jobs_nor_results(studio: StudioProcess, portal: StandIn) -> None:
    job = studio.call("POST", "/v1/images/generate", IMAGE).json
    for path in (f"/v1/jobs/{job['id']}", f"/v1/results/{job['results'][0]['file']}"):
        assert studio.call("GET", path, key=OTHER_KEY).status == 404
        assert studio.call("GET", path, key=None).status == 401
        assert studio.call("GET", path, key="bpk_of_nobody").status == 401


def test_a_path_cannot_reach_other_files(studio: StudioProcess) -> None:
    for path in ("/v1/results/..%2Fstudio.sqlite3", "/v1/results/%2e%2e", "/v1/results/../studio.sqlite3"):
        assert studio.call("GET", path).status == 404
