"""SNMP: sessions to agents, the tables of the standard MIBs, and what vendors tell beyond them."""
