# SPDX-License-Identifier: Apache-2.0
"""Drawing of labels, rasterizer against rasterizer: `label_bench.py PROGRAM`; one JSON line a case.

2,500 tiles of 256 px with 40 objects each: rotated buildings of 20 to 50 px, and roads of 20 points that are 4 to
12 px wide. Masks are compared before anything is timed. All figures are CPU time of one thread; GDAL's rasterizer is
called from C++ on geometries that exist, rasterio on shapes that exist, and the roads' peer buffers them first.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import shapely
from rasterio.features import rasterize
from rasterio.transform import Affine

TILES, OBJECTS, SIZE, PEER_TILES, ROUNDS = 2500, 40, 256, 100, 5
TRANSFORM = Affine(1, 0, 0, 0, -1, SIZE)


def buildings():
    rng = np.random.default_rng(1)
    shape = (TILES, OBJECTS)
    centre = rng.uniform(0, SIZE, (*shape, 1, 2))
    half = rng.uniform(10, 25, (*shape, 1, 2)) * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
    angle = rng.uniform(0, np.pi, (*shape, 1))
    turned = np.stack([half[..., 0] * np.cos(angle) - half[..., 1] * np.sin(angle), half[..., 0] * np.sin(angle) + half[..., 1] * np.cos(angle)], -1)
    return centre + turned


def roads():
    rng = np.random.default_rng(2)
    heading = rng.uniform(0, 2 * np.pi, (TILES, OBJECTS, 1)) + np.cumsum(rng.normal(0, 0.15, (TILES, OBJECTS, 19)), -1)
    steps = 10 * np.stack([np.cos(heading), np.sin(heading)], -1)
    start = rng.uniform(0, SIZE, (TILES, OBJECTS, 1, 2))
    points = np.concatenate([start, start + np.cumsum(steps, -2)], -2)
    return points, rng.uniform(2, 6, (TILES, OBJECTS))


def run(program, mode, data, folder, isa):
    (folder / "in").write_bytes(np.ascontiguousarray(data, dtype="<f8").tobytes())
    environment = dict(os.environ, **({"TILEWRIGHT_ISA": isa} if isa else {}))
    out = subprocess.run([program, mode, folder / "in", str(ROUNDS), folder / "out"], check=True, capture_output=True, text=True, env=environment).stdout
    return json.loads(out), np.fromfile(folder / "out", np.uint8).reshape(-1, SIZE, SIZE)


def isas():
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return [""] + [isa for isa, flag in (("avx2", "avx2"), ("scalar", "")) if flag in flags]


def peer(shapes_of):
    """CPU microseconds a tile, and the masks of the first tiles."""
    used, masks = [], []
    for _ in range(3):
        start = time.thread_time()
        masks = [rasterize(shapes_of(t), (SIZE, SIZE), transform=TRANSFORM, dtype="uint8") for t in range(PEER_TILES)]
        used.append(1e6 * (time.thread_time() - start) / PEER_TILES)
    return float(np.median(used)), np.stack(masks)


def building_case(program, folder):
    rings = buildings()
    reports = {isa or "best": run(program, "buildings", rings, folder, isa) for isa in isas()}
    report, masks = reports["best"]
    for name, (_, other) in reports.items():
        assert np.array_equal(masks, other), f"masks differ with {name}"
    shapes = [[(shapely.polygons(ring), 1) for ring in tile] for tile in rings[:PEER_TILES]]
    peer_us, peer_masks = peer(lambda t: shapes[t])
    assert report["different_pixels"] == 0, f"{report['different_pixels']} pixels differ from GDAL's"
    assert np.array_equal(masks[:PEER_TILES], peer_masks), "masks differ from rasterio's"
    return {"case": "buildings", **{f"{name}_us": r["ours_us"] for name, (r, _) in reports.items()}, "gdal_us": report["gdal_us"], "rasterio_us": peer_us,
            "x_gdal": report["gdal_us"] / report["ours_us"], "x_rasterio": peer_us / report["ours_us"]}


def road_case(program, folder):
    points, half = roads()
    data = np.concatenate([points.reshape(TILES, OBJECTS, -1), half[..., None]], -1)
    report, masks = run(program, "roads", data, folder, "")
    lines = [[shapely.linestrings(p) for p in tile] for tile in points[:PEER_TILES]]
    peer_us, peer_masks = peer(lambda t: [(shapely.buffer(line, w, quad_segs=8), 1) for line, w in zip(lines[t], half[t])])
    both, any_ = (masks[:PEER_TILES] & peer_masks).sum(), (masks[:PEER_TILES] | peer_masks).sum()
    assert both / any_ > 0.995, f"roads differ from buffers: IoU {both / any_}"
    return {"case": "roads", "best_us": report["ours_us"], "peer_us": peer_us, "x_peer": peer_us / report["ours_us"], "iou": float(both / any_)}


def rows(program):
    """Rows of the table: name, ours, unit, peer's, what the peer is."""
    with tempfile.TemporaryDirectory() as folder:
        case = building_case(program, Path(folder))
        print(json.dumps(case), file=sys.stderr)
        for key, name in (("best_us", "best"), ("avx2_us", "AVX2"), ("scalar_us", "scalar")):
            if key in case:
                yield f"drawing buildings, {name}", 1e6 / case[key], "tiles/s", 1e6 / case["gdal_us"], "GDALRasterizeGeometries in C++, one thread each, equal pixels"
        yield "drawing buildings", 1e6 / case["best_us"], "tiles/s", 1e6 / case["rasterio_us"], "rasterio.features, one thread each, equal pixels"
        case = road_case(program, Path(folder))
        print(json.dumps(case), file=sys.stderr)
        yield "drawing roads", 1e6 / case["best_us"], "tiles/s", 1e6 / case["peer_us"], "shapely buffer + rasterio.features, one thread each, IoU > .995"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for make in (building_case, road_case):
            print(json.dumps(make(Path(sys.argv[1]).resolve(), Path(scratch))), flush=True)
