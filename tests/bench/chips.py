# SPDX-License-Identifier: Apache-2.0
"""Chips against peers in the same run: `chips.py BIN_FOLDER [--rounds N] [--scenes N] [--edge N]`; run.py prints the same rows.

Both sides get the same list of windows in a file, run as one process each that makes the same bytes (uint16, C x H x W), and
time their own work without the start of the process. Every chip is compared before a row is timed; rounds then alternate, and
the median of their ratios counts. The peer `merge` takes TorchGeo's path without its dataset: an open reader a file, a WarpedVRT where
the CRS differs, `rasterio.merge` for each sample. TorchGeo itself is measured where `make bench-torch` has installed it.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
import rasterio.merge
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform
from rasterio.windows import Window

SIZE, BANDS, STEP, HOME, ZONE, SLICE = 264, 4, 10, 32633, 32632, 64
CACHE_MB = 64
DATES = 12
CHIP_BYTES = SIZE * SIZE * BANDS * 2
TORCHGEO_PYTHON = Path(__file__).resolve().parents[2] / ".deps/bench-torch/bin/python"


def corner(scene):
    return 400000 + 7 * scene, 5400000 - 3 * scene


def make_scenes(folder, count, edge):
    """Smooth texture and noise: DEFLATE packs it to about six tenths, as real reflectances."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:edge, 0:edge].astype(np.float32)
    for n in range(count):
        data = np.empty((BANDS, edge, edge), np.uint16)
        for b in range(BANDS):
            data[b] = 3000 + 900 * np.sin(x / (37 + 5 * b) + n) * np.cos(y / (53 + 3 * b)) + rng.normal(0, 60, (edge, edge))
        with rasterio.open(folder / f"scene_{n:02d}.tif", "w", driver="GTiff", width=edge, height=edge, count=BANDS, dtype="uint16", crs=f"EPSG:{HOME}",
                           transform=from_origin(*corner(n), STEP, STEP), tiled=True, blockxsize=512, blockysize=512, interleave="pixel",
                           compress="deflate", predictor=2) as out:
            out.write(data)


# Lists of windows: scene, column, row.
def grid_list(scenes, edge, stride=SIZE):
    places = range(0, edge - SIZE + 1, stride)
    return [(n, col, row) for n in range(scenes) for row in places for col in places]


def random_list(scenes, edge, count):
    """As TorchGeo's RandomGeoSampler asks, in an epoch of its default length: another scene each time."""
    rng = np.random.default_rng(5)
    return [(int(rng.integers(scenes)), int(rng.integers(edge - SIZE + 1)), int(rng.integers(edge - SIZE + 1))) for _ in range(count)]


