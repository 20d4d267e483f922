"""What tests of Stretto and of programs built on it need: ranks, faults, small data."""
