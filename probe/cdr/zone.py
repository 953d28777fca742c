"""The time zone of call records whose times name none."""

import os
from zoneinfo import ZoneInfo

LOCALTIME = "/etc/localtime"


def zone_of(name: str) -> ZoneInfo:
    """Return a zone by its IANA name, or for "" the one that this machine runs by: switches write local time; ZoneInfoNotFoundError."""
    return ZoneInfo(name or own_name())


def own_name(environment: "os._Environ[str] | dict[str, str]" = os.environ, localtime: str = LOCALTIME) -> str:
    """Return the name of this machine's zone: $TZ (tzset(3)), what /etc/localtime leads to (localtime(5)), else UTC as without either."""
    told = environment.get("TZ", "").removeprefix(":")
    place = told if told.startswith("/") else os.path.realpath(localtime) if not told else ""
    name = place.rpartition("/zoneinfo/")[2] if "/zoneinfo/" in place else told if not place else ""
    try:
        return ZoneInfo(name).key if name else "UTC"
    except (ValueError, OSError, KeyError):
        return "UTC"
