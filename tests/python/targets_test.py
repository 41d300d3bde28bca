# SPDX-License-Identifier: Apache-2.0
"""Whole chips, points and targets on the real sets against numpy, rasterio and geopandas: `targets_test.py TILEWRIGHT SOURCE FOLDER`."""
import csv
import json
import shutil
import sqlite3
import subprocess
import sys
import unittest
from collections import Counter
from pathlib import Path

import geopandas
import numpy
import pyproj
import rasterio

TILEWRIGHT, SOURCE, FOLDER = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
DATA = SOURCE.parent / "shared/data"


def run(name, *arguments, folder=None):
    """Runs configs/<name>.yaml in a workspace of its own; gives the manifest and the folder."""
    workspace = FOLDER / (folder or name)
    command = [TILEWRIGHT, "run", SOURCE / f"configs/{name}.yaml", "--no-color", "-q", "--set", f"workspace={workspace}", *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, f"{name}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return sqlite3.connect(f"file:{workspace}/manifest.gpkg?mode=ro", uri=True), workspace


def array_at(workspace, shard, offset, length):
    with open(workspace / shard, "rb") as file:
        file.seek(offset)
        return numpy.lib.format.read_array(file, allow_pickle=False)


def samples(workspace, dataset, part):
    with open(workspace / f"datasets/{dataset}/{part}.tsv", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


class Eurosat(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.manifest, cls.workspace = run("eurosat")
        with open(DATA / "E-eurosat-ms/labels.csv", newline="") as file:
            cls.labels = {Path(row["file"]).name: row for row in csv.DictReader(file)}
        query = "select l.location_id, t.path, l.split, v.shard, v.byte_offset, v.byte_length, l.size_px from location l join view v using (location_id) join tile t using (tile_id)"
        cls.locations = {row[0]: row[1:] for row in cls.manifest.execute(query)}

    def test_each_chip_is_one_location_with_the_class_and_part_of_the_list(self):
        self.assertEqual(len(self.locations), 80)
        values = {name: dict(self.manifest.execute("select location_id, value from target where name = ?", (name,))) for name in ("scene", "listed")}
        for location, (path, part, *_) in self.locations.items():
            row = self.labels[Path(path.split(":")[1]).name]
            self.assertEqual(values["scene"][location], row["class"])
            self.assertEqual(values["listed"][location], row["class"])
            self.assertEqual(part, {"train": "train", "validate": "val"}[row["split"]])
        self.assertEqual(self.manifest.execute("select count(*) from rejection").fetchone()[0], 0)

    def test_dataset_counts_each_class_in_each_part(self):
        dataset = json.loads((self.workspace / "datasets/scenes/dataset.json").read_text())
        names = {c["id"]: c["name"] for c in dataset["target"]["classes"]}
        self.assertEqual((dataset["target"]["kind"], dataset["target"]["name"], sorted(names)), ("class", "scene", list(range(10))))
        self.assertEqual({c["samples"] for c in dataset["target"]["classes"]}, {6})
        for part, split in (("train", "train"), ("val", "validate")):
            found = Counter(names[json.loads(row["target"])] for row in samples(self.workspace, "scenes", part))
            self.assertEqual(found, Counter(row["class"] for row in self.labels.values() if row["split"] == split))

    def test_pixels_are_those_of_the_files(self):
        for path, _, shard, offset, length, _ in self.locations.values():
            with rasterio.open(DATA / path.split(":")[1]) as chip:
                numpy.testing.assert_array_equal(array_at(self.workspace, shard, offset, length), chip.read())

    def test_outlines_in_degrees_are_the_corners_of_the_files(self):
        layer = geopandas.read_file(self.workspace / "manifest.gpkg", layer="location").set_index("location_id")
        self.assertEqual(layer.crs.to_epsg(), 4326)
        for location, (path, *_) in self.locations.items():
            with rasterio.open(DATA / path.split(":")[1]) as chip:
                to_degrees = pyproj.Transformer.from_crs(chip.crs, 4326, always_xy=True)
                corners = [to_degrees.transform(*(chip.transform * at)) for at in ((0, 0), (64, 0), (64, 64), (0, 64))]
            outline = layer.geometry[location]
            for corner in corners:
                self.assertLess(outline.boundary.distance(geopandas.points_from_xy(*zip(corner))[0]), 1e-9)
            hull = geopandas.points_from_xy(*zip(*corners))
            self.assertAlmostEqual(outline.area / geopandas.GeoSeries(hull).union_all().convex_hull.area, 1, places=4)


    def test_the_dataset_of_the_readme_gives_images_and_class_ids(self):
        code = (SOURCE / "README.md").read_text().split("<!-- python-dataset -->")[1].split("```python\n")[1].split("```")[0]
        names = {}
        exec(code, names)
        dataset = names["Dataset"](self.workspace / "datasets/scenes", "val")
        self.assertEqual(len(dataset), 20)
        images, ids = zip(*(dataset[i] for i in range(len(dataset))))
        self.assertEqual({image.shape for image in images}, {(13, 64, 64)})
        self.assertEqual(Counter(ids), Counter({k: 2 for k in range(10)}))


class Slovenia(unittest.TestCase):
    def test_classes_of_windows_are_those_that_numpy_counts(self):
        manifest, workspace = run("slovenia_landuse")
        with rasterio.open(DATA / "A-s2-slovenia-series/LULC.tif") as raster:
            landuse, inverse = raster.read(1), ~raster.transform
        rows = manifest.execute("select location_id, ulx, uly, res_m, size_px from location").fetchall()
        self.assertGreater(len(rows), 20)
        values = {name: dict(manifest.execute("select location_id, value from target where name = ?", (name,))) for name in ("landuse_classes", "main_landuse")}
        several = 0
        for location, ulx, uly, res, size in rows:
            centres = (numpy.arange(size) + 0.5) * res
            cols, lines = inverse * (ulx + centres[None, :] + 0 * centres[:, None], uly - centres[:, None] + 0 * centres[None, :])
            cols, lines = numpy.floor(cols).astype(int), numpy.floor(lines).astype(int)
            inside = (cols >= 0) & (lines >= 0) & (cols < landuse.shape[1]) & (lines < landuse.shape[0])
            counts = Counter(landuse[lines[inside], cols[inside]].tolist())
            counts.pop(0, None)
            known = sum(counts.values())
            expected = sorted(c for c, n in counts.items() if n >= 0.1 * known)
            several += len(expected) > 1
            self.assertEqual(json.loads(values["landuse_classes"][location]), expected, location)
            self.assertEqual(int(values["main_landuse"][location]), min(counts, key=lambda c: (-counts[c], c)))
        self.assertGreater(several, 5, "multi-label is shown only where windows have several classes")
        dataset = json.loads((workspace / "datasets/multilabel/dataset.json").read_text())
        self.assertEqual(dataset["target"]["kind"], "classes")
        self.assertIn("forest", {c["name"] for c in dataset["target"]["classes"]})
        self.check_multilabel_run(manifest, workspace, values["landuse_classes"])

    def check_multilabel_run(self, manifest, workspace, classes):
        """Hits and misses of each class add up to the windows of test that have it."""
        test = json.loads((workspace / "runs/covered/evaluation.json").read_text())["parts"]["test"]
        having = Counter(c for location, in manifest.execute("select location_id from location where split = 'test'") for c in json.loads(classes[location]))
        self.assertEqual({c["id"]: c["hits"] + c["misses"] for c in test["classes"]}, {c["id"]: having[c["id"]] for c in test["classes"]})
        self.assertGreater(sum(having.values()), test["samples"], "some windows have several classes")
        self.assertTrue(0 <= test["f1_micro"] <= 1)


class EnmapPoints(unittest.TestCase):
    def test_each_point_is_the_location_or_the_reason_that_numpy_finds(self):
        manifest, workspace = run("enmap_points")
        points = geopandas.read_file(DATA / "D-enmap-potsdam/landcover_potsdam_point.gpkg", layer="landcover_potsdam_point", fid_as_index=True)
        origin = [float(v) for v in manifest.execute("select value from meta where key like 'lattice_origin/%'").fetchone()[0].split()]
        boxes = []
        for path in sorted((DATA / "D-enmap-potsdam/images").glob("*.tif")):
            with rasterio.open(path) as tile:
                boxes.append(tile.bounds)
        classes, reasons, taken = {}, Counter(), set()
        for point in points.itertuples():
            col, row = (point.geometry.x - origin[0]) // 30, (origin[1] - point.geometry.y) // 30
            if (col, row) in taken:
                reasons["same_place"] += 1
                continue
            taken.add((col, row))
            left, top = origin[0] + (col - 4) * 30, origin[1] - (row - 4) * 30
            right, bottom = left + 240, top - 240
            whole = [b for b in boxes if b.left <= left and b.right >= right and b.top >= top and b.bottom <= bottom]
            touched = [b for b in boxes if b.left < right and b.right > left and b.top > bottom and b.bottom < top]
            if whole:
                classes[left, top] = point.level_2
            else:
                reasons["view_invalid" if touched else "outside_rasters"] += 1
        query = "select l.ulx, l.uly, t.value from location l join target t using (location_id) where t.name = 'landcover'"
        self.assertEqual({(x, y): value for x, y, value in manifest.execute(query)}, classes)
        found = Counter(r for r, in manifest.execute("select reason from rejection where stage = 'views' and subject like 'points/%'"))
        self.assertEqual(found, reasons)
        self.assertEqual(len(classes) + sum(reasons.values()), 120)
        self.assertGreater(len(classes), 5)
        dataset = json.loads((workspace / "datasets/spectra/dataset.json").read_text())
        self.assertEqual({c["name"]: c["samples"] for c in dataset["target"]["classes"]}, Counter(classes.values()))
        rows = samples(workspace, "spectra", "train")
        first = array_at(workspace, rows[0]["shard"], int(rows[0]["offset"]), int(rows[0]["length"]))
        self.assertEqual(first.shape, (218, 8, 8))


    def test_fractions_of_the_points_are_numbers_to_regress(self):
        veg = "D-enmap-potsdam/veg-cover-fraction_potsdam_point.gpkg"
        manifest, workspace = run("enmap_points", "--set", f"views.points.file=data:{veg}", "--set", "views.points.layer=null", "--set", "targets.landcover.field=vegetation_fraction",
                                  "--set", "targets.landcover.kind=scalar", folder="enmap_fractions")
        points = geopandas.read_file(DATA / veg)
        known = {(p.geometry.x, p.geometry.y): p.vegetation_fraction for p in points.itertuples()}
        values = [(x + 135, y - 135, float(v)) for x, y, v in manifest.execute("select ulx, uly, value from location join target using (location_id)")]
        self.assertEqual(len(values), 131)
        for x, y, value in values:
            nearest = min(known, key=lambda at: abs(at[0] - x) + abs(at[1] - y))
            self.assertLessEqual(max(abs(nearest[0] - x), abs(nearest[1] - y)), 15)
            self.assertEqual(value, known[nearest])
        target = json.loads((workspace / "datasets/spectra/dataset.json").read_text())["target"]
        numbers = numpy.array([v for _, _, v in values])
        self.assertEqual(target["kind"], "scalar")
        self.assertAlmostEqual(target["statistics"][0]["mean"], numbers.mean(), places=12)
        self.assertAlmostEqual(target["statistics"][0]["std"], numbers.std(), places=12)
        self.assertAlmostEqual(target["statistics"][0]["p98"], numpy.percentile(numbers, 98), places=12)


class Floods(unittest.TestCase):
    def test_two_sensors_on_one_grid_in_degrees_share_a_location_and_its_mask(self):
        manifest, workspace = run("sen1floods")
        self.assertEqual(manifest.execute("select count(*), sum(view_count) from location").fetchone(), (1, 2))
        with rasterio.open(DATA / "C-sen1floods11-spain/Spain_7370579_LabelHand.tif") as raster:
            label = raster.read()
        place = manifest.execute("select shard, byte_offset, byte_length from mask").fetchone()
        numpy.testing.assert_array_equal(array_at(workspace, *place), numpy.where(label == -1, 255, label))
        (row, other), = [[r for r in samples(workspace, "both", "train")]]
        self.assertEqual({row["input"], other["input"]}, {"0", "1"})
        with rasterio.open(DATA / "C-sen1floods11-spain/Spain_7370579_S1Hand.tif") as raster:
            numpy.testing.assert_array_equal(array_at(workspace, row["shard"], int(row["offset"]), int(row["length"])), raster.read())
        outline = geopandas.read_file(workspace / "manifest.gpkg", layer="location").geometry[0]
        numpy.testing.assert_allclose(outline.bounds, rasterio.open(DATA / "C-sen1floods11-spain/Spain_7370579_S2Hand.tif").bounds, atol=1e-9)


class Elkton(unittest.TestCase):
    def test_sparse_labels_of_a_chip_that_is_not_square_stay_where_they_are(self):
        manifest, workspace = run("elkton")
        with rasterio.open(DATA / "E-elkton-l8-labels/L8-Labels-Elkton-VA.tiff") as raster:
            label = raster.read()
        place = manifest.execute("select shard, byte_offset, byte_length from mask").fetchone()
        numpy.testing.assert_array_equal(array_at(workspace, *place), label)
        self.assertEqual(manifest.execute("select value from target").fetchall(), [("1",)])
        self.assertEqual(json.loads((workspace / "datasets/sparse/dataset.json").read_text())["inputs"][0]["size_px"], 186)


class Bigearthnet(unittest.TestCase):
    def test_patches_of_one_day_and_tile_at_two_places_are_no_pair(self):
        manifest, workspace = run("bigearthnet")
        rows = manifest.execute("select l.size_px, l.res_m, l.view_count, t.value from location l join target t using (location_id) order by 4").fetchall()
        self.assertEqual(rows, [(120, 10, 1, "70_48"), (120, 10, 1, "75_43")])
        self.assertEqual(manifest.execute("select count(*) from overlap").fetchone()[0], 0)
        (row,) = samples(workspace, "optical", "train")
        with rasterio.open(next((DATA / "C-bigearthnet-s1s2").glob("S2A*_B02.tif"))) as band:
            numpy.testing.assert_array_equal(array_at(workspace, row["shard"], int(row["offset"]), int(row["length"]))[0], band.read(1))


if __name__ == "__main__":
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not there")
        sys.exit(77)
    shutil.rmtree(FOLDER, ignore_errors=True)  # what an older program made must not pass
    FOLDER.mkdir(parents=True)
    unittest.main(argv=sys.argv[:1], verbosity=2)