def dates_list(dates, edge, stride=SIZE // 2):
    """As a sampler of several dates asks: place by place, at half a window's distance, each with all its dates."""
    places = range(0, edge - SIZE + 1, stride)
    return [(n, col, row) for row in places for col in places for n in range(dates)]


def warp_list(scenes, edge):
    """Cells of the other zone's grid whose windows lie inside the scene with some pixels to spare."""
    spare, out = 8 * STEP, []
    for n in range(scenes):
        west, north = corner(n)
        east, south = west + edge * STEP, north - edge * STEP
        xs, ys = transform(f"EPSG:{HOME}", f"EPSG:{ZONE}", [west, east, west, east], [north, north, south, south])
        for row in range(int(-max(ys) // STEP), int(-min(ys) // STEP) - SIZE, SIZE):
            for col in range(int(min(xs) // STEP), int(max(xs) // STEP) - SIZE, SIZE):
                c, r = np.array([col, col + SIZE, col, col + SIZE]) * STEP, -np.array([row, row, row + SIZE, row + SIZE]) * STEP
                x, y = map(np.array, transform(f"EPSG:{ZONE}", f"EPSG:{HOME}", c, r))
                if x.min() > west + spare and x.max() < east - spare and y.min() > south + spare and y.max() < north - spare:
                    out.append((n, col, row))
    return out


# The peers: each a generator of chips in the order of the list.
def read_windows(files, windows):
    sources = [rasterio.open(file) for file in files]
    for n, col, row in windows:
        yield sources[n].read(window=Window(col, row, SIZE, SIZE))


def merge_samples(files, windows):
    sources = [rasterio.open(file) for file in files]
    for n, col, row in windows:
        west, north = corner(n)
        bounds = (west + col * STEP, north - (row + SIZE) * STEP, west + (col + SIZE) * STEP, north - row * STEP)
        yield rasterio.merge.merge([sources[n]], bounds=bounds, res=STEP)[0]


def merge_warped(files, windows, tolerance=0.125):
    """The VRT lies on the grid of the samples: otherwise they would be resampled twice. XSCALE and YSCALE: GDAL takes a turned
    window for a coarser one and would blur it."""
    vrts = []
    for file in files:
        source = rasterio.open(file)
        xs, ys = transform(source.crs, f"EPSG:{ZONE}", *zip(source.bounds[:2], source.bounds[2:], (source.bounds[0], source.bounds[3]), (source.bounds[2], source.bounds[1])))
        west, north = min(xs) // STEP * STEP, max(ys) // STEP * STEP + STEP
        width, height = int((max(xs) - west) // STEP) + 1, int((north - min(ys)) // STEP) + 1
        vrts.append(WarpedVRT(source, crs=f"EPSG:{ZONE}", transform=from_origin(west, north, STEP, STEP), width=width, height=height, resampling=Resampling.bilinear,
                              tolerance=tolerance, XSCALE=1, YSCALE=1))
    for n, col, row in windows:
        yield rasterio.merge.merge([vrts[n]], bounds=(col * STEP, -(row + SIZE) * STEP, (col + SIZE) * STEP, -row * STEP), res=STEP)[0]


def torchgeo_samples(files, windows, epsg=HOME):
    """RasterDataset as its users make it. The number of a scene is its year, so that a sample asks for one scene of the stack."""
    import pandas
    from torchgeo.datasets import RasterDataset

    class Scenes(RasterDataset):
        filename_glob, filename_regex, date_format = "scene_*.tif", r"scene_(?P<date>\d\d)", "%y"

    dataset = Scenes(paths=[str(file) for file in files], crs=f"EPSG:{epsg}", res=(STEP, STEP))
    years = [slice(pandas.Timestamp(2000 + n, 1, 1), pandas.Timestamp(2000 + n, 12, 31)) for n in range(len(files))]
    for n, col, row in windows:
        west, north = corner(n) if epsg == HOME else (0, 0)
        west, north = west + col * STEP, north - row * STEP
        yield dataset[west:west + SIZE * STEP, north - SIZE * STEP:north, years[n]]["image"].numpy()


PEERS = {"torchgeo": torchgeo_samples, "torchgeo-warp": lambda files, windows: torchgeo_samples(files, windows, ZONE), "read": read_windows, "merge": merge_samples, "warp": merge_warped, "exact-warp": lambda files, windows: merge_warped(files, windows, 1e-3)}


def run_peer(name, folder, list_file, out):
    """The process of a peer; prints one JSON line as tilewright-chips-bench does."""
    files = sorted(Path(folder).glob("*.tif"))
    windows = [tuple(map(int, line.split())) for line in Path(list_file).read_text().splitlines()]
    chips = total = 0
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MB << 20), open(out or "/dev/null", "wb") as file:
        start = time.perf_counter()
        for data in PEERS[name](files, windows):
            sample = np.ascontiguousarray(data)
            chips, total = chips + 1, total + 2 * sample.size   # of TorchGeo, float32: the pixels as they lie in the files
            if out:
                file.write(sample.astype(np.uint16))
        seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "chips": chips, "bytes": total}))


def run(*command):
    return json.loads(subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout)


class Row:
    """One row of the table: a list, a peer, and how many threads we may use."""

    def __init__(self, bench, folder, name, windows, peer, threads=1, epsg=0):
        self.bench, self.folder, self.name, self.windows, self.peer, self.threads, self.epsg = bench, folder, name, windows, peer, threads, epsg
        self.list = folder / "list.txt"

    def ours(self, *out):
        return run(self.bench, "cut", self.folder, self.threads, SIZE, CACHE_MB, self.epsg, self.list, *out)

    def theirs(self, peer, *out):
        return run(TORCHGEO_PYTHON if peer.startswith("torchgeo") else sys.executable, __file__, "--peer", peer, self.folder, self.list, *out)

    def write(self, windows):
        self.list.write_text("".join(f"{n} {col} {row}\n" for n, col, row in windows))

    def compare(self):
        """All chips, a slice of the list at a time. Warped ones may round otherwise, by one; those of TorchGeo are warped to a grid
        of its own, then moved onto that of the samples by the nearest pixel, so that only their size is looked at."""
        a, b = self.folder / "ours.bin", self.folder / "theirs.bin"
        for begin in range(0, len(self.windows), SLICE):
            part = self.windows[begin:begin + SLICE]
            self.write(part)
            self.ours(a)
            self.theirs("exact-warp" if self.peer == "warp" else self.peer, b)
            mine, other = np.fromfile(a, np.uint16), np.fromfile(b, np.uint16)
            assert mine.nbytes == other.nbytes == len(part) * CHIP_BYTES, f"{self.name}: {mine.nbytes} and {other.nbytes} bytes for {len(part)} chips"
            if self.peer == "torchgeo-warp":
                continue
            apart = np.abs(mine.astype(np.int32) - other)
            assert apart.max() <= (1 if self.epsg else 0), f"{self.name}: a pixel differs by {apart.max()}, {np.count_nonzero(apart)} of {apart.size} differ"
        a.unlink()
        b.unlink()

    def measure(self, rounds):
        self.compare()
        self.write(self.windows)
        pairs = []
        for _ in range(rounds):
            mine, other = self.ours(), self.theirs(self.peer)
            assert (mine["chips"], mine["bytes"]) == (other["chips"], other["bytes"]) == (len(self.windows), len(self.windows) * CHIP_BYTES)
            pairs.append((mine["chips"] / mine["seconds"], other["chips"] / other["seconds"]))
        return {"chips": len(self.windows), "ours": statistics.median(a for a, _ in pairs), "peer": statistics.median(b for _, b in pairs),
                "ratio": statistics.median(a / b for a, b in pairs)}


def measure(bin_folder, folder, rounds=5, scenes=4, edge=4096):
    """The rows by name; row "limit" is the codec alone, in chips a second."""
    bench = bin_folder / "tilewright-chips-bench"
    make_scenes(folder, scenes, edge)
    grid = grid_list(scenes, edge)
    some = random_list(scenes, edge, len(grid))
    rows = [
        Row(bench, folder, "same grid, 2 threads against rasterio", grid, "read", threads=2),
        Row(bench, folder, "same grid, 2 threads against merge (TorchGeo's path)", grid, "merge", threads=2),
        Row(bench, folder, "other zone, bilinear, 2 threads against WarpedVRT + merge", warp_list(scenes, edge), "warp", threads=2, epsg=ZONE),
        Row(bench, folder, "an epoch of random windows, 2 threads, peer in the order of the list", some, "merge", threads=2),
        Row(bench, folder, "an epoch of random windows, 2 threads, peer by scene and row too", sorted(some, key=lambda w: (w[0], w[2], w[1])), "merge", threads=2),
        Row(bench, folder, "few random windows, 2 threads, peer by scene and row too", sorted(some[::15], key=lambda w: (w[0], w[2], w[1])), "merge", threads=2),
    ]
    stack = folder / "dates"
    stack.mkdir()
    make_scenes(stack, DATES, edge // 2)
    dates = f"{DATES} dates of overlapping windows, 2 threads, place by place"
    rows.append(Row(bench, stack, dates, dates_list(DATES, edge // 2), "merge", threads=2))
    if has_torchgeo():
        rows += [
            Row(bench, folder, "same grid, 2 threads against TorchGeo", grid, "torchgeo", threads=2),
            Row(bench, folder, "other zone, bilinear, 2 threads against TorchGeo", warp_list(scenes, edge), "torchgeo-warp", threads=2, epsg=ZONE),
            Row(bench, folder, "an epoch of random windows, 2 threads against TorchGeo in the order of the list", some, "torchgeo", threads=2),
            Row(bench, stack, dates + ", against TorchGeo", dates_list(DATES, edge // 2), "torchgeo", threads=2),
        ]
    else:
        print(f"(no TorchGeo in {TORCHGEO_PYTHON.parent}: make bench-torch)", file=sys.stderr)
    table = {row.name: row.measure(rounds) for row in rows}
    table["limit"] = measure_limit(rows[0], rounds, (edge // SIZE * SIZE) ** 2 / edge**2)
    return table


def has_torchgeo():
    return TORCHGEO_PYTHON.exists() and subprocess.run([TORCHGEO_PYTHON, "-c", "import torchgeo.datasets"], capture_output=True).returncode == 0


def measure_limit(row, rounds, needed):
    """The codec alone decodes whole scenes, of which the row's chips cover the share `needed`; rounds alternate."""
    row.write(row.windows)
    pairs = []
    for _ in range(rounds):
        mine, limit = row.ours(), run(row.bench, "limit", row.folder, row.threads)
        pairs.append((mine["chips"] / mine["seconds"], limit["bytes"] / limit["seconds"] / CHIP_BYTES * needed))
    return {"ours": statistics.median(a for a, _ in pairs), "peer": statistics.median(b for _, b in pairs), "ratio": statistics.median(a / b for a, b in pairs)}


def rows(bin_folder, folder):
    """As run.py prints them."""
    folder.mkdir()
    table = measure(bin_folder, folder)
    limit = table.pop("limit")
    out = [("chips, " + name, row["ours"], "chips/s", row["peer"], "one process each, chips of equal size" if "bilinear, 2 threads against TorchGeo" in name else "one process each, equal chips")
           for name, row in table.items()]
    return out + [("chips, same grid, share of the codec", limit["ours"], "chips/s", limit["peer"], "reading and DEFLATE alone, 2 threads")]


def main():
    if sys.argv[1:2] == ["--peer"]:
        return run_peer(*sys.argv[2:5], sys.argv[5] if len(sys.argv) > 5 else None)
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--edge", type=int, default=4096)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        table = measure(arguments.bin.resolve(), Path(name), arguments.rounds, arguments.scenes, arguments.edge)
    print(f"| chips of {SIZE} x {SIZE} x {BANDS} uint16, DEFLATE | ours, chips/s | peer, chips/s | ratio |\n|---|---|---|---|")
    for name, row in table.items():
        print(f"| {name} | {row['ours']:.0f} | {row['peer']:.0f} | {row['ratio']:.2f} |")
    print(json.dumps({"rows": table, "rasterio": rasterio.__version__, "gdal": rasterio.__gdal_version__}))
    return None


if __name__ == "__main__":
    main()
