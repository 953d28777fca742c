"""One protocol a file: its Options, its `open()`, what it asks."""
