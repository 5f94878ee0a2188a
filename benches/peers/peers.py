"""Runs `chalkc run` and its peers in turn over the same files, and prints one table: started by `run.sh`.

`peers.py compare` is the table of peers; `peers.py whole-path` is `chalkc run` against the resolver bench, which does the same work on messages
that lie in memory. A figure is the median of the rounds; in each round everybody has a turn, in a process of its own, pinned to the cores. Before
anything is timed, every contender's rows are digested and must be equal.

This file must not know how a peer is asked.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from cases import CASES
from digest import Digest, difference

HERE = Path(__file__).resolve().parent
WARM_UP_BYTES = 8 << 20


class Failed(Exception):
    """Somebody could not do it: why."""


def pinned(cpus):
    return {"preexec_fn": lambda: os.sched_setaffinity(0, cpus)}


def run_contender(options, peer, case, file, mode):
    arguments = [peer, case.name, str(len(options.cpus)), str(file), str(file) + ".head.jsonl", mode]
    environment = {**os.environ, "POLARS_MAX_THREADS": str(len(options.cpus))}
    done = subprocess.run(
        [sys.executable, "-B", str(HERE / "contender.py"), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        **pinned(options.cpus),
    )
    if done.returncode != 0:
        raise Failed((done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


def chalkc_command(options, case, file, form, threads):
    package = str(HERE / case.package)
    return [options.chalkc, "run", package, "--input", f"updates={file}", "--threads", str(threads), "--format", form, "--quiet"]


def time_chalkc(options, case, file, form, cpus):
    """Wall and CPU seconds of the whole process: start, compiling and all."""
    command = chalkc_command(options, case, file, form, len(cpus))
    start = time.perf_counter()
    process = subprocess.Popen([*command, "--output", os.devnull], **pinned(cpus))
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Failed(f"chalkc ended with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime


def check_chalkc(options, case, file):
    import pyarrow as pa

    digest = Digest()
    with subprocess.Popen(chalkc_command(options, case, file, "arrow", len(options.cpus)), stdout=subprocess.PIPE) as process:
        for batch in pa.ipc.open_stream(process.stdout):
            digest.add(batch)
    if process.returncode != 0:
        raise Failed(f"chalkc ended with {process.returncode}")
    return digest.data()


def prepare_file(options, shape):
    """The file of a shape, made where it is not there yet, and read into the page cache; its bytes and lines."""
    file = options.data / f"{shape}-{options.megabytes}.jsonl"
    if not file.exists():
        unfinished = file.with_suffix(".unfinished")
        subprocess.run([options.write_messages, shape, str(options.megabytes * 1_000_000), str(unfinished)], check=True)
        unfinished.rename(file)
    head = Path(str(file) + ".head.jsonl")
    lines, size_bytes = 0, 0
    with open(file, "rb") as bytes_of, open(head, "wb") as head_of:
        while piece := bytes_of.read(WARM_UP_BYTES):
            if size_bytes == 0:
                head_of.write(piece[: piece.rfind(b"\n") + 1])
            lines += piece.count(b"\n")
            size_bytes += len(piece)
    return file, size_bytes, lines


def conditions(options):
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    cores = ", ".join(str(cpu) for cpu in sorted(options.cpus))
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"{model[1] if model else 'unknown processor'}; cores {cores} of {os.cpu_count()}; load before: {load}", flush=True)


def compare(options):
    conditions(options)
    print(f"median of {options.rounds} rounds; warm page cache; chalkc: the whole process, writing an Arrow stream; peers: the query alone,")
    print("to Arrow in memory, in the fastest of their ways\n")
    print("| case | who | way | s | MB/s | M rows/s | chalkc is |")
    print("|---|---|---|---|---|---|---|", flush=True)
    wrong = 0
    for case in CASES:
        if options.case and case.name not in options.case:
            continue
        file, size_bytes, lines = prepare_file(options, case.shape)
        expected = check_chalkc(options, case, file)
        if expected["rows"] != lines:
            raise SystemExit(f"{case.name}: chalkc gives {expected['rows']} rows of {lines} messages")
        contenders, notes = [], {}
        for peer in options.peers:
            try:
                found = run_contender(options, peer, case, file, "check")
            except Failed as why:
                print(f"| {case.name} | {peer} | cannot: {why} | | | | |", flush=True)
                continue
            differs = difference(expected, found)
            if differs == "rows":
                wrong += 1
                print(f"| {case.name} | {peer} | other rows: {found}, and chalkc {expected} | | | | |", flush=True)
                continue
            if differs:
                notes[peer] = ", floats differ in their last bits"
            contenders.append(peer)
        times = {("chalkc", "arrow"): []}
        for _ in range(options.rounds):
            times["chalkc", "arrow"].append(time_chalkc(options, case, file, "arrow", options.cpus)[0])
            for peer in contenders:
                timed = run_contender(options, peer, case, file, "time")
                assert timed["rows"] == lines, (peer, timed)
                for way, seconds in timed["seconds"].items():
                    times.setdefault((peer, way), []).append(seconds)
        ours = statistics.median(times["chalkc", "arrow"])
        for who in ["chalkc", *contenders]:
            seconds, way = min((statistics.median(all_of), way) for (name, way), all_of in times.items() if name == who)
            ratio = "" if who == "chalkc" else f"{seconds / ours:.1f}×"
            rates = f"{size_bytes / seconds / 1e6:.0f} | {lines / seconds / 1e6:.2f}"
            print(f"| {case.name} | {who} | {way}{notes.get(who, '')} | {seconds:.2f} | {rates} | {ratio} |", flush=True)
    if wrong:
        raise SystemExit(f"{wrong} contenders gave other rows")


def whole_path(options):
    conditions(options)
    case = next(case for case in CASES if case.name == "user")
    file, size_bytes, lines = prepare_file(options, case.shape)
    one, two = {max(options.cpus)}, set(sorted(os.sched_getaffinity(0))[:2])
    ways = {"arrow, one core": ("arrow", one), "json, one core": ("json", one)}
    if len(two) == 2:
        ways |= {"arrow, two cores": ("arrow", two), "json, two cores": ("json", two)}
    bench, wall, cpu = [], {way: [] for way in ways}, {way: [] for way in ways}
    for _ in range(options.rounds):
        printed = subprocess.run([options.resolver_bench], capture_output=True, text=True, check=True, **pinned(one)).stdout
        bench.append(float(printed.strip().splitlines()[-1].split("|")[1]))
        for way, (form, cpus) in ways.items():
            seconds, used = time_chalkc(options, case, file, form, cpus)
            wall[way].append(seconds)
            cpu[way].append(used)
    bench_ns = statistics.median(bench)
    print(f"{lines} messages, {size_bytes / 1e9:.2f} GB; medians of {options.rounds}; the resolver bench: {bench_ns:.1f} ns of CPU time a message\n")
    print("| chalkc run | wall ns a message | CPU ns a message | MB/s | of the resolver bench, by wall | by CPU time | of one core |")
    print("|---|---|---|---|---|---|---|")
    for way, (form, cpus) in ways.items():
        seconds, used = statistics.median(wall[way]), statistics.median(cpu[way])
        wall_ns, cpu_ns = seconds * 1e9 / lines, used * 1e9 / lines
        scale = "" if len(cpus) == 1 else f"{statistics.median(wall[f'{form}, one core']) / seconds:.2f}×"
        of_bench = f"{bench_ns / wall_ns / len(cpus):.0%} | {bench_ns / cpu_ns:.0%}"
        print(f"| {way} | {wall_ns:.1f} | {cpu_ns:.1f} | {size_bytes / seconds / 1e6:.0f} | {of_bench} | {scale} |")


def parse_cpus(text):
    return {int(cpu) for cpu in text.split(",")}


def main():
    parser = argparse.ArgumentParser(prog="benches/peers/run.sh")
    parser.add_argument("what", choices=["compare", "whole-path"])
    parser.add_argument("--cpus", type=parse_cpus, default={max(os.sched_getaffinity(0))}, help="cores, such as 1 or 0,1; the last one alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=1000, help="of each file")
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], help="this case alone; may be repeated")
    parser.add_argument("--data", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--chalkc", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--write-messages", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--resolver-bench", default="", help=argparse.SUPPRESS)
    parser.add_argument("--peers", type=lambda text: text.split(), default=[], help=argparse.SUPPRESS)
    options = parser.parse_args()
    {"compare": compare, "whole-path": whole_path}[options.what](options)


if __name__ == "__main__":
    main()
