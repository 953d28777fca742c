"""The message catalogues, English and Chinese."""
