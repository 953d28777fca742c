"""The lab of these tests: one for the whole run, brought up by the first test that asks for it."""

from collections.abc import Iterator

import pytest

from tests.lab.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    running = Lab()
    yield running
    running.down()
