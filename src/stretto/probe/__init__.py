"""What this machine offers, measured."""
