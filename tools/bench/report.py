"""Writes what was measured: raw.json with every run, and README.md with medians, ratios and whether the goals are
met."""
import json
import os
import statistics

MIB = 1 << 20


def goals(medians, runs):
    """(what, goal, figure, met) for each goal whose cases were measured.

    A ratio is the median of the rounds' ratios: the two programs of a round ran one after the other, so that a machine
    that is slower for some seconds is so for both.
    """
    def median(name, what="images_per_second"):
        return medians.get(name, {}).get(what)

    def ratio(what, ours, peers, goal):
        if runs.get(ours) and runs.get(peers):
            found = statistics.median(our["images_per_second"] / peer["images_per_second"]
                                      for our, peer in zip(runs[ours], runs[peers]))
            yield what, f"at least {goal}x", f"{found:.2f}x", found >= goal

    def at_most(what, found, limit, shown):
        if found is not None:
            yield what, f"at most {shown(limit)}", shown(found), found <= limit

    def size(value):
        return f"{value / MIB:.0f} MiB"

    yield from ratio("re-encoding against im2rec.py", "reencode/imrec", "reencode/im2rec.py", 1.3)
    yield from ratio("re-encoding against the bare loop", "reencode/imrec-beside-loop", "reencode/bare-loop", 0.95)
    yield from ratio("re-encoding against the bare loop that also writes", "reencode/imrec-beside-loop",
                     "reencode/bare-loop-writing", 0.95)
    yield from ratio("pass-through by im2rec against im2rec.py", "pass-through/im2rec", "pass-through/im2rec.py", 3)
    yield from ratio("pass-through by imrec pack against im2rec.py", "pass-through/imrec", "pass-through/im2rec.py", 3)
    yield from ratio("decoding against ImageRecordIter", "decode/imrec", "decode/ImageRecordIter", 3)
    yield from ratio("decoding against ImageRecordIter, the further goal", "decode/imrec", "decode/ImageRecordIter", 4)
    yield from ratio("decoding against ImageRecordIter as MXNet runs it by itself", "decode/imrec",
                     "decode/ImageRecordIter-by-itself", 3)
    yield from ratio("decoding against the bare loop", "decode/imrec", "decode/bare-loop", 0.9)
    for mode in ("reencode", "pass-through"):
        once, ten = (median(f"memory/{mode}{suffix}", "peak_bytes") for suffix in ("", "-10x"))
        yield from at_most(f"peak memory, {mode}", once, 200 * MIB, size)
        yield from at_most(f"peak memory, {mode}, ten times the list", ten, 200 * MIB, size)
        if once and ten:
            yield (f"memory does not grow, {mode}", "at most 1.2x for ten times the list", f"{ten / once:.2f}x",
                   ten <= 1.2 * once)
    sizes = sorted(int(name.rsplit("-", 1)[1]) for name in medians if name.startswith("listing/imrec-"))
    if len(sizes) == 2:
        few, many = (f"listing/imrec-{count}" for count in sizes)
        growth = median(many, "seconds") / median(few, "seconds") / (sizes[1] / sizes[0])
        yield (f"listing {sizes[1]:,} files is linear", f"at most 1.3x the time a file of {sizes[0]:,}",
               f"{growth:.2f}x", growth <= 1.3)
        yield from at_most(f"listing {sizes[1]:,} files, peak memory", median(many, "peak_bytes"), 500 * MIB, size)


def without_start(medians):
    """The ratios when the time that im2rec.py takes to load MXNet is left out of its runs."""
    start = medians.get("start/im2rec.py", {}).get("seconds")
    ours, peers = medians.get("reencode/imrec"), medians.get("reencode/im2rec.py")
    if start and ours and peers and peers["seconds"] > start:
        yield "reencode", (peers["seconds"] - start) / ours["seconds"]


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def shortened(words, names):
    text = " ".join(words)
    for path, name in names.items():
        text = text.replace(os.fspath(path), name)
    return text


