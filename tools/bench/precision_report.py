"""Writes what tools/bench/precision measured: raw.json with every run, README.md with medians, ratios and goals, and
layers.md with the speed of each layer."""
import json

from infer_report import TITLES, ratio
from report import shortened, table

TRAINED = {"train18": "ResNet-18", "train50": "ResNet-50"}
PROGRAMS = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "ncnn": "ncnn", "torch": "PyTorch"}
# (stage/batch, imrec's precision, what it is compared with: programs and precisions, the ratio, "required" or "goal").
# Against several, the fastest counts.
WANTED = [
    ("resnet18/1", "bf16", [("openvino", "bf16")], 1.15, "required"),
    ("resnet18/32", "bf16", [("openvino", "bf16")], 1.2, "required"),
    ("resnet50/1", "bf16", [("openvino", "bf16")], 1.05, "required"),
    ("resnet50/32", "bf16", [("openvino", "bf16")], 1.05, "required"),
    *((f"{network}/{batch}", "int8", [("openvino", "int8"), ("onnxruntime", "int8")], 1.0, "required")
      for network in ("resnet18", "resnet50") for batch in (1, 32)),
    ("resnet50/1", "fp32", [("openvino", "fp32")], 1.3, "goal"),
    ("train18/32", "bf16", [("torch", "fp32"), ("torch", "bf16")], 1.3, "required"),
    ("train50/16", "bf16", [("torch", "fp32"), ("torch", "bf16")], 1.1, "required"),
]


def title(stage):
    """`resnet18/32` or `train18/32` in words."""
    network, batch = stage.split("/")
    return f"train {TRAINED[network]}, batch {batch}" if network in TRAINED else f"{TITLES[network]}, batch {batch}"


def program(name):
    """What ran a case: `resnet18/32/openvino/bf16/latency` is "OpenVINO bf16, latency"."""
    who, precision, *hint = name.split("/")[2:]
    return f"{PROGRAMS.get(who, who)} {precision}" + "".join(f", {word}" for word in hint)


def closest(runs, stage, precision, others):
    """How many times as fast imrec is as the fastest of the others, and the name of its case; None: not measured."""
    ours = runs.get(f"{stage}/imrec/{precision}")
    return min(((ratio(ours, peer), name) for name, peer in runs.items()
                if ours and name.startswith(stage + "/") and tuple(name.split("/")[2:4]) in others), default=None)


def goals(runs):
    """(what, goal, figure, met) for each goal whose cases were measured."""
    for stage, precision, others, limit, which in WANTED:
        found = closest(runs, stage, precision, others)
        if found:
            least, name = found
            yield (f"{title(stage)}, {precision}, against {program(name)}: {which}", f"at least {limit}x",
                   f"{least:.2f}x", least >= limit)


def write(out, facts, cases, layers, names):
    """`names`: what to call the folders of this machine in the commands that are shown."""
    records = [case.record() for case in cases]
    for record in records:
        record["command"] = shortened(record["command"], names)
    runs = {record["name"]: record["runs"] for record in records}
    judged = list(goals(runs))
    kernels = (case.facts["kernels"] for case in cases if "kernels" in getattr(case, "facts", {}))
    facts = {**facts, "kernels": next(kernels, "")}
    out.mkdir(parents=True, exist_ok=True)
    raw = {**facts, "cases": records, "goals": [dict(zip(("what", "goal", "found", "met"), goal)) for goal in judged],
           "layers": layers}
    (out / "raw.json").write_text(json.dumps(raw, indent=1) + "\n")
    (out / "README.md").write_text("\n".join(readme(facts, records, judged, runs, layers)) + "\n")
    if layers:
        (out / "layers.md").write_text("\n".join(layer_pages(facts, layers)) + "\n")


def speeds(records, runs):
    """A row for each case; imrec's ratio is to its own fp32, a peer's is imrec's in the same precision to it."""
    for record in records:
        name = record["name"]
        stage = "/".join(name.split("/")[:2])
        who, precision = name.split("/")[2:4]
        found = [run["images_per_second"] for run in record["runs"]]
        own, same = runs.get(f"{stage}/imrec/fp32"), runs.get(f"{stage}/imrec/{precision}")
        to_single = f"{ratio(record['runs'], own):.2f}x" if who == "imrec" and precision != "fp32" and own else ""
        against = f"{ratio(same, record['runs']):.2f}x" if who != "imrec" and same else ""
        off = record.get("difference")
        yield (title(stage), program(name), f"{record['median']['images_per_second']:.1f}",
               f"{min(found):.1f} to {max(found):.1f}", len(found), to_single, against,
               "" if off is None else f"{100 * off:.2g} %")


def whole(facts, layers):
    """A row for each network, batch and precision: what its layers reach together."""
    for one in layers:
        time = sum(layer["milliseconds"] for layer in one["layers"])
        products = [layer for layer in one["layers"] if layer["gflop_per_second"] > 0]
        busy = sum(layer["milliseconds"] for layer in products)
        rate = sum(layer["gflop_per_second"] * layer["milliseconds"] for layer in products) / busy
        peak = facts["peaks"].get(one["precision"]) or float("inf")
        slowest = max(products, key=lambda layer: layer["milliseconds"] * (1 - layer["gflop_per_second"] / peak))
        yield (title(f"{one['network']}/{one['batch']}"), one["precision"], f"{rate:,.0f}", part(facts, one, rate),
               f"{100 * (1 - busy / time):.1f} %",
               f"{slowest['name']}: {part(facts, one, slowest['gflop_per_second'])}")


