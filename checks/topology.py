"""What hangs together, and what a measurement crosses on its way: nodes and links as seen from the agent's place."""

from probe.inventory import Inventory


class Topology:
    """The network of an inventory. Built once for each configuration; nothing in it changes."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
