"""Published figures of pipeline schedules against what Stretto says of the same settings, row by row."""
