"""From many findings to few causes: who lives, who is dark, what is poor, and what follows from what."""
