"""The flow only orders measuring: what `firstline diagnose` says of a fault is what the running agent's case says, with it and without it."""

import pytest

from tests.lab.agreeing import WORD, Task, run
from tests.lab.agreement import OVER_TIME, Agreement
from tests.lab.apart import alone
from tests.lab.complaints import WITHIN_S
from tests.lab.faults import FAULTS
from tests.lab.lab import NEEDS

pytestmark = NEEDS
SHORT = ("sip_503", "both_fibres_cut", "line_cut")  # one of each side


def agreed(fault: str) -> None:
    found = Agreement(alone(run, Task(fault, 1)))
    told = "\n".join([found.line, found.why_beside, found.why_alone, *found.run.bad])
    assert found.case is not None or not found.run.planted.causes, told
    assert found.agrees, told
    assert found.run.beside.answer != "undetermined" or found.run.beside.next_test, told
    assert max(found.run.beside.took_s, found.run.alone.took_s) <= WITHIN_S, told


@pytest.mark.parametrize("fault", SHORT)
def test_flow_says_what_the_case_says(fault: str) -> None:
    agreed(fault)


@pytest.mark.long
@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in SHORT])
def test_flow_says_of_every_fault_what_the_case_says(fault: str) -> None:
    agreed(fault)


def test_words_are_of_faults_that_there_are() -> None:
    assert (WORD.keys() | OVER_TIME) <= FAULTS.keys()
