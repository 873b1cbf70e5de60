"""Training steps of Cotan beside PyTorch eager and libtorch.

    python3 bench/peers/compare.py --ours build/release/bench/training_steps --libtorch build/peers/libtorch_steps [--json FILE]

Run by an interpreter that has the package torch (or with --no-eager). One process for each program stays open; one at a time measures a short slice of steps of
one model: fused, unfused, eager, libtorch, fused, unfused, ... so that whatever else the machine does meets all of them. A time is the median over the
rounds of the slices' medians, a ratio the median over the rounds of the ratios within a round. Two other figures are for a busy machine: --statistic least
takes the fastest step of all rounds, --statistic cpu processor time, which compares programs of one thread (--threads 1) fairly. The last table
compares the memory that a step needs beside parameters, inputs and the optimizer's state.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys

MODELS = ["c1", "c1_1000", "mlp", "cnn", "transformer", "elementwise", "norm"]
MEMORY_MODELS = ["c1", "mlp_sgd", "cnn_sgd"]
PEERS = ["eager", "libtorch"]
# Of each: the figure of a slice, and what is made of it over the rounds.
STATISTICS = {"median": ("time_us", statistics.median), "least": ("min_us", min), "cpu": ("cpu_us", statistics.median)}


class Server:
    """A program that measures slices: it reads "MODEL SIDE SECONDS" and answers with a line of JSON."""

    def __init__(self, command, environment=None):
        self.command = command
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
        )

    def measure(self, model, side, seconds):
        try:
            self.process.stdin.write(f"{model} {side} {seconds}\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(f"compare.py: {' '.join(self.command)} ended at '{model} {side}'; its own message is above")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def start(given):
    """The server of each side, in the order of measurement."""
    threads = str(given.threads)
    ours = Server([given.ours, "--serve"], {"COTAN_THREADS": threads})
    sides = {"fused": ours, "unfused": ours}
    if not given.no_eager:
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "eager_steps.py")
        sides["eager"] = Server([sys.executable, script, "--serve", "--threads", threads])
    if given.libtorch:
        sides["libtorch"] = Server([given.libtorch, "--serve", "--threads", threads])
    return sides


def measure(sides, models, rounds, seconds):
    """Of each model and side, the answers of all rounds."""
    slices = {m: {s: [] for s in sides} for m in models}
    for model in models:
        for side, server in sides.items():  # builds the model, compiles, warms up
            server.measure(model, side, 0)
    for r in range(rounds):
        for model in models:
            for side, server in sides.items():
                slices[model][side].append(server.measure(model, side, seconds))
        print(f"round {r + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return slices


def summary(slices, statistic):
    """One model's times in microseconds and ratios, from its slices."""
    field, over_rounds = STATISTICS[statistic]
    times = {s: over_rounds(a[field] for a in answers) for s, answers in slices.items()}
    # The least times were not taken side by side; their ratio is the ratio of the sides' own figures.
    rounds = [times] if statistic == "least" else [{s: slices[s][r][field] for s in slices} for r in range(len(slices["fused"]))]
    peers = [p for p in PEERS if p in times]
    out = {"time_us": times, "fused_to_unfused": statistics.median(r["fused"] / r["unfused"] for r in rounds)}
    if peers:
        peer = min(peers, key=times.get)
        out["faster_peer"] = peer
        out["unfused_to_peer"] = statistics.median(r["unfused"] / r[peer] for r in rounds)
        out["fused_to_peer"] = statistics.median(r["fused"] / r[peer] for r in rounds)
    return out


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(v) for v in values))


RATIOS = {"fused_to_unfused": "fused / unfused", "unfused_to_peer": "unfused / faster peer", "fused_to_peer": "fused / faster peer"}


def print_times(results):
    sides = list(next(iter(results.values()))["time_us"])
    ratios = [r for r in RATIOS if r in next(iter(results.values()))]
    print("| model |", " | ".join(f"{s}, µs" for s in sides), "|", " | ".join(RATIOS[r] for r in ratios), "|")
    print("|:--|" + "--:|" * (len(sides) + len(ratios)))
    for model, result in results.items():
        times = " | ".join(f"{result['time_us'][s]:.0f}" for s in sides)
        print(f"| {model} | {times} |", " | ".join(f"{result[r]:.2f}" for r in ratios), "|")
    means = " | ".join(f"{geometric_mean([x[r] for x in results.values()]):.2f}" for r in ratios)
    print("| geometric mean |" + " |" * len(sides), means, "|")


def print_memory(peaks):
    print("| model | fused, MB | unfused, MB | libtorch, MB | fused / libtorch |")
    print("|:--|--:|--:|--:|--:|")
    for model, peak in peaks.items():
        print(f"| {model} |", " | ".join(f"{peak[s] / 1e6:.3f}" for s in ("fused", "unfused", "libtorch")), f"| {peak['fused'] / peak['libtorch']:.2f} |")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--ours", required=True, metavar="PROGRAM", help="bench/training_steps of Cotan's build")
    arguments.add_argument("--libtorch", metavar="PROGRAM", help="libtorch_steps; without it, libtorch is left out")
    arguments.add_argument("--no-eager", action="store_true", help="leave PyTorch eager out")
    arguments.add_argument("--models", default=",".join(MODELS), help="names, with commas between them (%(default)s)")
    arguments.add_argument("--rounds", type=int, default=9, help="how often each is measured (%(default)s)")
    arguments.add_argument("--seconds", type=float, default=0.3, help="length of a slice; at least five steps (%(default)s)")
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of every program (%(default)s)")
    arguments.add_argument("--statistic", choices=STATISTICS, default="median", help="what is compared (%(default)s)")
    arguments.add_argument("--json", metavar="FILE", help="write everything that was measured")
    given = arguments.parse_args()
    if given.rounds < 1:
        arguments.error("--rounds must be at least 1")

    load = os.getloadavg()[0]
    sides = start(given)
    slices = measure(sides, given.models.split(","), given.rounds, given.seconds)
    results = {model: summary(s, given.statistic) for model, s in slices.items()}
    peaks = {}
    if "libtorch" in sides:
        peaks = {m: {s: sides[s].measure(m, s, 0)["peak_bytes"] for s in ("fused", "unfused", "libtorch")} for m in MEMORY_MODELS}
    for server in sides.values():
        server.close()

    print_times(results)
    if peaks:
        print()
        print_memory(peaks)
    loads = [load, os.getloadavg()[0]]
    print(f"\n{given.statistic} of {given.rounds} rounds of {given.seconds} s, {given.threads} threads, load {loads[0]:.1f} to {loads[1]:.1f}")
    if given.json:
        about = {"statistic": given.statistic, "threads": given.threads, "rounds": given.rounds, "seconds": given.seconds, "load": loads}
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump({"about": about, "models": results, "peak_bytes": peaks, "slices": slices}, file, indent=1)


if __name__ == "__main__":
    main()
