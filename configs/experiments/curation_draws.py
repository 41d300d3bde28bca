# SPDX-License-Identifier: Apache-2.0
"""What curation is worth over several draws: `curation_draws.py WORKSPACE...`, one finished workspace of c_curation_small.yaml a draw.

Prints the test IoU of buildings of each arm under both budgets and its difference from all noisy labels; how well the model-free signal, the models
and both find labels whose true IoU is below 0.8, with the gain of both over the models; and labels before and after repair. Numbers
are means over draws with half of the 95 % interval (Student's t), differences are paired by draw.
"""
import csv
import io
import json
import sqlite3
import sys
from pathlib import Path

import numpy as np

BAD_BELOW = 0.8
T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def text(values):
    values = np.asarray(values, float)
    if len(values) < 2:
        return f"{values.mean():.3f}"
    return f"{values.mean():.3f} +-{T_975[len(values) - 1] * values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def test_scores(workspace):
    """IoU of buildings on test, against the true labels."""
    out = {}
    with open(workspace / "experiments/gain.csv", newline="") as file:
        for row in csv.DictReader(file):
            test = json.loads((workspace / "runs" / row["run"] / "evaluation.json").read_text())["parts"]["test"]
            out[row["budget"], row["arms"]] = next(c["iou"] for c in test["classes"] if c["id"] == 1)
    return out


class Masks:
    def __init__(self, workspace):
        self.workspace, self.manifest = workspace, sqlite3.connect(f"file:{workspace / 'manifest.gpkg'}?mode=ro", uri=True)

    def of(self, layer):
        rows = self.manifest.execute("SELECT location_id, shard, byte_offset, byte_length FROM mask WHERE layer = ?", (layer,))
        out = {}
        for location, shard, offset, length in rows:
            with open(self.workspace / shard, "rb") as file:
                file.seek(offset)
                out[location] = np.load(io.BytesIO(file.read(length)))
        return out

    def scores(self, metric):
        return dict(self.manifest.execute("SELECT location_id, value FROM score WHERE layer = 'buildings' AND metric = ?", (metric,)))


def iou(a, b):
    known = (a != 255) & (b != 255)
    either = (((a == 1) | (b == 1)) & known).sum()
    return (((a == 1) & (b == 1)) & known).sum() / either if either else 1.0


def auroc(score, bad):
    """Chance that a bad label has a smaller score than a good one; ties count a half."""
    low, high = score[bad], score[~bad]
    return float(((low[:, None] < high) + 0.5 * (low[:, None] == high)).mean())


def tau(a, b):
    """Kendall's tau-b."""
    x, y = (np.sign(v[:, None] - v)[np.triu_indices(len(v), 1)] for v in (a, b))
    return float((x * y).sum() / np.sqrt((x != 0).sum() * (y != 0).sum()))


def curation(workspace):
    masks = Masks(workspace)
    noisy, true, repaired = (masks.of(layer) for layer in ("buildings", "true_buildings", "buildings_repaired"))
    before = {location: iou(mask, true[location]) for location, mask in noisy.items()}
    out = {"locations": len(before), "bad": np.mean([v < BAD_BELOW for v in before.values()]), "before": np.mean(list(before.values())),
           "after": np.mean([iou(mask, true[location]) for location, mask in repaired.items()])}
    for metric in ("edge_agreement", "model_iou", "combined", "softmin"):
        found = masks.scores(metric)
        ids = sorted(found)
        truth, score = np.array([before[i] for i in ids]), np.array([found[i] for i in ids])
        out[metric] = auroc(score, truth < BAD_BELOW), tau(score, truth)
    # Where both speak, so that the gain is that of the signal and not of other locations.
    models, both = masks.scores("model_iou"), masks.scores("combined")
    ids = sorted(models)
    truth = np.array([before[i] for i in ids])
    pair = [np.array([scores[i] for i in ids]) for scores in (models, both)]
    out["gain"] = [auroc(pair[1], truth < BAD_BELOW) - auroc(pair[0], truth < BAD_BELOW), tau(pair[1], truth) - tau(pair[0], truth)]
    return out


def main(workspaces):
    tests = [test_scores(workspace) for workspace in workspaces]
    keys = list(tests[0])
    budgets, arms = dict.fromkeys(b for b, _ in keys), dict.fromkeys(a for _, a in keys)
    print(f"{len(workspaces)} draws\n\n| arm |" + "".join(f" {b} | difference |" for b in budgets) + "\n|---|" + "---|---|" * len(budgets))
    for arm in arms:
        cells = []
        for budget in budgets:
            values = [test[budget, arm] for test in tests]
            cells += [text(values), text([test[budget, arm] - test[budget, "all_noisy"] for test in tests])]
        print(f"| `{arm}` | " + " | ".join(cells) + " |")
    for budget in budgets:
        best = [max(t[budget, "curated_half"], t[budget, "repaired_all"]) - t[budget, "all_noisy"] for t in tests]
        few = [t[budget, "curated_45"] - t[budget, "random_45"] for t in tests]
        print(f"\n{budget}: better of curated half and repaired all, against all noisy: {text(best)}; curated 45 against random 45: {text(few)}", end="")
    print("\n\n| score | AUROC | Kendall tau |\n|---|---|---|")
    found = [curation(workspace) for workspace in workspaces]
    for metric in ("edge_agreement", "model_iou", "combined", "softmin"):
        print(f"| `{metric}` | {text([f[metric][0] for f in found])} | {text([f[metric][1] for f in found])} |")
    print(f"\nthe model-free signal adds {text([f['gain'][0] for f in found])} AUROC and {text([f['gain'][1] for f in found])} tau to `model_iou`")
    print(f"{found[0]['locations']} locations, {text([f['bad'] for f in found])} bad; mean true IoU {text([f['before'] for f in found])}, repaired {text([f['after'] for f in found])}")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
