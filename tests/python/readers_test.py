# SPDX-License-Identifier: Apache-2.0
# Tools that we did not write open what we write: geopandas, tarfile, webdataset, numpy, safetensors,
# tensorboard and rasterio, each against what another one says of the same thing.
import collections
import io
import json
import math
import os
import pathlib
import re
import sqlite3
import tarfile
import unittest
import warnings

import geopandas
import numpy as np
import pandas
import pyproj
import rasterio
import webdataset
from rasterio.windows import Window
from safetensors import safe_open
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

REGION = pathlib.Path(os.environ["TILEWRIGHT_READERS_REGION"])
WORKSPACE = REGION / "work"
SOURCE = pathlib.Path(__file__).resolve().parents[2]
MANIFEST = WORKSPACE / "manifest.gpkg"
FEATURES = {"tile", "location"}


def query(sql, *values):
    connection = sqlite3.connect(f"file:{MANIFEST}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def index_of(shard):
    """Rows of the .idx beside a shard."""
    fields = ("key", "member", "offset", "length", "dtype", "shape", "sha256")
    lines = shard.with_suffix(".idx").read_text().splitlines()
    return [dict(zip(fields, line.split("\t"), strict=True)) for line in lines]


def memmap_at(shard, entry):
    shape = tuple(int(n) for n in entry["shape"].split("x"))
    return np.memmap(shard, entry["dtype"], "r", int(entry["offset"]) + 128, shape)


def shards():
    found = sorted((WORKSPACE / "shards").glob("*.tar"))
    assert found, "the workspace has no shards"
    return found


class Manifest(unittest.TestCase):
    def test_every_layer_and_table_opens(self):
        names = set(geopandas.list_layers(MANIFEST)["name"])
        self.assertTrue(FEATURES <= names, names)
        self.assertTrue({"overlap", "view", "mask", "split", "score", "rejection", "stage_run"} <= names, names)
        for name in names:
            with self.subTest(name):
                table = geopandas.read_file(MANIFEST, layer=name)
                self.assertEqual(len(table), query(f'SELECT count(*) n FROM "{name}"')[0]["n"])

    def test_boxes_filter_by_the_rtree(self):
        locations = geopandas.read_file(MANIFEST, layer="location")
        west, south, east, north = locations.total_bounds
        box = (west, south, (west + east) / 2, (south + north) / 2)
        found = geopandas.read_file(MANIFEST, layer="location", bbox=box)
        expected = locations.cx[box[0]:box[2], box[1]:box[3]]
        self.assertGreater(len(found), 0)
        self.assertLess(len(found), len(locations))
        self.assertEqual(set(found["location_id"]), set(expected["location_id"]))

    def test_layers_are_in_degrees_and_valid(self):
        for name in FEATURES:
            layer = geopandas.read_file(MANIFEST, layer=name)
            self.assertEqual(layer.crs.to_epsg(), 4326)
            shapes = layer.geometry[layer.geometry.notna()]
            self.assertTrue(shapes.is_valid.all())

    def test_sqlite_finds_it_sound(self):
        self.assertEqual(query("PRAGMA integrity_check")[0][0], "ok")
        self.assertEqual(query("PRAGMA foreign_key_check"), [])

    def test_places_of_locations_agree_with_proj(self):
        locations = geopandas.read_file(MANIFEST, layer="location")
        for row in locations.itertuples():
            to_degrees = pyproj.Transformer.from_crs(row.epsg, 4326, always_xy=True)
            side = row.res_m * row.size_px
            lon, lat = to_degrees.transform([row.ulx, row.ulx + side], [row.uly, row.uly - side])
            west, south, east, north = row.geometry.bounds
            self.assertLess(abs(west - min(lon[0], lon[1])), 1e-4)
            self.assertLess(abs(north - max(lat[0], lat[1])), 1e-4)

    def test_overlap_areas_agree_with_a_projected_plane(self):
        tiles = geopandas.read_file(MANIFEST, layer="tile").set_index("tile_id")
        overlaps = query("SELECT * FROM overlap")
        self.assertGreater(len(overlaps), 0)
        plane = pyproj.CRS.from_proj4("+proj=laea +lat_0=%f +lon_0=%f" % (
            tiles.geometry.dropna().total_bounds[1], tiles.geometry.dropna().total_bounds[0]))
        for row in overlaps:
            pair = geopandas.GeoSeries([tiles.geometry[row["tile_a"]], tiles.geometry[row["tile_b"]]], crs=4326).to_crs(plane)
            area = pair.iloc[0].intersection(pair.iloc[1]).area
            self.assertLess(abs(area - row["area_m2"]), 2e-3 * row["area_m2"] + 1)


class Shards(unittest.TestCase):
    def test_tarfile_numpy_and_index_agree(self):
        for shard in shards():
            with self.subTest(shard.name), tarfile.open(shard, format=tarfile.USTAR_FORMAT) as tar:
                index = index_of(shard)
                self.assertEqual([member.name for member in tar], [entry["member"] for entry in index])
                for member, entry in zip(tar.getmembers(), index):
                    self.assertEqual((member.offset_data, member.size), (int(entry["offset"]), int(entry["length"])))
                    self.assertEqual((member.mtime, member.uid, member.gid, member.mode), (0, 0, 0, 0o644))
                    if not entry["member"].endswith(".npy"):
                        continue
                    loaded = np.load(io.BytesIO(tar.extractfile(member).read()), allow_pickle=False)
                    np.testing.assert_array_equal(loaded, memmap_at(shard, entry))
                    self.assertEqual((member.offset_data + 128) % 64, 0)

    def test_webdataset_groups_members_by_location(self):
        known = {row["location_id"] for row in query("SELECT location_id FROM location")}
        for shard in shards():
            with self.subTest(shard.name):
                wanted = collections.OrderedDict()
                for entry in index_of(shard):
                    wanted.setdefault(entry["key"], set()).add(entry["member"].split(".", 1)[1])
                stream = webdataset.WebDataset(str(shard), shardshuffle=False)
                seen = collections.OrderedDict(
                    (sample["__key__"], {name for name in sample if not name.startswith("__")}) for sample in stream)
                self.assertEqual(seen, wanted)
                self.assertTrue(set(seen) <= known)

    def test_manifest_rows_lead_to_arrays(self):
        rows = query("SELECT shard, member, byte_offset, byte_length FROM view WHERE shard IS NOT NULL "
                     "UNION ALL SELECT shard, member, byte_offset, byte_length FROM mask WHERE shard IS NOT NULL")
        self.assertGreater(len(rows), 0)
        for row in rows:
            with open(WORKSPACE / row["shard"], "rb") as file:
                file.seek(row["byte_offset"])
                array = np.load(io.BytesIO(file.read(row["byte_length"])), allow_pickle=False)
            self.assertEqual(array.ndim, 3)

    def test_copied_views_equal_the_source_pixels(self):
        rows = query("SELECT v.*, t.path FROM view v JOIN tile t USING (tile_id) WHERE v.resampled = 0 AND v.shard IS NOT NULL")
        self.assertGreater(len(rows), 0)
        for row in rows:
            entry = next(e for e in index_of(WORKSPACE / row["shard"]) if e["member"] == row["member"])
            array = memmap_at(WORKSPACE / row["shard"], entry)
            with rasterio.open(REGION / row["path"].removeprefix("job:")) as source:
                window = Window(row["col_off"], row["row_off"], array.shape[2], array.shape[1])
                np.testing.assert_array_equal(array, source.read(window=window))

    def test_json_names_place_and_bands(self):
        for row in query("SELECT DISTINCT shard FROM view WHERE shard IS NOT NULL"):
            with tarfile.open(WORKSPACE / row["shard"]) as tar:
                for member in tar:
                    if not member.name.endswith(".json"):
                        continue
                    said = json.load(tar.extractfile(member))
                    place = query("SELECT * FROM location WHERE location_id = ?", said["location_id"])[0]
                    self.assertEqual(said["epsg"], place["epsg"])
                    self.assertEqual(said["affine"], [place["res_m"], 0, place["ulx"], 0, -place["res_m"], place["uly"]])
                    self.assertEqual(len(said["dates"]), len(said["tile_ids"]))
                    self.assertGreater(len(said["bands"]), 0)


def snippet():
    """The Dataset class that the documentation shows, run as it stands."""
    for page in (SOURCE / "README.md",):
        if not page.exists():
            continue
        found = re.search(r"<!-- python-dataset -->\s*```python\n(.*?)```\s*<!-- /python-dataset -->", page.read_text(), re.S)
        if found:
            names = {}
            exec(compile(found.group(1), str(page), "exec"), names)
            return names["Dataset"]
    raise AssertionError("no page has the Dataset between its markers")


class Datasets(unittest.TestCase):
    def test_the_class_of_the_readme_reads_every_sample(self):
        Dataset = snippet()
        for folder in sorted((WORKSPACE / "datasets").iterdir()):
            meta = json.loads((folder / "dataset.json").read_text())
            for part, info in meta["parts"].items():
                with self.subTest(f"{folder.name} {part}"):
                    dataset = Dataset(folder, part)
                    self.assertEqual(len(dataset), info["samples"])
                    for i in range(len(dataset)):
                        image, mask = dataset[i]
                        views = [meta["inputs"][int(view["input"])] for view in dataset.samples[i]]
                        self.assertEqual(image.shape[0], sum(len(view["bands"]) for view in views))
                        if meta["target"]["kind"] == "mask":
                            self.assertEqual(mask.shape, (1, *image.shape[1:]))
                            self.assertTrue((np.unique(mask) >= 0).all())

    def test_statistics_and_class_counts_recount(self):
        Dataset = snippet()
        for folder in sorted((WORKSPACE / "datasets").iterdir()):
            meta = json.loads((folder / "dataset.json").read_text())
            samples = [Dataset(folder, "train")[i] for i in range(meta["parts"]["train"]["samples"])]
            said = [band for item in meta["inputs"] for band in item["statistics"]]
            size = meta["inputs"][0]["size_px"]  # views of one sample are stacked on the first axis
            pixels = np.concatenate([image.reshape(-1, len(meta["inputs"][0]["bands"]), size, size) for image, _ in samples]).astype(np.float64)
            for band, statistics in enumerate(said):
                with self.subTest(f"{folder.name} band {band}"):
                    values = pixels[:, band]
                    self.assertEqual(statistics["count"], values.size)
                    self.assertEqual((statistics["min"], statistics["max"]), (values.min(), values.max()))
                    np.testing.assert_allclose(statistics["mean"], values.mean(), rtol=1e-9)
                    np.testing.assert_allclose(statistics["std"], values.std(), rtol=1e-7)
            for info in meta["target"]["classes"]:
                counted = sum(int((mask == info["id"]).sum()) for _, mask in samples)
                self.assertEqual(info["pixels"], counted, info["name"])


class Runs(unittest.TestCase):
    def folders(self):
        found = sorted(path for path in (WORKSPACE / "runs").glob("*") if (path / "weights.safetensors").exists())
        self.assertGreater(len(found), 0, "the workspace has no finished run")
        return found

    def test_safetensors_opens_the_weights(self):
        for folder in self.folders():
            with self.subTest(folder.name), safe_open(folder / "weights.safetensors", framework="numpy") as weights:
                self.assertGreater(len(weights.keys()), 0)
                self.assertTrue(all(np.isfinite(weights.get_tensor(name)).all() for name in weights.keys()))
                self.assertTrue(weights.metadata())

    def test_tensorboard_reads_the_losses_of_metrics_jsonl(self):
        for folder in self.folders():
            with self.subTest(folder.name):
                events = EventAccumulator(str(folder))
                events.Reload()
                tags = events.Tags()["scalars"]
                self.assertTrue(any("loss" in tag for tag in tags), tags)
                rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
                logged = {np.float32(row["loss"]) for row in rows if row.get("loss") is not None}
                for tag in tags:
                    if tag.endswith("/loss") or tag == "loss":
                        self.assertTrue({np.float32(event.value) for event in events.Scalars(tag)} <= logged, tag)


def vit(weights, image, heads):
    """Class token of a pre-norm ViT with timm's names, in float64: image (C, H, W)."""
    def linear(name, x):
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    def norm(name, x):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * weights[name + ".weight"] + weights[name + ".bias"]

    kernel = weights["patch_embed.proj.weight"]
    dim, patch = kernel.shape[0], kernel.shape[-1]
    rows, columns = image.shape[1] // patch, image.shape[2] // patch
    patches = image.reshape(-1, rows, patch, columns, patch).transpose(1, 3, 0, 2, 4).reshape(rows * columns, -1)
    x = patches @ kernel.reshape(dim, -1).T + weights["patch_embed.proj.bias"]
    x = np.concatenate([weights["cls_token"][0], x]) + weights["pos_embed"][0]
    erf = np.vectorize(math.erf)
    for block in range(1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))):
        prefix = f"blocks.{block}."
        q, k, v = linear(prefix + "attn.qkv", norm(prefix + "norm1", x)).reshape(len(x), 3, heads, -1).transpose(1, 2, 0, 3)
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(dim / heads)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (shares / shares.sum(-1, keepdims=True)) @ v
        x = x + linear(prefix + "attn.proj", mixed.transpose(1, 0, 2).reshape(len(x), dim))
        hidden = linear(prefix + "mlp.fc1", norm(prefix + "norm2", x))
        x = x + linear(prefix + "mlp.fc2", hidden * (1 + erf(hidden / np.sqrt(2))) / 2)
    return norm("norm", x)[0]


