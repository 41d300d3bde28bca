# SPDX-License-Identifier: Apache-2.0
"""The overlap graph against shapely and Boost: `graph_bench.py PROGRAM [LARGEST]`; one JSON line a case.

Self-join: squares of mean degree 8, every touching pair; ours gives each pair once in a fixed order,
shapely's STRtree (bulk load and one query of all boxes) both directions. Ratios are of one thread's
CPU time, so that other work on the machine counts little; all threads are given as wall time. Areas: planar intersection
and area of quads, 1 in 100 not convex, geometries built before the clock starts on both sides; one
thread. Outputs are compared first. Rounds alternate between the contenders.
"""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import shapely

ROUNDS = 5


def squares(count):
    rng = np.random.default_rng(1)
    side = np.sqrt(2e6 / count)
    corner = rng.uniform(0, 1000, (count, 2))
    return np.hstack([corner, corner + side])


def quads(count):
    rng = np.random.default_rng(2)
    angle = rng.uniform(0, 2 * np.pi, (count, 2, 1)) + np.pi / 2 * np.arange(4)
    radius = np.full((count, 2, 4), 0.02)
    radius[::100, 0, 0] = 0.004  # a reflex corner
    centre = np.array([10, 45]) + np.concatenate([np.zeros((count, 1, 2)), rng.uniform(-0.02, 0.02, (count, 1, 2))], 1)
    return centre[:, :, None, :] + radius[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)


def run(program, mode, data, rounds, folder):
    (folder / "in").write_bytes(np.ascontiguousarray(data, dtype="<f8").tobytes())
    text = subprocess.run([program, mode, folder / "in", str(rounds), folder / "out"], check=True, capture_output=True, text=True).stdout
    return json.loads(text), (folder / "out").read_bytes()


def join_case(program, count, folder):
    boxes = squares(count)
    rounds = ROUNDS if count < 5e6 else 1
    ours, peer = [], []
    for _ in range(rounds):
        report, pairs = run(program, "join", boxes, 1, folder)
        ours.append(report)
        shapes = shapely.box(*boxes.T)
        start = time.thread_time()
        hits = shapely.STRtree(shapes).query(shapes)
        peer.append(1000 * (time.thread_time() - start))
    hits = hits[:, hits[0] < hits[1]].T.astype(np.uint32)
    hits = hits[np.lexsort((hits[:, 1], hits[:, 0]))]
    assert np.array_equal(hits, np.frombuffer(pairs, "<u4").reshape(-1, 2)), "the pairs differ from shapely's"
    one, both, boost = (float(np.median(np.concatenate([r[k] for r in ours]))) for k in ("one_ms", "all_ms", "boost_ms"))
    shapely_ms = float(np.median(peer))
    return {"case": f"self-join of {count:g} boxes", "pairs": ours[0]["pairs"], "one_thread_cpu_ms": one, "all_threads_wall_ms": both, "first_call_ms": ours[0]["cold_ms"][0],
            "boost_ms": boost, "shapely_ms": shapely_ms, "x_boost": boost / one, "x_shapely": shapely_ms / one}


def areas_case(program, count, folder):
    corners = quads(count)
    some = min(count, 20000)
    rings = np.concatenate([corners[:some], corners[:some, :, :1]], 2)
    a, b = shapely.polygons(rings[:, 0]), shapely.polygons(rings[:, 1])
    reports, peer = [], []
    for _ in range(ROUNDS if count <= 1e6 else 2):
        report, areas = run(program, "areas", corners, 1, folder)
        reports.append(report)
        start = time.thread_time()
        truth = shapely.area(shapely.intersection(a, b))
        peer.append(1e9 * (time.thread_time() - start) / some)
    error = np.max(np.abs(np.frombuffer(areas, "<f8")[:some] - truth)) / 8e-4
    assert error < 1e-9, f"areas differ by {error} of a quad"
    case = {"case": f"overlap areas of {count:g} pairs", "largest_difference": error}
    for key in ("plane_ns", "plane_and_prepare_ns", "ground_ns", "boost_ns"):
        case[key] = float(np.median(np.concatenate([r[key] for r in reports])))
    case["geos_ns"] = float(np.median(peer))
    case["x_geos"] = case["geos_ns"] / case["plane_ns"]
    case["x_boost"] = case["boost_ns"] / case["plane_ns"]
    return case


def cases(program, largest):
    with tempfile.TemporaryDirectory() as folder:
        for count in (10_000, 1_000_000, 10_000_000):
            if count <= largest:
                yield join_case(program, count, Path(folder))
        yield areas_case(program, int(min(largest, 4_000_000)), Path(folder))


if __name__ == "__main__":
    for row in cases(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1e7):
        print(json.dumps(row), flush=True)
