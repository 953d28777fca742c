"""Reads rate decks: prefixes, prices and since when they hold."""
