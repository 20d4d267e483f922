"""Which rank holds and does what, and which layouts can run."""
