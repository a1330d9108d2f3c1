"""What has to hold of the parts of a score that no library gives to the digit: the order of the classes, the draws."""
import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform
from sklearn import metrics


def matrix_of(truths, rows):
    return metrics.confusion_matrix(truths, rows.argmax(axis=1), labels=np.arange(rows.shape[1])).astype(float)


def orders_of(tree):
    """Every order of the leaves that keeps those of each merge together."""
    if tree.is_leaf():
        return [[tree.id]]
    left, right = orders_of(tree.left), orders_of(tree.right)
    return [x for a in left for b in right for x in (a + b, b + a)]


def arrangement(truths, rows, score):
    """The neighbours in the seriated order are at least as alike as in scipy's optimal leaf ordering of its average
    linkage (which misses the optimum at times), and as alike as can be where all orders of the tree can be tried."""
    matrix = matrix_of(truths, rows)
    order = score["orders"]["seriated"]
    if sorted(order) != list(range(len(matrix))):
        return ["orders.seriated is no permutation"]
    off = matrix - np.diag(np.diag(matrix))
    support = matrix.sum(axis=1)
    rates = np.divide(off, support[:, None], out=np.zeros_like(off), where=support[:, None] > 0)
    similarity = (rates + rates.T) / 2
    alike = lambda order: sum(similarity[a, b] for a, b in zip(order, order[1:]))
    values = squareform(similarity, checks=False)
    # Equal values leave it open which classes are joined first: another tree, another optimum.
    if len(matrix) < 3 or len(np.unique(values)) < len(values):
        return [] if alike(order) >= alike(range(len(matrix))) - 1e-12 else ["orders.seriated is worse than by label"]
    distance = squareform(1 - similarity, checks=False)
    tree = hierarchy.linkage(distance, "average")
    theirs = alike(hierarchy.leaves_list(hierarchy.optimal_leaf_ordering(tree, distance)))
    best = max(map(alike, orders_of(hierarchy.to_tree(tree)))) if len(matrix) <= 8 else theirs
    ours = alike(order)
    fine = abs(ours - best) < 1e-9 if len(matrix) <= 8 else ours > theirs - 1e-9
    return [] if fine else [f"orders.seriated: neighbours sum to {ours}, at best to {best}"]


def bootstrap(truths, rows, score):
    """The ends of the intervals lie where numpy's own draws have them, within five of their standard errors."""
    matrix = matrix_of(truths, rows).astype(int)
    draw = np.random.default_rng(0)
    support = matrix.sum(axis=1)
    right, predicted = np.zeros((2000, len(matrix)), int), np.zeros((2000, len(matrix)), int)
    for label in np.nonzero(support)[0]:
        drawn = draw.multinomial(support[label], matrix[label] / support[label], size=2000)
        right[:, label] = drawn[:, label]
        predicted += drawn
    quotient = lambda a, b: np.divide(a, b, out=np.zeros(a.shape), where=b > 0)
    recall = quotient(right, np.broadcast_to(support, right.shape))
    want = dict(
        macro_precision=quotient(right, predicted).mean(axis=1), macro_recall=recall.mean(axis=1),
        macro_f1=quotient(2 * right, predicted + support).mean(axis=1),
        balanced_accuracy=recall[:, support > 0].mean(axis=1))
    found = []
    for key, values in want.items():
        # A quantile of 2,000 normal draws is off by 0.06 standard deviations; few images jump by whole steps.
        slack = 5 * 0.06 * values.std() * 2 ** 0.5 + 1 / max(1, len(np.unique(values))) * np.ptp(values) + 1e-12
        for end, share in [("low", 0.025), ("high", 0.975)]:
            expected, have = np.quantile(values, share), score["bootstrap"][key][end]
            if abs(expected - have) > slack:
                found.append(f"bootstrap.{key}.{end}: {have} is more than {slack} from {expected}")
    return found
