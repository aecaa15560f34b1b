"""What every process of a soak is forked from: a small server with the product loaded and nothing else.

A test run that is itself half a gigabyte would be copied for each of a thousand victims; this is copied instead.
It ends with the process that opened it.
"""

import contextlib
import gc
import multiprocessing
from multiprocessing import forkserver
from typing import Final

from config.embedded.bootstrap import BASE_DIR

PROCESSES: Final = multiprocessing.get_context("forkserver")
LOADED: Final = ("config.embedded.commands", "soak.born")


def open_nursery() -> None:
    """Start the server, unless it runs; it finds our modules by the folder it is started in."""
    PROCESSES.set_forkserver_preload(list(LOADED))
    with contextlib.chdir(BASE_DIR):
        forkserver.ensure_running()


def grown() -> None:
    """What was loaded is kept out of the garbage collector's sight, so that it is not copied for being looked at."""
    gc.collect()
    gc.freeze()
