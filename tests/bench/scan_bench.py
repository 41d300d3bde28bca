# SPDX-License-Identifier: Apache-2.0
"""Figures of scan: `scan_bench.py BIN_FOLDER [FILES]`; run.py prints the same rows.

Headers to bounds in longitude and latitude against rasterio and GDAL in C++, results compared first;
a whole scan against the sum of what its codec and its hash alone take.
"""
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import transform

ROUNDS = 5


def make_small(folder, count):
    """Plain GeoTIFFs of 64 x 64 px in four zones."""
    folder.mkdir(parents=True)
    data = np.arange(64 * 64, dtype=np.uint16).reshape(1, 64, 64)
    for i in range(count):
        with rasterio.open(folder / f"t{i:05d}.tif", "w", driver="GTiff", width=64, height=64, count=1, dtype="uint16", nodata=0, crs=f"EPSG:{32630 + i % 4}",
                           transform=from_origin(400000 + (i % 50) * 640, 5000000 - (i // 50) * 640, 10, 10), compress="deflate") as out:
            out.write(data)


def make_large(folder, count, size=1024, bands=4):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for i in range(count):
        data = rng.integers(1, 63, (bands, size, size), dtype=np.uint16) * 64
        data[:, :40, :] = 0
        with rasterio.open(folder / f"scene_{i:04d}.tif", "w", driver="GTiff", width=size, height=size, count=bands, dtype="uint16", crs="EPSG:32633", nodata=0,
                           transform=from_origin(500000 + (i % 20) * 7680, 5000000 - (i // 20) * 7680, 10, 10), compress="deflate", tiled=True) as out:
            out.write(data)


def inner(binary, what, folder, runs=1):
    return json.loads(subprocess.run([binary, what, str(folder), str(runs)], check=True, capture_output=True, text=True).stdout)


def rasterio_headers(files):
    sums = np.zeros(4)
    start = time.perf_counter()
    for file in files:
        with rasterio.open(file) as source:
            left, bottom, right, top = source.bounds
            x, y = transform(source.crs, "EPSG:4326", [left, right, right, left], [top, top, bottom, bottom])
            sums += (min(x), min(y), max(x), max(y))
    return time.perf_counter() - start, sums


def header_rows(binary, folder, count):
    make_small(folder, count)
    files = sorted(folder.glob("*.tif"))
    times = {"ours": [], "gdal": [], "rasterio": []}
    for _ in range(ROUNDS):
        # The second of two runs counts: the peer's process is warm too, its PROJ has worked before.
        ours, gdal = inner(binary, "headers", folder, 2), inner(binary, "gdal_headers", folder, 2)
        seconds, sums = rasterio_headers(files)
        assert np.allclose(ours["sums"], gdal["sums"], rtol=0, atol=1e-6) and np.allclose(ours["sums"], sums, rtol=0, atol=1e-3), "bounds differ"
        times["ours"].append(ours["seconds"])
        times["gdal"].append(gdal["seconds"])
        times["rasterio"].append(seconds)
    ours = len(files) / statistics.median(times["ours"])
    return [(f"headers of {count} files to bounds", ours, "files/s", len(files) / statistics.median(times["rasterio"]), "rasterio open, bounds, CRS, four corners transformed"),
            (f"headers of {count} files to bounds", ours, "files/s", len(files) / statistics.median(times["gdal"]), "GDAL in C++, one driver, one transformer a CRS")]


def scan_rows(bin_folder, binary, folder, count):
    make_large(folder / "rasters", count)
    (folder / "job.yaml").write_text("workspace: work\nroots: {data: .}\nsources:\n  s: {files: 'data:rasters/*.tif'}\n")
    limits, ours = [], []
    for _ in range(ROUNDS):
        limits.append(inner(binary, "codec", folder / "rasters")["seconds"] + inner(binary, "hash", folder / "rasters")["seconds"])
        subprocess.run(["rm", "-rf", str(folder / "work")], check=True)
        start = time.perf_counter()
        subprocess.run([bin_folder / "tilewright", "scan", str(folder / "job.yaml"), "-j", "1"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ours.append(time.perf_counter() - start)
    return [(f"scan of {count} scenes with hashes, one thread", count / statistics.median(ours), "scenes/s", count / statistics.median(limits),
             "the limit: libdeflate and SHA-256 alone")]


def rows(bin_folder, folder, files=5000, scenes=60):
    binary = bin_folder / "tilewright-scan-bench"
    return header_rows(binary, folder / "small", files) + scan_rows(bin_folder, binary, folder / "large", scenes)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for figure, ours, unit, peer, what in rows(Path(sys.argv[1]).resolve(), Path(name), *map(int, sys.argv[2:])):
            print(f"| {figure} | {ours:.4g} {unit} | {peer:.4g} {unit} | {ours / peer:.2f} | {what} |")
