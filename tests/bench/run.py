# SPDX-License-Identifier: Apache-2.0
"""Figures against peers in the same run: `run.py BIN_FOLDER [--markdown]`; prints one row a figure.

Every row is a ratio (ours / peer, above 1 = we are faster), because machines differ.
"""
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import chips
import graph_bench
import label_bench
import learn_bench
import score_bench
import numpy as np
import rasterio
from rasterio.features import rasterize
from rasterio.transform import from_origin
from rasterio.windows import Window

import scan_bench

BIN = Path(sys.argv[1]).resolve()
RASTERS, SIZE, BANDS = 150, 1024, 4


def clock(work, repeat=3):
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def make_rasters(folder):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for i in range(RASTERS):
        x, y = 500000 + (i % 20) * 7680, 5000000 - (i // 20) * 7680
        data = rng.integers(1, 63, (BANDS, SIZE, SIZE), dtype=np.uint16) * 64
        data[:, :40, :] = 0
        with rasterio.open(folder / f"scene_{i:04d}.tif", "w", driver="GTiff", width=SIZE, height=SIZE, count=BANDS, dtype="uint16",
                           crs="EPSG:32633", transform=from_origin(x, y, 10, 10), nodata=0, compress="deflate", tiled=True) as out:
            out.write(data)


def job(folder):
    text = f"""workspace: work
roots: {{data: .}}
sources:
  s:
    files: data:rasters/*.tif
grid: {{resolution_m: 10}}
views: {{patch_px: 128, min_views: 1}}
layers:
  fields: {{vector: 'data:fields.geojson', draw: polygons, class: 1, extent: all}}
"""
    (folder / "job.yaml").write_text(text)
    rng = np.random.default_rng(2)
    features = []
    for i in range(20000):
        x, y = 500000 + rng.uniform(0, 150000), 5000000 - rng.uniform(0, 115000)
        w, h = rng.uniform(20, 400, 2)
        ring = [[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]]
        features.append({"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    (folder / "fields.geojson").write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))


def tilewright(*arguments):
    subprocess.run([BIN / "tilewright", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def micro(folder):
    environment = dict(os.environ, TILEWRIGHT_BENCH_RASTERS=str(folder / "rasters"), TILEWRIGHT_BENCH_SHARDS=str(folder / "work/shards"))
    out = subprocess.run([BIN / "tilewright-bench", "--benchmark_format=json"], check=True, capture_output=True, env=environment).stdout
    return {row["name"].split("/")[0]: row for row in json.loads(out)["benchmarks"]}


def peer_headers(files):
    for file in files:
        with rasterio.open(file) as source:
            source.bounds, source.crs.to_epsg()


def peer_pixels(files):
    for file in files:
        with rasterio.open(file) as source:
            source.read()


def peer_graph():
    import shapely
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 1000, 100000), rng.uniform(0, 1000, 100000)
    boxes = shapely.box(x, y, x + rng.uniform(0.5, 8, 100000), y + rng.uniform(0.5, 8, 100000))
    return clock(lambda: shapely.STRtree(boxes).query(boxes))


def graph_rows():
    rows = []
    for case in graph_bench.cases(BIN / "tilewright-graph-bench", 1e6):
        print(json.dumps(case), file=sys.stderr)
        name = case["case"]
        for peer, key in (("shapely STRtree", "shapely_ms"), ("Boost R-tree, bulk + queries", "boost_ms")):
            if key in case:
                rows.append((name, 1000 / case["one_thread_cpu_ms"], "runs/s", 1000 / case[key], f"{peer}, one thread each"))
        for peer, key in (("GEOS (shapely)", "geos_ns"), ("Boost", "boost_ns")):
            if "plane_ns" in case:
                rows.append((name + ", planar", 1e9 / case["plane_ns"], "pairs/s", 1e9 / case[key], f"{peer} intersection + area, one thread each"))
    return rows


def peer_extract(folder, rows):
    by_path = {}
    for path, col, row in rows:
        by_path.setdefault(path, []).append((int(col), int(row)))
    target = folder / "peer"
    target.mkdir(exist_ok=True)
    for path, windows in by_path.items():
        with rasterio.open(folder / path.split(":", 1)[1]) as source:
            for col, row in windows:
                np.save(target / f"{Path(path).stem}_{col}_{row}.npy", source.read(window=Window(col, row, 128, 128)))


def peer_labels(folder, places):
    import shapely
    features = json.loads((folder / "fields.geojson").read_text())["features"]
    shapes = [shapely.polygons(f["geometry"]["coordinates"][0]) for f in features]
    tree = shapely.STRtree(shapes)
    for i, (ulx, uly) in enumerate(places):
        hits = tree.query(shapely.box(ulx, uly - 1280, ulx + 1280, uly))
        mask = rasterize([(shapes[h], 1) for h in hits], (128, 128), transform=from_origin(ulx, uly, 10, 10), dtype="uint8") if len(hits) else np.zeros((128, 128), np.uint8)
        np.save(folder / "peer" / f"mask_{i}.npy", mask)


def peer_webdataset(folder):
    import webdataset
    shards = sorted(str(p) for p in (folder / "work/shards").glob("s-*.tar"))
    total = 0
    for sample in webdataset.WebDataset(shards, shardshuffle=False, empty_check=False):
        total += sum(len(v) for k, v in sample.items() if k.endswith("npy"))
    return total


def stage_time(folder, stage):
    return clock(lambda: tilewright(stage, folder / "job.yaml", "--force", stage), 2)


def measure(folder):
    """Rows as they are measured, so that a peer that fails at the end loses none of them."""
    make_rasters(folder / "rasters")
    job(folder)
    files = sorted((folder / "rasters").glob("*.tif"))
    ours = stage_time(folder, "scan")
    peer = clock(lambda: peer_pixels(files), 2)
    yield ("scan with footprints and SHA-256", RASTERS / ours, "tiles/s", RASTERS / peer, "rasterio, reads all pixels, one thread")
    tilewright("graph", folder / "job.yaml")
    tilewright("views", folder / "job.yaml")
    ours = stage_time(folder, "extract")
    manifest = sqlite3.connect(f"file:{folder}/work/manifest.gpkg?mode=ro", uri=True)
    views = manifest.execute("select path, col_off, row_off from view join tile using (tile_id)").fetchall()
    peer = clock(lambda: peer_extract(folder, views), 2)
    yield ("extract", len(views) / ours, "chips/s", len(views) / peer, "rasterio windows + numpy.save, one thread")
    ours = stage_time(folder, "label")
    places = manifest.execute("select ulx, uly from location order by location_id").fetchall()
    peer = clock(lambda: peer_labels(folder, places), 2)
    yield ("label", len(places) / ours, "masks/s", len(places) / peer, "shapely STRtree + rasterio.features + numpy.save, one thread")
    yield from label_bench.rows(BIN / "tilewright-label-bench")
    inner = micro(folder)
    peer = clock(lambda: peer_headers(files))
    yield ("headers", inner["headers"]["items_per_second"], "files/s", RASTERS / peer, "rasterio open + bounds + CRS")
    ours = inner["touching_boxes"]["real_time"] / 1000
    peer = peer_graph()
    yield ("graph, 1e5 boxes", 1 / ours, "runs/s", 1 / peer, "shapely STRtree query of all boxes")
    yield from graph_rows()
    yield ("views, 1000 x 1000 masks", inner["planning"]["items_per_second"], "tiles/s", 20, "12,000 tiles in ten minutes, the limit")
    yield ("views, hot-spots", inner["hot_spot_windows"]["windows"], "windows", inner["hot_spot_windows"]["grown"], "tuple growing, beam 5: windows of several dates")
    gigabytes = inner["shard_reading"]["bytes_per_second"] / 1e9
    yield ("shard reading", gigabytes, "GB/s", inner["memory_copy"]["bytes_per_second"] / 1e9, "memcpy")
    total = peer_webdataset(folder)
    peer = clock(lambda: peer_webdataset(folder), 2)
    yield ("shard reading", gigabytes, "GB/s", total / peer / 1e9, "webdataset, bytes only")
    yield from scan_bench.rows(BIN, folder / "scan")
    if score_bench.PEER.exists():
        yield from score_bench.rows(BIN / "tilewright-score-bench")
    yield from chips.rows(BIN, folder / "chips")
    if (BIN / "tilewright-learn-bench").exists():
        yield from learn_bench.rows(BIN / "tilewright-learn-bench")
    start = clock(lambda: tilewright("--help"), 20)
    yield ("start of --help", start * 1000, "ms", 50, "the limit")


def main():
    print(f"{platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}\n")
    print("| figure | ours | peer | ratio | peer is |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, ours, unit, peer, what in measure(Path(folder)):
            ratio = peer / ours if unit in ("ms", "MB", "%") else ours / peer
            print(f"| {name} | {ours:.4g} {unit} | {peer:.4g} {unit} | {ratio:.2f} | {what} |", flush=True)


if __name__ == "__main__":
    main()