def write(out, facts, stages, names):
    """`names`: what to call the folders of this machine in the commands that are shown."""
    cases = [case for stage in stages.values() for case in stage]
    records = [case.record() for case in cases]
    for record in records:
        record["command"] = shortened(record["command"], names)
    medians = {record["name"]: record["median"] for record in records}
    judged = list(goals(medians, {record["name"]: record["runs"] for record in records}))
    out.mkdir(parents=True, exist_ok=True)
    raw = {**facts, "cases": records,
           "goals": [dict(zip(("what", "goal", "found", "met"), goal)) for goal in judged]}
    (out / "raw.json").write_text(json.dumps(raw, indent=1) + "\n")
    (out / "README.md").write_text("\n".join(readme(facts, cases, records, judged, medians)) + "\n")


def readme(facts, cases, records, judged, medians):
    machine, photos = facts["machine"], facts["photographs"]
    peers = machine["python"]
    lines = [f"# Converting and decoding, {facts['date']}", "",
             f"{photos['images']:,} photographs, {photos['bytes'] / MIB:.0f} MiB of JPEG; {facts['jobs']} threads or "
             "processes on each side. The programs took turns (A B C A B C ...), after one round that does not count. "
             "A figure is the median of its runs, from the program's start to its end, loading included; a ratio is "
             "the median of the rounds' ratios. Decoding and the bare loop are timed by the program's own clock, after "
             "it has read its inputs.", "",
             "## Goals", ""]
    lines += table(["what", "goal", "found", ""], [(what, goal, found, "met" if met else "**missed**")
                                                   for what, goal, found, met in judged])
    extra = list(without_start(medians))
    if extra:
        lines += ["", "Without the time that im2rec.py takes to load MXNet: " +
                  ", ".join(f"{stage} {found:.2f}x" for stage, found in extra) + "."]
    lines += ["", "## Figures", ""]
    rows = []
    for case in cases:
        if case.runs:
            rate = [run["images_per_second"] for run in case.runs]
            rows.append((case.name, f"{case.median():,.0f}", f"{min(rate):,.0f} to {max(rate):,.0f}", len(rate),
                         f"{case.median('seconds'):.2f}", f"{case.median('cpu_seconds'):.2f}",
                         f"{case.median('peak_bytes') / MIB:.0f}"))
    lines += table(["case", "images/s", "lowest to highest", "runs", "seconds", "processor seconds", "peak MiB"], rows)
    lines += ["",
              "- Peak memory is the largest process's; im2rec.py runs several processes. A figure below about 10 MiB "
              "is the launcher's own.",
              "- The bare loop is `tools/bench/codec_loop.c`: libjpeg-turbo and imrec's resize kernels. For "
              "re-encoding it reads each file and writes nothing; `bare-loop-writing` also writes and syncs its "
              "output, as packing does. For decoding it has the files in memory.",
              "- Before each run `sync` writes out what the run before left for the disk; that time does not count.",
              "- MXNet reduces ImageRecordIter's threads to half the processors minus one, but at least one "
              "(`iter_image_recordio_2.cc`): on two cores it decodes on one thread. For `decode/ImageRecordIter` a "
              "preloaded `omp_get_num_procs` reports more processors, so that it uses as many threads as imrec; "
              "`-by-itself` is MXNet as it comes.",
              "- imrec and im2rec.py wrote the same .rec files, byte for byte; the bench stops if they differ.", "",
              "## Machine and commands", ""]
    lines += [f"- {machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / (1 << 30):.0f} GiB; "
              f"{machine['system']}, Linux {machine['kernel']}; load at the start {machine['load_at_start']:.2f}",
              f"- commit {machine['commit']}",
              f"- {machine['swift']}; libjpeg {machine['libjpeg']}",
              f"- Python {peers.get('python')}, MXNet {peers.get('mxnet')}, OpenCV {peers.get('opencv')}, NumPy "
              f"{peers.get('numpy')}", "",
              "```text"]
    lines += [f"{record['name']}: {record['command']}" for record in records]
    return lines + ["```", "", "Made by `tools/bench/convert`; every run is in `raw.json`."]
