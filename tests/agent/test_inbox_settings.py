"""[[audit_inbox]] in the configuration: read strictly, shown as it stands, every mistake with its line."""

from pathlib import Path

import pytest

from probe.agent.settings.load import SettingsError, load
from probe.agent.settings.show import show_settings

WHOLE = """
[[customer]]
name = "Harbour"
accounts = ["A1"]
contract = "harbour.toml"

[[audit_inbox]]
customer = "Harbour"
folder = "bills"
rates = ["deck.csv"]
still = "2m"
language = "zh"
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "firstline.toml"
    file.write_text(text)
    return file


def test_an_inbox_is_read_with_the_customer_s_contract_and_accounts(tmp_path: Path) -> None:
    (found,) = load(written(tmp_path, WHOLE)).inboxes
    assert (found.folder, found.contract, found.rates) == (
        str(tmp_path / "bills"),
        str(tmp_path / "harbour.toml"),
        (str(tmp_path / "deck.csv"),),
    )
    assert (found.accounts, found.still_s, found.open, found.language) == (("A1",), 120.0, True, "zh")


def test_what_is_shown_reads_back_as_the_same(tmp_path: Path) -> None:
    first = load(written(tmp_path, WHOLE))
    again = load(written(tmp_path, show_settings(first)))
    assert again.inboxes == first.inboxes


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (
            'customer = "Harbor"\nfolder = "b"',
            'firstline.toml:8: audit_inbox[0].customer: no customer named "Harbor"; did you mean "Harbour"?',
        ),
        ('customer = "Harbour"', "firstline.toml:7: audit_inbox[0]: folder is missing"),
        ('customer = "Harbour"\nfolder = "b"\nstill = "0s"', 'firstline.toml:10: audit_inbox[0].still: "0s" is not a time (1s … 1d)'),
        ('customer = "Harbour"\nfolder = "b"\nrate = "d"', 'firstline.toml:10: audit_inbox[0].rate: unknown key; did you mean "rates"?'),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, table: str, problem: str) -> None:
    text = '\n[[customer]]\nname = "Harbour"\n\n\n\n[[audit_inbox]]\n' + table
    with pytest.raises(SettingsError) as refused:
        load(written(tmp_path, text))
    assert problem in str(refused.value.problems[0])


def test_two_inboxes_in_one_folder_are_refused(tmp_path: Path) -> None:
    text = WHOLE + '\n[[audit_inbox]]\ncustomer = "Harbour"\nfolder = "./bills"\n'
    with pytest.raises(SettingsError) as refused:
        load(written(tmp_path, text))
    assert 'audit_inbox[1].folder: "./bills" is the folder of Harbour already' in str(refused.value.problems[0])
