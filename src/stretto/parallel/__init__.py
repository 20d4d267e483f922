"""Ranks: starting them, and the collectives between them."""
