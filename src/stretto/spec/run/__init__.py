"""The tables of a run file, one small file a group, and the whole: `RunConfig`."""
