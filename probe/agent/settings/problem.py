"""What is wrong in a configuration, and where."""

from collections.abc import Iterable

import msgspec

from probe.agent.settings.toml_lines import Path, spell


class Problem(msgspec.Struct, frozen=True, order=True):
    """One mistake: file as the user named it, line (0: the file as a whole), path in the file ("" likewise), and what is wrong."""

    file: str
    line: int
    path: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.path}: {self.text}" if self.path else f"{where}: {self.text}"


class SettingsError(Exception):
    """The configuration can't be used; `problems` holds every mistake, sorted by file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__(summary(self.problems))


def summary(problems: tuple[Problem, ...]) -> str:
    """Return the closing line of a report ("3 problems; nothing was started.")."""
    return f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}; nothing was started."


def show_path(path: Path) -> str:
    """Return a path as people write it: ("node", 2, "check", 0, "every") is `node[2].check[0].every`."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            shown += f".{spell(part)}" if shown else spell(part)
    return shown
