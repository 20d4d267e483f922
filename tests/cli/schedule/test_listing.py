"""`stretto schedule list`: all kinds."""

import json

from stretto.cli.main import main
from stretto.schedule.registry import KINDS

NAMED = (
    "gpipe, 1f1b, interleaved-1f1b, breadth-first, zb-h1, zb-h2, zb-auto, zb-v, v-half, v-min, interleaved-zb, "
    "bitpipe, chimera, dualpipe, dualpipe-v, sliced-1f1b, sliced-zb, skip, pipedream, pipelined-backprop, forward-only"
)


def test_every_kind_is_listed(capsys):
    assert main(["schedule", "list", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["kinds"]) == list(KINDS) == NAMED.split(", ")
    assert main(["schedule", "list"]) == 0
    shown = capsys.readouterr().out
    for name, kind in KINDS.items():
        assert name in shown
        assert kind.summary in shown
