"""Benchmarks, run by hand: ``python benchmarks/run.py`` prints a table, ``--record`` also writes baseline.json.

Channels: residual + Jacobian of 10,000 states, as a multiple of one call of scipy.special.log_ndtr on all the nodes of
their averages (the bar is 2). A hand-written, cache-blocked numpy version of the storage model is measured beside them.
Continuation: evaluations of F with its Jacobian per point (the bar is 4). Local entropies: residual + Jacobian of 1,000
states of infinitely many replicas, as a multiple of log H once on their nodes (the bar is 10). Everything else: seconds,
with a bar, and a ratio to a smaller piece of work measured in the same run.

Candidates take turns and the best round counts; BLAS runs on one thread. Ratios can be compared between machines,
seconds only on one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is imported, hence the order below
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import channels, commands, continuation, local_entropy

BASELINE = Path(__file__).resolve().with_name("baseline.json")
Results = dict[str, dict[str, float]]


def measure(*, batch: int = 10_000, rounds: int = 30, processes: int = 3) -> dict[str, Results]:
    """All benchmarks: group, then name, then numbers."""
    results: dict[str, Results] = {"channels": channels.measure(batch, rounds)}
    results["calls"] = {
        "one solve, default guess": commands.solve(2 * rounds),
        "one zero-entropy point": commands.special_point(rounds),
    }
    results["continuation"] = {
        "evaluations per point of a branch": continuation.evaluations_per_point(),
        "spinodal of the binary teacher-student": continuation.spinodal_point(max(2, rounds // 3)),
        "alpha_c(kappa), 31 points": continuation.capacity_line(max(1, rounds // 10)),
    }
    results["local entropy"] = {
        "y -> infinity, random features": local_entropy.infinitely_many(min(batch, 1000), max(1, rounds // 5)),
        "alpha_LE of random features": local_entropy.transition(max(1, rounds // 10)),
        "Franz-Parisi curve, 50 points": local_entropy.curve(rounds=max(1, rounds // 15)),
        "the same with random features, 20 points": local_entropy.curve("random-features-binary", 20, 1),
    }
    if processes:
        results["processes"] = {"spinodal --help": commands.command_start(2 * processes)}
        results["processes"] |= commands.derivation(processes)
    return results


def table(results: Mapping[str, Results], baseline: Mapping[str, Results] | None = None) -> str:
    """The results as text; the quantity with a bar, or the ratio, is compared with the recorded baseline."""
    lines = [f"{'benchmark':<46}{'measured':>12}{'bar':>9}{'recorded':>11}   also"]
    for group, entries in results.items():
        for name, entry in entries.items():
            key = "ratio" if "ratio" in entry else "seconds"
            unit = "x" if key == "ratio" else " s"
            known = (baseline or {}).get(group, {}).get(name, {}).get(key)
            bar = f"{entry['bar']:g}{unit}" if "bar" in entry else ""
            recorded = f"{known:.3g}{unit}" if known is not None else ""
            late = " !" if "bar" in entry and entry[key] > entry["bar"] else ""
            also = ", ".join(f"{k} {v:.3g}" for k, v in entry.items() if k not in (key, "bar"))
            lines.append(f"{name:<46}{entry[key]:>10.3g}{unit:<2}{bar:>9}{recorded:>11}   {also}{late}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the suite."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help=f"write {BASELINE.name}")
    parser.add_argument("--no-processes", action="store_true", help="leave out what starts processes")
    options = parser.parse_args(arguments)
    results = measure(processes=0 if options.no_processes else 3)
    recorded = json.loads(BASELINE.read_text(encoding="utf-8"))["results"] if BASELINE.exists() else None
    print(table(results, recorded))
    if options.record:
        document = {
            "date": datetime.now(UTC).date().isoformat(),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "versions": {name: version(name) for name in ("spinodal", "numpy", "scipy", "sympy")},
            "results": results,
        }
        BASELINE.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
