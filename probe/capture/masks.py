"""Numbers as they may be shown to anyone."""


def mask(number: str) -> str:
    """Return a number or name with its last digits hidden: four of seven or more characters, two of fewer."""
    hidden = 4 if len(number) >= 7 else 2
    return number[: max(0, len(number) - hidden)] + "*" * min(hidden, len(number))
