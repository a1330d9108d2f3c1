"""What scikit-learn, cleanlab, statsmodels and scipy say about predictions, in the shape of score.json."""
import contextlib
import warnings

import numpy as np
from cleanlab.filter import find_label_issues
from scipy import optimize, special, stats
from sklearn import metrics
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

EPSILON = np.finfo(float).eps
BINS = 15


def wilson(count, total):
    if total == 0:
        return dict(value=0.0, low=0.0, high=1.0)
    low, high = proportion_confint(count, total, method="wilson")
    return dict(value=count / total, low=float(low), high=float(high))


@contextlib.contextmanager
def stable_sorting():
    """cleanlab leaves it to numpy's argsort which of equal values comes first: here always the one of lowest index."""
    fast = np.argsort
    np.argsort = lambda values, *rest, **options: fast(values, *rest, **(options | dict(kind="stable")))
    try:
        yield
    finally:
        np.argsort = fast


def label_issues(truths, rows):
    if len(set(truths.tolist())) < 2:
        return []
    with stable_sorting(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return find_label_issues(truths, rows, return_indices_ranked_by="self_confidence", n_jobs=1).tolist()


def temperature(truths, rows):
    logs = np.log(np.maximum(rows, EPSILON))
    own = logs[np.arange(len(truths)), truths]

    def loss(beta):
        return float(np.mean(special.logsumexp(beta * logs, axis=1) - beta * own))

    def slope(beta):
        return float(np.mean((special.softmax(beta * logs, axis=1) * logs).sum(axis=1) - own))

    if not slope(0.01) < 0 < slope(100):
        return None
    beta = optimize.brentq(slope, 0.01, 100, xtol=1e-15, rtol=1e-14)
    return dict(value=1 / beta, before=loss(1), after=loss(beta))


def calibration(confidence, correct):
    """Bins (k/15, (k+1)/15], and by rank with equal confidences in the bin of the first of them."""
    n = len(confidence)
    order = np.argsort(confidence, kind="stable")
    confidence, correct = confidence[order], correct[order]
    width = np.clip(np.searchsorted([k / BINS for k in range(1, BINS)], confidence, side="left"), 0, BINS - 1)
    mass = np.searchsorted(confidence, confidence, side="left") * BINS // n

    def gaps(bins):
        members = [bins == b for b in np.unique(bins)]
        return [(m.sum(), abs(correct[m].mean() - confidence[m].mean())) for m in members]

    points, last = [], 0
    for percent in range(1, 101):
        threshold = confidence[n - -(-percent * n // 100)]
        count = int((confidence >= threshold).sum())
        if count != last:
            points.append(dict(coverage=count / n, threshold=float(threshold), count=count,
                               accuracy=wilson(int(correct[confidence >= threshold].sum()), count)))
        last = count
    return dict(
        ece_equal_width=float(sum(c * g for c, g in gaps(width)) / n),
        ece_equal_mass=float(sum(c * g for c, g in gaps(mass)) / n),
        mce=float(max(g for _, g in gaps(width))), confidence=float(confidence.mean()),
        equal_width=[dict(count=int((width == b).sum()), correct=int(correct[width == b].sum())) for b in range(BINS)],
    ), points


def without_images(classes):
    """No library says anything of nothing: counts are 0, metrics are none, intervals of classes say nothing."""
    counts = ["images", "scored", "unnormalised", "errors", "ties"]
    metrics = ["top1", "top2", "top3", "top5", "top10", "rank_histogram", "macro", "micro", "weighted",
               "balanced_accuracy", "kappa", "mcc", "log_loss", "brier", "ece", "calibration", "coverage", "bootstrap"]
    zeros = {key: [0.0] * classes for key in ["precision", "recall", "f1", "recall_low"]}
    return dict.fromkeys(counts, 0) | dict.fromkeys(metrics) | zeros | dict(
        average_precision=[None] * classes, support=[0] * classes, precision_high=[1.0] * classes, confusion=[],
        pairs=[], pair_share=[], confident_errors=[], label_issues=[])


def hard(expected):
    """What is left of a score where only classes are told."""
    none = ["top2", "top3", "top5", "top10", "rank_histogram", "log_loss", "brier", "ece", "calibration", "coverage"]
    averages = {kind: expected[kind] | dict(average_precision=None) for kind in ["macro", "micro", "weighted"]}
    return expected | dict.fromkeys(none) | averages | dict(
        ties=0, unnormalised=0, average_precision=[None] * len(expected["support"]), confident_errors=[],
        label_issues=[])


def expected(case, truths, rows):
    """What `score.json` of a case should hold."""
    if not len(truths):
        return without_images(case["classes"])
    return hard(score(truths, rows)) if case["hard"] else score(truths, rows)


def score(truths, rows):
    n, classes = rows.shape
    labels = np.arange(classes)
    # As imrec: rows farther than 0.001 from 1 are divided by their sum for what needs probabilities.
    sums = rows.sum(axis=1)
    odd = np.abs(sums - 1) > 1e-3
    proper = np.where(odd[:, None], rows / np.where(sums == 0, 1, sums)[:, None], rows)
    predicted = rows.argmax(axis=1)
    own = rows[np.arange(n), truths]
    ranks = 1 + (rows > own[:, None]).sum(axis=1) + ((rows == own[:, None]) & (labels < truths[:, None])).sum(axis=1)
    correct = predicted == truths
    common = dict(labels=labels, zero_division=0)
    onehot = (truths[:, None] == labels).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precision, recall, f1, support = metrics.precision_recall_fscore_support(truths, predicted, **common)
        average = [float(metrics.average_precision_score(onehot[:, c], rows[:, c])) for c in labels]
        averages = {}
        for kind in ["macro", "micro", "weighted"]:
            p, r, f, _ = metrics.precision_recall_fscore_support(truths, predicted, average=kind, **common)
            averages[kind] = dict(precision=float(p), recall=float(r), f1=float(f))
        averages["macro"]["average_precision"] = float(np.mean(average))
        averages["weighted"]["average_precision"] = float(np.average(average, weights=support))
        kappa = float(metrics.cohen_kappa_score(truths, predicted, labels=labels))
        balanced = float(metrics.balanced_accuracy_score(truths, predicted))
        mcc = float(metrics.matthews_corrcoef(truths, predicted))
        # Of one class scikit-learn takes no log-loss: its probability is 1.
        loss = float(metrics.log_loss(truths, proper, labels=labels)) if classes > 1 else 0.0
        # One-hot by hand: with two classes scikit-learn would guess which is positive.
        brier = float(np.mean(((proper - onehot) ** 2).sum(axis=1))) * (0.5 if classes == 2 else 1)
        if classes > 2:
            assert abs(brier - metrics.brier_score_loss(truths, proper, labels=labels)) < 1e-12
    matrix = metrics.confusion_matrix(truths, predicted, labels=labels)
    errors = int(n - correct.sum())
    both = np.triu(matrix + matrix.T, 1)
    pairs = sorted(((int(both[a, b]), int(a), int(b)) for a, b in zip(*np.nonzero(both))),
                   key=lambda p: (-p[0], p[1], p[2]))
    reliability, coverage = calibration(proper.max(axis=1), correct)
    issues = label_issues(truths, proper)
    wrong = np.nonzero(~correct)[0]
    worst = wrong[np.lexsort((wrong, -proper[wrong].max(axis=1)))][:500]
    return dict(
        images=n, scored=n, unnormalised=int(odd.sum()), errors=errors,
        ties=int(((rows == rows.max(axis=1)[:, None]).sum(axis=1) > 1).sum()),
        **{f"top{k}": wilson(int((ranks <= k).sum()), n) for k in [1, 2, 3, 5, 10]},
        rank_histogram=np.bincount(ranks - 1, minlength=classes).tolist(),
        **averages, balanced_accuracy=balanced, kappa=None if np.isnan(kappa) else kappa, mcc=mcc, log_loss=loss,
        brier=brier, ece=reliability["ece_equal_width"],
        calibration=reliability | dict(temperature=temperature(truths, proper)), coverage=coverage,
        precision=[float(x) for x in precision], recall=[float(x) for x in recall], f1=[float(x) for x in f1],
        average_precision=average, support=[int(x) for x in support],
        recall_low=[wilson(int(matrix[c, c]), int(support[c]))["low"] for c in labels],
        precision_high=[wilson(int(matrix[c, c]), int(matrix[:, c].sum()))["high"] for c in labels],
        confusion=[[int(a), int(b), int(matrix[a, b])] for a, b in zip(*np.nonzero(matrix))],
        pairs=[[a, b, count] for count, a, b in pairs], pair_share=[count / errors for count, _, _ in pairs],
        confident_errors=[int(i) for i in worst], label_issues=issues)


def reduced(score):
    """The parts of a score.json that `score` makes, with images by number."""
    classes = score["classes"]
    number = lambda image: int(image["path"].split(".")[0])
    return score | dict(
        precision=[c["precision"] for c in classes], recall=[c["recall"]["value"] for c in classes],
        f1=[c["f1"] for c in classes], average_precision=[c["average_precision"] for c in classes],
        support=[c["support"] for c in classes], recall_low=[c["recall"]["low"] for c in classes],
        precision_high=[c["precision_interval"]["high"] for c in classes],
        pairs=[[p["a"], p["b"], p["count"]] for p in score["pairs"]], pair_share=[p["share"] for p in score["pairs"]],
        confident_errors=[number(i) for i in score["confident_errors"] or []],
        label_issues=[number(i) for i in (score["label_issues"] or {"images": []})["images"]])


def tests():
    """McNemar's test on counts of images that only one run has right, and Benjamini-Hochberg over as many classes."""
    counts = [(0, 0), (1, 0), (0, 5), (3, 3), (10, 2), (25, 40), (100, 101), (700, 500), (3000, 3300), (0, 1100)]
    counts += [tuple(int(x) for x in pair) for pair in np.random.default_rng(1).integers(0, 25, size=(30, 2))]
    lines = []
    for a, b in counts:
        exact = float(mcnemar([[0, a], [b, 0]], exact=True).pvalue) if a + b else 1.0
        least, both = min(a, b), a + b
        mid = float(2 * stats.binom.cdf(least, both, 0.5) - stats.binom.pmf(least, both, 0.5)) if both else 1.0
        lines.append(dict(a=a, b=b, exact=exact, mid=mid))
    for line, q in zip(lines, multipletests([line["exact"] for line in lines], method="fdr_bh")[1]):
        line["q"] = float(q)
    return lines
