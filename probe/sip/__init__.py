"""SIP as a client speaks it (RFC 3261): messages, digest authentication, transports, conversations."""
