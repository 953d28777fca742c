"""The written flow of a complaint (B network, C equipment): it orders what is measured; the verdict is always `correlate`'s."""
