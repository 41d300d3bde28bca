# SPDX-License-Identifier: Apache-2.0
"""Chips against peers in the same run: `chips.py BIN_FOLDER [--rounds N] [--scenes N]`; a table, then one JSON line.

The peer of warped and random chips takes TorchGeo's path (its wheel needs torch): one WarpedVRT a file in an LRU of 128,
`rasterio.merge` for each sample, float32 out. Everything runs in one process; ours and the codec limit on two threads.
"""
import argparse
import functools
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
import rasterio.merge
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rasterio.windows import Window

SIZE, EDGE, BANDS, THREADS, ZONE = 264, 4096, 4, 2, 32632


def make_scenes(folder, count):
    """Smooth texture and noise: DEFLATE packs it to about six tenths, as real reflectances."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:EDGE, 0:EDGE].astype(np.float32)
    for n in range(count):
        data = np.empty((BANDS, EDGE, EDGE), np.uint16)
        for b in range(BANDS):
            data[b] = 3000 + 900 * np.sin(x / (37 + 5 * b) + n) * np.cos(y / (53 + 3 * b)) + rng.normal(0, 60, (EDGE, EDGE))
        with rasterio.open(folder / f"scene_{n:02d}.tif", "w", driver="GTiff", width=EDGE, height=EDGE, count=BANDS, dtype="uint16", crs="EPSG:32633",
                           transform=from_origin(400000 + 7 * n, 5400000 - 3 * n, 10, 10), tiled=True, blockxsize=512, blockysize=512, interleave="pixel",
                           compress="deflate", predictor=2) as out:
            out.write(data)


def ours(bench, mode, folder, *arguments, check=False):
    environment = {"TILEWRIGHT_CHECK": "1"} if check else {}
    out = subprocess.run([str(bench), mode, str(folder), str(THREADS), *map(str, arguments)], check=True, capture_output=True, text=True, env=environment).stdout
    return json.loads(out)


def grid_windows(stride):
    places = range(0, EDGE - SIZE + 1, stride)
    return [(col, row) for row in places for col in places]


def rasterio_chips(files, windows_of):
    chips = total = 0
    for n, file in enumerate(files):
        with rasterio.open(file) as source:
            for col, row in windows_of(n):
                data = source.read(window=Window(col, row, SIZE, SIZE))
                chips, total = chips + 1, total + int(data.sum(dtype=np.uint64)) if CHECK else total
    return chips, total


def merged_chips(files, bounds_of, crs, resampling):
    """TorchGeo's RasterDataset: a cached reader a file, a merge a sample, float32."""

    @functools.lru_cache(128)
    def reader(file):
        source = rasterio.open(file)
        return source if source.crs == crs else WarpedVRT(source, crs=crs, resampling=resampling)

    chips = total = 0
    for n, file in enumerate(files):
        for bounds in bounds_of(n):
            data, _ = rasterio.merge.merge([reader(file)], bounds=bounds, res=10, resampling=resampling)
            sample = data.astype(np.float32)
            chips, total = chips + 1, total + int(data.sum(dtype=np.uint64)) if CHECK else total
            del sample
    return chips, total


CHECK = False


def clock(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def rounds(count, bench, mode, folder, arguments, peer):
    pairs, found = [], None
    for _ in range(count):
        found = ours(bench, mode, folder, *arguments)
        seconds, (chips, _) = clock(peer)
        pairs.append(((found["chips"] / found["seconds"]), chips / seconds))
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), statistics.median(a / b for a, b in pairs)


def main():
    global CHECK
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scenes", type=int, default=4)
    arguments = parser.parse_args()
    bench = arguments.bin / "tilewright-chips-bench"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_scenes(folder, arguments.scenes)
        files = sorted(folder.glob("*.tif"))
        grid = lambda n: grid_windows(SIZE)
        to_bounds = lambda n, col, row: (400000 + 7 * n + col * 10, 5400000 - 3 * n - (row + SIZE) * 10, 400000 + 7 * n + (col + SIZE) * 10, 5400000 - 3 * n - row * 10)
        CHECK = True
        mine, theirs = ours(bench, "grid", folder, SIZE, SIZE, check=True), rasterio_chips(files, grid)
        assert (mine["chips"], mine["sum"]) == theirs, f"unequal: {mine} {theirs}"
        CHECK = False
        table = {}
        limits = [ours(bench, "limit", folder) for _ in range(arguments.rounds)]
        limit = statistics.median(l["bytes"] / l["seconds"] for l in limits) / (SIZE * SIZE * BANDS * 2)
        used = (EDGE // SIZE * SIZE) ** 2 / EDGE**2
        table["grid against rasterio"] = rounds(arguments.rounds, bench, "grid", folder, (SIZE, SIZE), lambda: rasterio_chips(files, grid))
        share = table["grid against rasterio"][0] / (limit * used)
        few = lambda n: [to_bounds(n, col, row) for col, row in grid_windows(SIZE)[::5]]
        table["grid against merge (TorchGeo's path)"] = rounds(arguments.rounds, bench, "grid", folder, (SIZE, SIZE), lambda: merged_chips(files, few, rasterio.crs.CRS.from_epsg(32633), Resampling.nearest))

        def warped_bounds(n):
            west, south, east, north = transform_bounds("EPSG:32633", f"EPSG:{ZONE}", 400000 + 7 * n, 5400000 - 3 * n - EDGE * 10, 400000 + 7 * n + EDGE * 10, 5400000 - 3 * n)
            inset, edge = 4000, SIZE * 10
            lefts = np.arange(np.ceil((west + inset) / 10) * 10, east - inset - edge, edge * 3)
            tops = np.arange(np.floor((north - inset) / 10) * 10, south + inset + edge, -edge * 3)
            return [(left, top - edge, left + edge, top) for top in tops for left in lefts]

        table["other zone, bilinear, against WarpedVRT + merge"] = rounds(arguments.rounds, bench, "warp", folder, (SIZE, ZONE), lambda: merged_chips(files, warped_bounds, rasterio.crs.CRS.from_epsg(ZONE), Resampling.bilinear))
        rng = np.random.default_rng(5)

        def random_chips():
            """Samples of a random sampler: another scene each time, so that blocks fall out of the cache."""
            order = [(int(rng.integers(len(files))), int(rng.integers(EDGE - SIZE)), int(rng.integers(EDGE - SIZE))) for _ in range(60)]
            chips = 0
            readers = {}
            for n, col, row in order:
                source = readers.setdefault(n, rasterio.open(files[n]))
                data, _ = rasterio.merge.merge([source], bounds=to_bounds(n, col, row), res=10)
                data.astype(np.float32)
                chips += 1
            return chips, 0

        with rasterio.Env(GDAL_CACHEMAX=64 << 20):
            table["random, scenes larger than the cache (64 MiB), against merge"] = rounds(arguments.rounds, bench, "random", folder, (SIZE, 900), random_chips)
        print(f"codec limit {limit:.0f} chips/s on {THREADS} threads; grid reaches {100 * share:.0f} % of it for the blocks it needs")
        print("| chips of 264 x 264 x 4 uint16, DEFLATE | ours, chips/s | peer, chips/s | ratio |\n|---|---|---|---|")
        for row, (a, b, ratio) in table.items():
            print(f"| {row} | {a:.0f} | {b:.0f} | {ratio:.1f} |")
        print(json.dumps({"limit_chips_per_s": limit, "share_of_limit": share, "rows": table, "rasterio": rasterio.__version__, "gdal": rasterio.__gdal_version__}))


if __name__ == "__main__":
    main()
