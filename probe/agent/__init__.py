"""The service and the command line: the only modules that wire the rooms together."""
