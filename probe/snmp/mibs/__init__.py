"""One standard MIB a file: which columns are read, and which sample they become."""
