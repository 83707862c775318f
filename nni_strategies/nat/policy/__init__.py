"""Networks that say which operation each edge of an architecture should become."""
