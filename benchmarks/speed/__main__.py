"""Speed beside the peers: python -m benchmarks.speed [ROW ...] [--peers FOLDER] [--runs N] [--json FILE].

FOLDER holds the peers, unpacked: pip install --no-deps --target FOLDER bigvgan==2.4.1 librosa
A peer that is absent is said to be so in its row.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from benchmarks.speed import beside, cold, frechet, memory, preparing, sampling, table, training, vocoder

ROWS = {
    "cold": cold,
    "preparing": preparing,
    "sampling": sampling,
    "training": training,
    "frechet": frechet,
    "vocoder": vocoder,
    "memory": memory,
    "beside": beside,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"all unless told: {', '.join(ROWS)}")
    parser.add_argument("--peers", type=Path, help="folder of the peers' packages")
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each")
    parser.add_argument("--json", type=Path, help="file for the rows")
    asked = parser.parse_args()
    if unknown := set(asked.rows) - set(ROWS):
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    print(table.machine(), *table.HEAD, sep="\n", flush=True)
    rows = []
    for name in asked.rows or ROWS:
        for row in ROWS[name].measure(asked.runs, asked.peers):
            rows.append(row)
            print(table.line(row), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
