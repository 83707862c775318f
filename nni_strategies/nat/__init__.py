"""NAT: transforms an architecture into a better one that never costs more."""
