# SPDX-License-Identifier: Apache-2.0
"""Scores of labels against cleanlab: `score_bench.py PROGRAM [PYTHON]`; one JSON line.

512 tiles of 256 px with two classes (a thousandth of them would be 0.5 GB more: the figure is one a tile, and 340 MB are far
beyond every cache). Softmin is compared with cleanlab's tile by tile before anything counts. CPU time of one thread; cleanlab runs
in an environment of its own (PYTHON), because it wants an older numpy than the other peers.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

TILES, SIZE, CLASSES, ROUNDS, PEER_TILES = 512, 256, 2, 5, 64
PEER = Path(__file__).parents[2] / ".deps/bench-cleanlab/bin/python"
CLEANLAB = """
import sys, time
import numpy as np
from cleanlab.segmentation.rank import get_label_quality_scores
folder, tiles, size, classes = sys.argv[1], *map(int, sys.argv[2:])
labels = np.fromfile(folder + "/labels", np.uint8, tiles * size * size).reshape(tiles, size, size).astype(np.int64)
probabilities = np.fromfile(folder + "/probabilities", np.float32, tiles * classes * size * size).reshape(tiles, classes, size, size)
used = []
for _ in range(5):
    start = time.thread_time()
    scores, _ = get_label_quality_scores(labels, probabilities, method="softmin", verbose=False)
    used.append(1e6 * (time.thread_time() - start) / tiles)
np.asarray(scores, np.float64).tofile(folder + "/cleanlab")
print(sorted(used)[2])
"""


def make(folder):
    """Boxes as labels, probabilities that mostly agree, and a band with their edges."""
    rng = np.random.default_rng(1)
    with open(folder / "labels", "wb") as labels, open(folder / "probabilities", "wb") as probabilities, open(folder / "bands", "wb") as bands:
        for _ in range(TILES):
            truth, label = np.zeros((2, SIZE, SIZE), np.uint8)
            for _ in range(30):
                x, y = rng.integers(0, SIZE - 24, 2)
                w, h = rng.integers(8, 24, 2)
                truth[y:y + h, x:x + w] = 1
                if rng.random() < 0.9:
                    label[y:y + h, x:x + w] = 1
            p = np.clip(0.06 + 0.88 * truth + rng.normal(0, 0.05, truth.shape), 1e-4, 1 - 1e-4).astype(np.float32)
            label.tofile(labels)
            np.stack([1 - p, p]).astype(np.float32).tofile(probabilities)
            (6 * truth + rng.normal(0, 0.1, truth.shape)).astype(np.float32).tofile(bands)


def case(program, python=PEER):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        out = subprocess.run([program, folder, str(SIZE), str(CLASSES), str(ROUNDS)], check=True, capture_output=True, text=True).stdout
        report = json.loads(out)
        peer = subprocess.run([python, "-c", CLEANLAB, name, str(PEER_TILES), str(SIZE), str(CLASSES)], check=True, capture_output=True, text=True).stdout
        ours, theirs = np.fromfile(folder / "softmin")[:PEER_TILES], np.fromfile(folder / "cleanlab")
        assert np.allclose(ours, theirs, rtol=2e-5, atol=0), f"softmin differs from cleanlab's by {np.abs(ours - theirs).max()}"
        report["cleanlab_softmin"] = float(peer)
        report["largest_difference"] = float(np.abs(ours - theirs).max())
        return report


def rows(program):
    """Rows of the table: name, ours, unit, peer's, what the peer is."""
    report = case(program)
    print(json.dumps(report), file=sys.stderr)
    yield "softmin of labels", 1e6 / report["softmin"], "tiles/s", 1e6 / report["cleanlab_softmin"], "cleanlab, one thread each, equal to 2e-5"
    for score in ("softmin", "log_likelihood", "confident_frac", "model_iou"):
        yield f"{score}, share of memory", 1e6 / report[score], "tiles/s", 1e6 / report["copy_probabilities"], "memcpy of the same bytes; goal .5"
    yield "edge_agreement, share of memory", 1e6 / report["edge_agreement"], "tiles/s", 1e6 / report["copy_band"], "memcpy of the same bytes; goal .5"


if __name__ == "__main__":
    print(json.dumps(case(Path(sys.argv[1]).resolve(), *sys.argv[2:])))
