"""Ways of writing a telephone number, learned from two bills and made one."""
