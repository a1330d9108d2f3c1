"""Writes what tools/bench/score measured: raw.json with every run, and README.md with medians and whether the goals are
met."""
import json

from report import MIB, shortened, table


def goals(medians):
    """(what, goal, figure, met) for each goal whose cases were measured."""
    if "folder/imrec" in medians:
        ratio = medians["folder/json+numpy"]["seconds"] / medians["folder/imrec"]["seconds"]
        yield "scoring a folder against json and NumPy", "at least 5x", f"{ratio:.2f}x", ratio >= 5
        yield "scoring a folder against json and NumPy, the further goal", "at least 10x", f"{ratio:.2f}x", ratio >= 10
    for case, what in [("dirichlet/imrec", "scoring a model that has learnt nothing"),
                       ("dirichlet/imrec-html", "the same, with the HTML report instead of the JSON")]:
        if case in medians:
            ratio = medians["dirichlet/json+numpy"]["seconds"] / medians[case]["seconds"]
            yield f"{what}, against json and NumPy", "at least 5x", f"{ratio:.2f}x", ratio >= 5
    if "lines/imrec" in medians:
        peak = medians["lines/imrec"]["peak_bytes"]
        yield "peak memory of the JSON lines", "under 300 MB", f"{peak / 1e6:.0f} MB", peak < 300e6
    if "report/score-and-html" in medians:
        seconds = medians["report/score-and-html"]["seconds"]
        yield "scoring and the HTML report", "under 3 s", f"{seconds:.2f} s", seconds < 3


def write(out, facts, stages, names):
    """`names`: what to call the folders of this machine in the commands that are shown."""
    records = [case.record() for stage in stages.values() for case in stage]
    for record in records:
        record["command"] = shortened(record["command"], names)
    medians = {record["name"]: record["median"] for record in records}
    judged = list(goals(medians))
    out.mkdir(parents=True, exist_ok=True)
    raw = {**facts, "cases": records, "goals": [dict(zip(("what", "goal", "found", "met"), goal)) for goal in judged]}
    (out / "raw.json").write_text(json.dumps(raw, indent=1) + "\n")
    (out / "README.md").write_text("\n".join(readme(facts, records, judged, medians)) + "\n")


def remarks(facts, medians):
    if "start/numpy" in medians:
        start, peer = medians["start/numpy"]["seconds"], medians["folder/json+numpy"]["seconds"]
        ours = medians["folder/imrec"]["seconds"]
        yield (f"- Without the {start:.2f} s that Python takes to load NumPy the ratio is "
               f"{(peer - start) / ours:.2f}x.")
        yield ("- The script (`tools/bench/score_peer.py`) computes top-1, top-5, the confusion matrix, precision, "
               "recall and F1 of each class, and log-loss; imrec computes and writes all of `score.json`. The bench "
               "stops if a figure that both have differs by more than 1e-9.")
    if "dirichlet/imrec" in medians:
        yield ("- The probabilities of the stage dirichlet are drawn from Dirichlet(0.05), whatever the label: most "
               "are tiny, and written with an exponent.")
    if "lines_bytes" in facts:
        yield (f"- The JSON lines take {facts['lines_bytes'] / 1e9:.2f} GB: probabilities of {facts['classes']} "
               "classes with 6 digits, 4,000 different predictions that repeat. Run once.")
    if "report_bytes" in facts:
        yield f"- The HTML report, without photographs, takes {facts['report_bytes'] / 1e6:.2f} MB."


def readme(facts, records, judged, medians):
    machine = facts["machine"]
    lines = [f"# Scoring, {facts['date']}", ""]
    if facts["quick"]:
        lines += ["**A check of the bench with small inputs and one run: these are no figures.**", ""]
    lines += [f"Outputs of a made-up classifier of {facts['classes']} classes; {facts['jobs']} threads for imrec. The "
              "programs ran in turn (A B C A B C ...), after one round that does not count; a figure is the median of "
              "its runs, from the program's start to its end.", "", "## Goals", ""]
    lines += table(["what", "goal", "found", ""],
                   [(what, goal, found, "met" if met else "**missed**") for what, goal, found, met in judged])
    lines += ["", "## Figures", ""]
    rows = []
    for record in records:
        median, seconds = record["median"], [run["seconds"] for run in record["runs"]]
        rows.append((record["name"], f"{record['images']:,}", f"{median['seconds']:.3f}",
                     f"{min(seconds):.3f} to {max(seconds):.3f}", len(seconds), f"{median['cpu_seconds']:.2f}",
                     f"{median['images_per_second']:,.0f}", f"{median['peak_bytes'] / MIB:.0f}"))
    lines += table(["case", "predictions", "seconds", "lowest to highest", "runs", "processor seconds", "predictions/s",
                    "peak MiB"], rows)
    lines += ["", *remarks(facts, medians), "", "## Machine and commands", "",
              f"- {machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / (1 << 30):.0f} GiB; "
              f"{machine['system']}, Linux {machine['kernel']}; load at the start {machine['load_at_start']:.2f}",
              f"- commit {machine['commit']}",
              f"- {machine['swift']}; Python {machine['python'].get('python')}, NumPy {machine['python'].get('numpy')}",
              "", "```text", *[f"{record['name']}: {record['command']}" for record in records], "```", "",
              "Made by `tools/bench/score`; every run is in `raw.json`."]
    return lines