def part(facts, one, rate):
    peak = facts["peaks"].get(one["precision"])
    return f"{100 * rate / peak:.0f} %" if peak else "unknown"


def layer_pages(facts, layers):
    yield from [f"# Layer by layer, {facts['date']}", "", *peaks(facts), "",
                "`share`: of the network's time. `peak`: how much of the processor's peak in this precision the layer "
                "reaches, counted in direct convolutions; Winograd's take fewer operations, so it can be above 100 %. "
                "Layers that are fused into one step are one row."]
    for network, batch in dict.fromkeys((one["network"], one["batch"]) for one in layers):
        measured = [one for one in layers if (one["network"], one["batch"]) == (network, batch)]
        yield from ["", f"## {title(f'{network}/{batch}')}", ""]
        heads = [f"{one['precision']} {what}" for one in measured for what in ("ms", "share", "peak")]
        rows = []
        for index, layer in enumerate(measured[0]["layers"]):
            row = [layer["name"]]
            for one in measured:
                found = one["layers"][index]
                speed = found["gflop_per_second"]
                row += [f"{found['milliseconds']:.2f}", f"{100 * found['share']:.1f} %",
                        part(facts, one, speed) if speed else ""]
            rows.append(row)
        yield from table(["layer", *heads], rows)


def peaks(facts):
    told = ", ".join(f"{precision} {peak:,.0f}" for precision, peak in facts["peaks"].items() if peak)
    yield (f"Billions of operations a second that the processor can do on {facts['threads']} threads, a multiplication "
           f"and its addition being two (`tools/bench/peak.c`: sums in registers and nothing else): "
           f"{told or 'not measured'}.")


def readme(facts, records, judged, runs, layers):
    machine = facts["machine"]
    lines = [f"# Precisions, {facts['date']}", ""]
    if facts["quick"]:
        lines += ["**A check of the bench with one short run: these are no figures.**", ""]
    told = f"; imrec's {facts['kernels']} kernels" if facts["kernels"] else ""
    lines += [f"{facts['threads']} threads for every program{told}. The programs of a "
              "network and batch ran in turn (A B C A B C ...), after one round that does not count; a figure is the "
              "median of its runs, a ratio the median of the rounds' ratios."]
    if judged:
        lines += ["", "## Goals", ""]
        lines += table(["what", "goal", "found", ""],
                       [(what, goal, found, "met" if met else "**missed**") for what, goal, found, met in judged])
    if records:
        lines += ["", "## Images a second", ""]
        lines += table(["network", "program", "median", "lowest to highest", "runs", "against imrec's fp32",
                        "imrec in this precision is", "probabilities off by"], speeds(records, runs))
    if layers:
        lines += ["", "## How near to the peak", "", *peaks(facts),
                  "The rates are those of direct convolutions; Winograd's take fewer operations. `layers.md` has every "
                  "layer.", ""]
        lines += table(["network", "precision", "billion operations a second in layers with products", "of the peak",
                        "time in other layers", "most time lost in"], whole(facts, layers))
    lines += ["",
              "- 3 x 224 x 224, 1000 classes, pre-activation networks with the same random weights for every program. "
              "`off by`: the largest difference of a probability from MXNet's in single precision, as a part of the "
              "largest probability, on four pictures, with which int8 was calibrated, too; with random weights it "
              "shows that the right network ran, not how exact a trained one is.",
              "- OpenVINO compiled for `latency` (one batch at a time) and for `throughput` (a stream and a request "
              "for each core), with `INFERENCE_PRECISION_HINT` f32 and bf16, its default where the processor "
              "multiplies bf16; int8 by `nncf.quantize` as it comes. ONNX Runtime with all its optimisations; int8 by "
              "`quantize_static`: QDQ, uint8 activations, int8 weights for each channel, without BatchNorms, which is "
              "faster. ncnn one image at a time. imrec's int8 by `imrec quantize`.",
              "- Training: steps (forward, backward, update) of sgd with momentum on random images in memory; PyTorch "
              "in channels-last memory, in bf16 by autocast. Each round is a process of its own, which warms up first."]
    if facts["realtime"]:
        lines += ["- The programs ran at real-time priority (`chrt --fifo 10`), because other programs used the "
                  "machine; the system gives such programs at most 95 % of each second."]
    return [*lines, "", "## Machine and commands", "",
            f"- {machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / (1 << 30):.0f} GiB; "
            f"{machine['system']}, Linux {machine['kernel']}; load at the start {machine['load_at_start']:.2f}",
            f"- commit {machine['commit']}",
            f"- {machine['swift']}; " + ", ".join(f"{name} {version}" for name, version in machine["peers"].items()),
            "", "```text", *[f"{record['name']}: {record['command']}" for record in records], "```", "",
            "Made by `tools/bench/precision`; every run is in `raw.json`."]
