"""Refusals of the file system, said so that a person can act on them."""

import errno
from pathlib import Path

import pytest

from config.embedded.problems import Problem, clear_disk_errors


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "No space is left on the disk that holds /srv/portal"),
        (errno.EDQUOT, "No space is left on the disk that holds /srv/portal"),
        (errno.EACCES, "/srv/portal cannot be written by this user"),
        (errno.EROFS, "/srv/portal cannot be written by this user"),
        (errno.ENOTDIR, "/srv/portal cannot be written by this user"),
    ],
)
def test_a_refusal_of_the_file_system_becomes_a_sentence(number: int, sentence: str) -> None:
    with pytest.raises(Problem, match=sentence), clear_disk_errors(Path("/srv/portal")):
        raise OSError(number, "refused")


def test_any_other_error_stays_what_it_is() -> None:
    with pytest.raises(OSError, match="too many"), clear_disk_errors(Path("/srv/portal")):
        raise OSError(errno.EMFILE, "too many open files")
