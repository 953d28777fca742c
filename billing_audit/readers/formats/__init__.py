"""The named formats, one a file: how each is told by its content, and where its fields stand."""
