"""Makes the reports that are looked at: a drawn data set with thumbnails, naughty names, and edge cases."""
import json
import pathlib
import random
import subprocess

from naughty import NAMES

TRAININGS = ("training", "training-once", "training-many")
TUNINGS = ("tuning", "tuning-naughty")


def imrec(program, *arguments, allowed=(0, 2)):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode not in allowed:
        raise SystemExit(f"imrec {arguments[0]} ended with {done.returncode}: {done.stderr[-600:]}")


def probabilities(generator, count, truth, sharpness):
    """A row that is often, not always, right; neighbours of the truth are what it is taken for."""
    row = [generator.random() ** 4 * 0.05 for _ in range(count)]
    row[truth] += sharpness * generator.random()
    row[(truth + 1) % count] += 0.6 * generator.random()
    total = sum(row)
    return [round(value / total, 6) for value in row]


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def score(program, folder, name, truth, outputs, *options):
    write_lines(folder / f"{name}-truth.jsonl", truth)
    write_lines(folder / f"{name}-outputs.jsonl", outputs)
    imrec(program, "score", folder / f"{name}-outputs.jsonl", "--truth", folder / f"{name}-truth.jsonl", "-o",
          folder / f"{name}.json",
          "--html", folder / f"{name}.html", "--quiet", *options, allowed=(0, 1, 2))  # 1: nothing was scored


def drawn(program, folder):
    """Drawn images with predictions of two made-up models, so that there are thumbnails."""
    images = folder / "images"
    imrec(program, "sample", images, "--classes", 8, "--per-class", 16, "--quiet")
    paths = sorted(p.relative_to(images).as_posix() for p in images.rglob("*")
                   if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    classes = sorted({p.split("/")[0] for p in paths})
    truth = [{"path": p, "label": classes.index(p.split("/")[0])} for p in paths]
    (folder / "drawn-classes.txt").write_text("".join(c + "\n" for c in classes))
    for name, seed, sharpness in (("drawn", 1, 1.0), ("drawn-b", 2, 1.3)):
        generator = random.Random(seed)
        outputs = [{"path": t["path"], "prediction": probabilities(generator, len(classes), t["label"], sharpness)}
                   for t in truth]
        score(program, folder, name, truth, outputs, "--classes", folder / "drawn-classes.txt", "--images", images)
    imrec(program, "compare", folder / "drawn.json", folder / "drawn-b.json", "--html", folder / "compare.html",
          "--images", images, "--fail-drop", "top1=0.5", "--quiet")


def naughty(program, folder):
    """Every naughty name is a class, a path, a value of a slice."""
    # An image without a class name has no class: the empty name is only a value of the slice.
    classes = sorted(filter(None, NAMES), key=lambda name: [ord(c) for c in name])
    for run, seed in (("naughty", 3), ("naughty-b", 4)):
        generator = random.Random(seed)
        truth, outputs = [], []
        for label, name in enumerate(classes):
            for copy in range(3):
                path = f"{name}/{copy}{name}"
                truth.append({"path": path, "label": name, "camera": NAMES[(label * 7 + copy) % len(NAMES)]})
                if copy < 2:
                    outputs.append({"path": path, "prediction": probabilities(generator, len(classes), label, 0.9)})
        outputs.append({"path": "<script>pwn(60)</script>", "prediction": [1]})
        outputs.append({"path": truth[2]["path"], "prediction": "<script>pwn(61)</script>"})
        score(program, folder, run, truth, outputs)
    imrec(program, "compare", folder / "naughty.json", folder / "naughty-b.json", "--html",
          folder / "naughty-compare.html", "--quiet")


def edges(program, folder):
    score(program, folder, "hard", [{"path": f"{i}.jpg", "label": i % 5} for i in range(100)],
          [{"path": f"{i}.jpg", "prediction": (i * i) % 5} for i in range(100)])
    score(program, folder, "lost", [{"path": f"{i}.jpg", "label": i % 2} for i in range(4)],
          [{"path": "0.jpg", "prediction": [0.5, "x"]}, {"path": "elsewhere.jpg", "prediction": [1, 0]}])


def trained(program, folder):
    """Short trainings of the drawn images; one of several labels an image, whose file has a naughty name."""
    shared = ("--num-layers", 20, "--image-shape", "3,28,28", "--resize", 32, "--mini-batch-size", 16, "--quiet")
    imrec(program, "convert", folder / "images", folder / "data", "--per-class", 10, "--quiet")
    data = ("--train", folder / "data-10-train.rec", "--validation", folder / "data-10-val.rec", "--classes",
            folder / "data-classes.txt")
    for name, epochs, more in (("training", 7, ("--top-k", 3, "--learning-rate", 0.02, "--augmentation-type",
                                                "crop_color_transform")),
                               ("training-once", 1, ())):
        imrec(program, "train", *data, *shared, "--epochs", epochs, "--model-dir", folder / name, *more)
    images = sorted(p.relative_to(folder / "images").as_posix() for p in (folder / "images").rglob("*.jpg"))
    many = folder / "<img src=x onerror=pwn(70)>\u202e.lst"
    many.write_text("".join(f"{i}\t{i % 2}\t{i % 3 // 2}\t{path}\n" for i, path in enumerate(images)))
    imrec(program, "train", "--train", many, "--validation", many, "--root", folder / "images", "--multi-label", 1,
          "--num-classes", 2, "--use-weighted-loss", 1, "--epochs", 2, "--model-dir", folder / "training-many", *shared)
    for name in TRAININGS:
        (folder / f"{name}.html").write_bytes((folder / name / "training.html").read_bytes())


def tuned(program, folder):
    """Short tunings of the drawn images; the static hyperparameters and channels of one have naughty names where they
    may."""
    channel = lambda name, path: {"ChannelName": name, "DataSource": {"S3DataSource": {"S3Uri": str(path)}}}
    hostile = folder / "<img src=x onerror=pwn(80)>\u202e.rec"
    hostile.write_bytes((folder / "data-10-val.rec").read_bytes())
    plain = {"ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "0.001", "MaxValue": "0.3"},
                                           {"Name": "momentum", "MinValue": "0", "MaxValue": "0.99"}],
             "IntegerParameterRanges": [{"Name": "mini_batch_size", "MinValue": "8", "MaxValue": "96"}],
             "CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "nag", "adam"]}]}
    one = {"CategoricalParameterRanges": [{"Name": "learning_rate", "Values": ["0.01", "0.05"]}]}
    for name, strategy, jobs, ranges, validation in (("tuning", "Random", 9, plain, folder / "data-10-val.rec"),
                                                     ("tuning-naughty", "Grid", 2, one, hostile)):
        (folder / f"{name}-request.json").write_text(json.dumps({
            "HyperParameterTuningJobName": name,
            "HyperParameterTuningJobConfig": {
                "Strategy": strategy, "RandomSeed": 4, "ParameterRanges": ranges,
                "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:accuracy"},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 2}},
            "TrainingJobDefinition": {
                "StaticHyperParameters": {"num_layers": "20", "image_shape": "3,28,28", "resize": "32", "epochs": "2"},
                "InputDataConfig": [channel("train", folder / "data-10-train.rec"),
                                    channel("validation", validation)]}}))
        imrec(program, "tune", folder / f"{name}-request.json", "--output", folder / name, "--quiet")
        (folder / f"{name}.html").write_bytes((folder / name / "tuning.html").read_bytes())


def make(program, folder):
    folder = pathlib.Path(folder)
    for part in (drawn, naughty, edges, trained, tuned):
        part(program, folder)
