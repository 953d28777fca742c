"""What one DNS query saw."""

import msgspec


class DnsSample(msgspec.Struct, frozen=True, tag="dns", gc=False):
    """One answer of a DNS server (RFC 1035): rcode by name ("NOERROR"), flags and the answer section as text.

    `answers` holds "name type data" of each answer record in the order sent; `took_ms` is query to answer.
    `matches` is None when no expected answer was configured; `expected` is then empty, else the pattern. `truncated` says that the
    answer did not fit in UDP and came over TCP. `authority_wanted` says that only an authoritative answer will do.
    """

    server: str
    name: str
    rrtype: str
    rcode: str
    authoritative: bool
    recursion_available: bool
    truncated: bool
    answers: tuple[str, ...]
    took_ms: float
    matches: bool | None = None
    expected: str = ""
    authority_wanted: bool = False
