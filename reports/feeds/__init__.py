"""Where case events go: one system a file, all through the outbox."""
