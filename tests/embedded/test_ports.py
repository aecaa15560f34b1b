"""Ports: the portal's own is taken as asked or refused in words, all others give way."""

import socket
from collections.abc import Iterator

import pytest

from config.embedded import ports
from config.embedded.problems import Problem


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind((ports.LOOPBACK, 0))
        holder.listen()
        yield int(holder.getsockname()[1])


def test_a_taken_port_is_refused_with_the_way_out(taken: int) -> None:
    with pytest.raises(Problem, match=rf"Port {taken} is taken .* --port"):
        ports.claim(taken)


def test_a_service_whose_port_is_taken_gets_another(taken: int) -> None:
    assert ports.free(taken) not in (0, taken)


def test_a_free_port_is_kept() -> None:
    port = ports.free()

    assert ports.claim(port) == ports.free(port) == port
