"""Compiles the message catalogues: a build hook of the wheel and of the editable install, and a script for a checkout."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent
DOMAIN = "firstline"
WRITTEN = datetime(2000, 1, 1, tzinfo=UTC)  # a date of now in its header would make each compilation another file


def compiled(catalogue: Path) -> bytes:
    """Return the binary form of one .po file; the same text always gives the same bytes. ValueError when it is malformed."""
    with catalogue.open("rb") as source:
        messages = read_po(source, locale=catalogue.parts[-3], domain=DOMAIN, abort_invalid=True)
    messages.creation_date = messages.revision_date = WRITTEN
    binary = BytesIO()
    write_mo(binary, messages)
    return binary.getvalue()


def build(folder: Path = HERE) -> list[Path]:
    """Write each catalogue's .mo file beside its .po file where it is missing or old; return what was written."""
    written = []
    for source in sorted(folder.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        target = source.with_suffix(".mo")
        binary = compiled(source)
        if not target.exists() or target.read_bytes() != binary:
            target.write_bytes(binary)
            written.append(target)
    return written


class CustomBuildHook(BuildHookInterface[Any]):
    """What hatchling calls before it packs a wheel or links an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the catalogues."""
        build(Path(self.root) / "reports" / "locale")


if __name__ == "__main__":
    for path in build():
        print(f"{path.relative_to(HERE)}: {path.stat().st_size} bytes")
