"""One question of a device a file: its system, environment, optics, routing, cabling."""
