"""One file a schedule."""
