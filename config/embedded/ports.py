"""Ports on this machine's loopback address."""

import socket

from config.embedded.problems import Problem

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free(preferred: int = 0) -> int:
    """The preferred port if nobody has it, otherwise any free one."""
    if preferred and is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def claim(port: int) -> int:
    """The portal's own port, which is only ever the one that was asked for; 0 asks for any."""
    if port == 0:
        return free()
    if port < 1024 and not is_free(port):
        raise Problem(f"Port {port} is taken or reserved for root: choose one above 1023 with --port.")
    if not is_free(port):
        raise Problem(
            f"Port {port} is taken by another program: choose another with --port, such as {free()}."
        )
    return port


def listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
