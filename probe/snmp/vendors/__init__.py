"""What vendors put where: one data file a vendor, read by probe.snmp.vendor."""
