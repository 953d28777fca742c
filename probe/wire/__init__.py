"""The bytes of the databases' protocols: bounded connections, messages, logins; asked by the probers, judged by nobody here."""
