"""The lab of these tests: one for the whole run, brought up by the first test that asks for it, or one of its own."""

from collections.abc import Iterator

import pytest

from tests.lab.lab import Lab


@pytest.fixture
def own_lab() -> Iterator[Lab]:
    """Give a lab in which nothing has happened: a session that another test took down would say for minutes that it is new."""
    running = Lab()
    yield running
    running.down()


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    running = Lab()
    yield running
    running.down()
