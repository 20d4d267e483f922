"""The commands: one file each, read, act, report."""
