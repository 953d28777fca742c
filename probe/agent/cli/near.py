"""What a mistyped word may have meant."""

from collections.abc import Iterable

import click


def unknown(what: str, word: str, known: Iterable[str], ctx: click.Context) -> click.UsageError:
    """Return the error of a word that is not known: the nearest one that is, else all of them."""
    from difflib import get_close_matches

    names = sorted(known)
    near = get_close_matches(word, names, 1)
    cure = f'; did you mean "{near[0]}"?' if near else f"; there are: {', '.join(names)}"
    return click.UsageError(f'no {what} named "{word}"{cure}', ctx)
