"""The named formats: name → import path, tried in this order; a file that none claims is read by its headers."""

FORMATS: dict[str, str] = {}