class Embeddings(unittest.TestCase):
    def setUp(self):
        folder = WORKSPACE / "embeddings/pretrain"
        self.features = np.load(folder / "features.npy")
        self.table = pandas.read_csv(folder / "index.csv", keep_default_na=False)

    def test_rows_are_all_views_of_the_source(self):
        views = query("SELECT location_id, tile_id, acquired, split FROM view JOIN location USING (location_id) WHERE tile_id LIKE 'optical-%' AND member IS NOT NULL")
        wanted = sorted((v["location_id"], v["tile_id"], v["acquired"] or "", v["split"] or "") for v in views)
        found = sorted(self.table[["location_id", "tile_id", "acquired", "part"]].itertuples(index=False, name=None))
        self.assertEqual(found, wanted)
        self.assertEqual(self.table["row"].tolist(), list(range(len(self.features))))
        self.assertEqual(self.features.dtype, np.float32)

    def test_geopandas_finds_them_in_their_locations(self):
        points = geopandas.GeoDataFrame(self.table, geometry=geopandas.points_from_xy(self.table.lon, self.table.lat), crs=4326)
        places = geopandas.read_file(MANIFEST, layer="location").set_index("location_id").geometry
        for location, point in zip(points.location_id, points.geometry, strict=True):
            self.assertTrue(places[location].contains(point), location)

    def test_numpy_computes_the_same_features_from_the_weights(self):
        folder = WORKSPACE / "runs/pretrain"
        record = json.loads((folder / "config.json").read_text())
        info = record["inputs"][0]
        self.assertEqual(info["normalize"], "standard")
        with safe_open(folder / "weights.safetensors", framework="numpy") as opened:
            weights = {name: opened.get_tensor(name).astype(np.float64) for name in opened.keys()}
        mean, std = (np.array([band[key] for band in info["statistics"]])[:, None, None] for key in ("mean", "std"))
        members = {(row["key"], row["member"].split(".")[-2]): (shard, row) for shard in shards() if shard.name.startswith("optical-")
                   for row in index_of(shard) if row["member"].endswith(".npy")}
        for number in range(0, len(self.features), max(1, len(self.features) // 4)):
            shard, entry = members[self.table.location_id[number], self.table.tile_id[number].rsplit("-", 1)[1]]
            image = (memmap_at(shard, entry)[info["band_indices"]].astype(np.float64) - mean) / std
            said = vit(weights, image, record["run"]["model"]["heads"])
            np.testing.assert_allclose(self.features[number], said, atol=1e-4)


class Predictions(unittest.TestCase):
    def test_rasterio_puts_them_on_the_map(self):
        maps = sorted((WORKSPACE / "predictions").glob("*.tif"))
        self.assertGreater(len(maps), 0, "the workspace has no predictions")
        for path in maps:
            tile = path.stem.split("_", 1)[1]
            rows = query("SELECT * FROM tile WHERE instr(?, tile_id) > 0", path.stem)
            with self.subTest(path.name), rasterio.open(path) as prediction:
                self.assertEqual(len(rows), 1, tile)
                with rasterio.open(REGION / rows[0]["path"].removeprefix("job:")) as source:
                    self.assertEqual(prediction.crs, source.crs)
                    self.assertTrue(prediction.transform.almost_equals(source.transform))
                    self.assertEqual(prediction.shape, source.shape)


def load_tests(loader, standard, pattern):
    """All, or without what only `tilewright-learn` makes where the caller has not built it."""
    if os.environ.get("TILEWRIGHT_READERS_WITHOUT_LEARN"):
        standard = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in (Manifest, Shards))
    return standard


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    unittest.main(verbosity=2)
