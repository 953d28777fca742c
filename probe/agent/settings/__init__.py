"""The configuration: one TOML file and the inventory files it names, read strictly, with every problem at once."""
