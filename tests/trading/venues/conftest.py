"""Over sockets."""

from tests.skipping import REAL, Loops


def pytest_asyncio_loop_factories() -> Loops:
    return REAL
