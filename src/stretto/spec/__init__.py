"""Every value that crosses a room: shapes, layouts, programs, batches, requests, traces, run files, errors."""
