"""Schedule search beside the published results of the zero-bubble heuristics: bubble rates at the same memory.

Every row of a table of published bubble rates (columns of benchmarks/data/pipeline_tables.csv; `--rows` takes another)
that states a memory cap is searched for, with the paper's accounting of memory (what I leaves until W is 32h of
34h + 5as) and with none left: `stretto.schedule.search` with one and two chunks a rank for rows of ZB-V, and with one
for rows of ZB-auto; `zb-auto` is the generator of that name. Writes benchmarks/results/search.json.

    python benchmarks/search.py [--rows FILE.csv] [--seconds 4] [--accounting paper none]
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import re
import time
from pathlib import Path
from typing import Any

from stretto.schedule.generators.zb_auto import zb_auto
from stretto.schedule.memory import peaks
from stretto.schedule.search import search
from stretto.schedule.timing import timing
from stretto.spec.costs import PassCosts

HERE = Path(__file__).parent
WIDTHS = {"1.5B": (2304, 24), "6.2B": (4096, 32), "14.6B": (5120, 40), "28.3B": (6144, 48)}
TOKENS = 1024
FIXED_CAPS = {"ZB-1p": 1.0, "ZB-2p": 2.0, "ZB-V": 1.0}


def kept_share(model: str) -> float:
    """What I leaves until W, as a share of what F stores: M_W / M_B of the paper's table 1."""
    width, heads = WIDTHS[model]
    return 32 * width / (34 * width + 5 * heads * TOKENS)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows that state a bubble rate under a memory cap, as numbers."""
    rows = []
    for row in csv.DictReader(path.open(encoding="utf-8")):
        cap = re.search(r"M_limit=([\d.]+)\*p", row["note"])
        share = float(cap[1]) if cap else FIXED_CAPS.get(row["schedule"])
        if share is None or row["metric"] != "bubble_rate" or row["model"] not in WIDTHS or not row["tf"]:
            continue
        times = {name: float(row[name]) for name in ("tf", "tb", "tw", "tcomm")}
        sizes = {"p": int(row["p"]), "m": int(row["m"]), "cap": share}
        names = {name: row[name] for name in ("table", "model", "schedule")}
        digits = len(row["value"].partition(".")[2])
        rows.append({**names, **sizes, **times, "published": float(row["value"]), "digits": digits})
    return rows


def bubble(row: dict[str, Any], span: float) -> float:
    """Bubble rate of a longest span."""
    return 1 - row["m"] * (row["tf"] + row["tb"] + row["tw"]) / span


def measure(row: dict[str, Any], accounting: str, seconds: float) -> dict[str, Any]:
    """Search for one row."""
    costs = PassCosts(
        forward=row["tf"],
        input_grad=row["tb"],
        weight_grad=row["tw"],
        transfer=row["tcomm"],
        weight_activation=kept_share(row["model"]) if accounting == "paper" else 0.0,
    )
    ranks, cap = row["p"], row["cap"] * row["p"]
    chunks = (1, 2) if row["schedule"].startswith("ZB-V") else (1,)
    found = search(
        costs,
        ranks=ranks,
        microbatches=row["m"],
        memory_cap=cap,
        chunks=chunks,
        measure="span",
        seconds=seconds,
    )
    result = {**row, "accounting": accounting, "ours": bubble(row, found.value), "seconds": found.seconds}
    result |= {"peak": max(found.peaks), "bound": bubble(row, found.lower_bound), "trials": found.trials}
    result["kind"] = found.program.kind
    if chunks == (1,):
        start = time.perf_counter()
        program = zb_auto(ranks, row["m"], costs, cap)
        result["zb_auto_seconds"] = time.perf_counter() - start
        result["zb_auto"] = bubble(row, max(timing(program, costs).spans))
        assert max(peaks(program, costs)) <= cap + 1e-9
    result["met"] = result["ours"] <= row["published"] + 1e-4
    return result


def show(result: dict[str, Any]) -> str:
    """One line of the table."""
    auto = f" zb-auto {result['zb_auto']:.5f} in {result['zb_auto_seconds']:.1f} s" if "zb_auto" in result else ""
    return (
        f"{result['table']:10} {result['model']:6} p={result['p']:2} m={result['m']:3} {result['schedule']:18} "
        f"cap {result['cap']:.3f}p {result['accounting']:5}: published {result['published']:.5f} ours "
        f"{result['ours']:.5f} difference {result['ours'] - result['published']:+.5f} {result['seconds']:.1f} s "
        f"{result['trials']} trials{auto}{'' if result['met'] else '  WORSE'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, default=HERE / "data" / "pipeline_tables.csv")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--accounting", nargs="+", default=["paper", "none"], choices=["paper", "none"])
    parser.add_argument("--only", default="", help="a part of the schedule's name")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "search.json")
    arguments = parser.parse_args()
    results = []
    for row in read_rows(arguments.rows):
        if arguments.only in row["schedule"]:
            for accounting in arguments.accounting:
                results.append(measure(row, accounting, arguments.seconds))
                print(show(results[-1]), flush=True)
    for accounting in arguments.accounting:
        rows = [result for result in results if result["accounting"] == accounting]
        autos = [result for result in rows if "zb_auto" in result]
        print(f"{accounting}: search meets {sum(r['met'] for r in rows)} of {len(rows)} rows, zb-auto alone "
              f"{sum(r['zb_auto'] <= r['published'] + 1e-4 for r in autos)} of {len(autos)}")  # fmt: skip
    machine = {"processor": platform.processor() or platform.machine(), "python": platform.python_version()}
    result = {"machine": machine, "seed": 0, "seconds": arguments.seconds, "rows": results}
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
