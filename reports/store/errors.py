"""What can be wrong with the store, said as what, where and cure; nothing half done is left behind by any of it.

Apart from the database's own errors (`plainly.py`), so that whoever only catches these need not import a database.
"""


class StoreError(Exception):
    """Base: `what` is wrong, `where` (no password in it), and the `cure`."""

    def __init__(self, what: str, where: str, cure: str) -> None:
        super().__init__(f"{what}: {where}; {cure}")
        self.what = what
        self.where = where
        self.cure = cure


class StoreAway(StoreError):
    """The store cannot be used now: away, locked, full, damaged. What was being written was not accepted; try again."""


class StoreInUse(StoreError):
    """Another service uses this store."""


class StoreNewer(StoreError):
    """The store was written by a newer program."""


class LimitReached(StoreError):
    """A stated limit is reached; what was beyond it was not kept."""
