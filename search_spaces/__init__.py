"""Concrete search spaces and benchmark tables."""
