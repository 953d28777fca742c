"""An operator simulated on one machine for a newcomer: `firstline demo`."""
