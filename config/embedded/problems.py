"""What can go wrong before the portal runs, each said in one sentence a person can act on."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Problem(Exception):
    """A failure whose text is the whole message to the operator; no traceback is shown."""


@contextmanager
def clear_disk_errors(place: Path) -> Iterator[None]:
    """Turn the file system's refusals about ``place`` into sentences."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Problem(
                f"No space is left on the disk that holds {place}: free some and start again."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR):
            at = error.filename or place
            raise Problem(
                f"{at} cannot be written by this user: choose another folder by --data DIR."
            ) from error
        raise
