"""Writes what tools/bench/infer measured: raw.json with every run, and README.md with medians, ratios and goals."""
import json
import statistics

from report import MIB, shortened, table

# (required, goal) against the best of the others, by network and batch.
AGAINST_PEERS = {("resnet18", 32): (1.3, 1.75), ("resnet18", 1): (1.15, 1.75), ("resnet50", 32): (1.1, 1.3),
                 ("resnet50", 1): (1.1, 1.3)}
TITLES = {"resnet18": "ResNet-18", "resnet50": "ResNet-50"}


def ratio(ours, peers, what="images_per_second"):
    """The median of the rounds' ratios: the two of a round ran one after the other, on the same machine in the same
    mood."""
    return statistics.median(our[what] / peer[what] for our, peer in zip(ours, peers))


def against_peers(runs, network, batch):
    """Each peer's name and how many times as fast imrec is; the strongest peer first."""
    start = f"{network}/{batch}/"
    ours = runs.get(start + "imrec")
    if not ours:
        return []
    return sorted(((name[len(start):], ratio(ours, found)) for name, found in runs.items()
                   if name.startswith(start) and name != start + "imrec"), key=lambda pair: pair[1])


def two_at_once(name, batch):
    """OpenVINO's `throughput` has a request on each core: with batches of 1 that is not the time of one image."""
    return batch == 1 and name.endswith("/throughput")


def goals(runs, medians):
    for (network, batch), limits in AGAINST_PEERS.items():
        found = [pair for pair in against_peers(runs, network, batch) if not two_at_once(pair[0], batch)]
        if not found:
            continue
        name, best = found[0]
        for limit, which in zip(limits, ("required", "goal")):
            yield (f"{TITLES[network]}, batch {batch}, against {name}: {which}", f"at least {limit}x", f"{best:.2f}x",
                   best >= limit)
    if "load/resnet50" in medians:
        seconds = medians["load/resnet50"]["load_seconds"]
        yield "loading ResNet-50", "under 0.5 s", f"{seconds:.2f} s", seconds < 0.5
    if "memory/resnet152" in medians:
        peak = medians["memory/resnet152"]["peak_bytes"]
        yield "peak memory of ResNet-152, one image", "under 450 MB", f"{peak / 1e6:.0f} MB", peak < 450e6
    for what, title in (("transform", "transform of a folder against the bare engine"),
                        ("host", "host with 16 clients against the bare engine")):
        if runs.get(f"{what}/imrec"):
            found = ratio(runs[f"{what}/imrec"], runs[f"{what}/bare-engine"])
            yield title, "at least 0.9x", f"{found:.2f}x", found >= 0.9


def write(out, facts, stages, names):
    """`names`: what to call the folders of this machine in the commands that are shown."""
    records = [case.record() for stage in stages.values() for case in stage]
    for record in records:
        record["command"] = shortened(record["command"], names)
    runs = {record["name"]: record["runs"] for record in records}
    medians = {record["name"]: record["median"] for record in records}
    judged = list(goals(runs, medians))
    kernels = [case.facts.get("kernels") for stage in stages.values() for case in stage if getattr(case, "facts", None)]
    facts = {**facts, "kernels": kernels[0] if kernels else "unknown"}
    out.mkdir(parents=True, exist_ok=True)
    raw = {**facts, "cases": records, "goals": [dict(zip(("what", "goal", "found", "met"), goal)) for goal in judged]}
    (out / "raw.json").write_text(json.dumps(raw, indent=1) + "\n")
    (out / "README.md").write_text("\n".join(readme(facts, records, judged, runs, medians)) + "\n")


def speeds(records, runs):
    for network, batch in AGAINST_PEERS:
        ratios = dict(against_peers(runs, network, batch))
        for record in records:
            start = f"{network}/{batch}/"
            if not record["name"].startswith(start):
                continue
            name = record["name"][len(start):]
            found = [run["images_per_second"] for run in record["runs"]]
            shown = f"{ratios[name]:.2f}x" if name in ratios else ""
            if two_at_once(name, batch):
                name += " (two images at once)"
            yield (TITLES[network], batch, name, f"{record['median']['images_per_second']:.1f}",
                   f"{min(found):.1f} to {max(found):.1f}", len(found), shown)


def remarks(facts, medians):
    yield ("- Single precision, 3 x 224 x 224, 1000 classes, pre-activation networks with the same random weights for "
           "every program; each one's probabilities were compared with MXNet's first. ONNX Runtime with all its "
           "optimisations; OpenVINO held to f32, with the hint `latency` (one batch at a time) and with `throughput` "
           "(one stream and one request per core); ncnn with Winograd, packing and sgemm, BatchNorm folded, one image "
           "at a time.")
    if "host/imrec" in medians:
        host = medians["host/imrec"]
        yield ("- host: wrk on the same machine sends one photograph from 16 connections; half of the answers came "
               f"within {host['p50_ms']:.0f} ms, 99 % within {host['p99_ms']:.0f} ms; /ping meanwhile took "
               f"{host['ping_p50_ms']:.1f} ms (median), {host['ping_worst_ms']:.1f} ms at worst.")
    if "transform/imrec" in medians:
        yield (f"- transform: {'photographs' if facts['photographs'] == 'real' else 'pictures of `imrec sample`'}, "
               "read, decoded, resized, classified and their outputs written; the time to load the model is left out.")
    if facts["realtime"]:
        yield ("- The programs ran at real-time priority (`chrt --fifo 10`), because other programs used the machine; "
               "the system gives such programs at most 95 % of each second.")


def readme(facts, records, judged, runs, medians):
    machine = facts["machine"]
    lines = [f"# Inference, {facts['date']}", ""]
    if facts["quick"]:
        lines += ["**A check of the bench with one short run: these are no figures.**", ""]
    lines += [f"{facts['threads']} threads for every program; imrec's {facts['kernels']} kernels. The programs ran in "
              "turn (A B C A B C ...), after one round that does not count; a ratio is the median of the rounds' "
              "ratios.", "", "## Goals", ""]
    lines += table(["what", "goal", "found", ""],
                   [(what, goal, found, "met" if met else "**missed**") for what, goal, found, met in judged])
    compared = list(speeds(records, runs))
    if compared:
        lines += ["", "## Images a second", ""]
        lines += table(["network", "batch", "engine", "median", "lowest to highest", "runs", "imrec against it"],
                       compared)
    others = [(record["name"], f"{record['median']['images_per_second']:.1f}", f"{record['median']['seconds']:.2f}",
               len(record["runs"]),
               f"{record['median']['peak_bytes'] / MIB:.0f}" if "peak_bytes" in record["median"] else "")
              for record in records if not record["name"].startswith("resnet")]
    if others:
        lines += ["", "## Other figures", ""]
        lines += table(["case", "images/s", "seconds", "runs", "peak MiB"], others)
    lines += ["", *remarks(facts, medians), "", "## Machine and commands", "",
              f"- {machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / (1 << 30):.0f} GiB; "
              f"{machine['system']}, Linux {machine['kernel']}; load at the start {machine['load_at_start']:.2f}",
              f"- commit {machine['commit']}",
              f"- {machine['swift']}; " + ", ".join(f"{name} {version}" for name, version in machine["peers"].items()),
              "", "```text", *[f"{record['name']}: {record['command']}" for record in records], "```", "",
              "Made by `tools/bench/infer`; every run is in `raw.json`."]
    return lines
