"""Which weights an asynchronous rank's passes name, and which were the newest when they ran."""

from stretto.spec.program import State


def updates(rank):
    """The versions that its updates make, in order."""
    return [record.version for record in rank if isinstance(record, State)]


def versions_read(rank):
    """(kind, microbatch) -> (the version it reads, the newest there was)."""
    newest, found = 0, {}
    for record in rank:
        if isinstance(record, State):
            newest = record.version
        else:
            found[record.kind, record.microbatch] = record.version, newest
    return found
