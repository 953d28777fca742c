"""The store's address: PostgreSQL or nothing, and never with a password in it."""

from urllib.parse import urlsplit

from probe.agent.settings.document import Document
from probe.agent.settings.forms import StoreForm
from probe.agent.settings.reader import REFERENCE

SCHEMES = frozenset({"postgresql", "postgres"})


def check_store(form: StoreForm, main: Document) -> None:
    """Refuse an address that is none or carries a password. The address itself is not repeated: it may hold one."""
    if form.url is None:
        if form.password is not None:
            main.refuse(("store", "password"), "the embedded store has no password; set url too")
        return
    try:
        parts = urlsplit(form.url)
        secret = parts.password is not None or "password=" in parts.query.lower()
        fits = parts.scheme in SCHEMES and parts.path.strip("/") != "" and (parts.port is None or parts.port > 0)
    except ValueError:
        secret, fits = False, False
    if secret:
        main.refuse(("store", "url"), f"a password does not stand in this file; take it out of url, and {REFERENCE} as password")
    elif not fits:
        main.refuse(("store", "url"), "not the address of a store; write postgresql://user@host/database, or leave it out")
