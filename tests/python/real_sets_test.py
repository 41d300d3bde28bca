# SPDX-License-Identifier: Apache-2.0
"""The jobs of configs/ on the real sets, as a user runs them: `real_sets_test.py TILEWRIGHT SOURCE FOLDER`; 77 = skipped."""
import json
import shutil
import sqlite3
import subprocess
import sys
import unittest
from pathlib import Path

TILEWRIGHT, SOURCE, FOLDER = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
DATA = SOURCE.parent / "shared/data"


def run(name, *arguments, code=0):
    """Runs configs/<name>.yaml in a workspace of its own; gives the manifest."""
    workspace = FOLDER / name
    command = [TILEWRIGHT, "run", SOURCE / f"configs/{name}.yaml", "--no-color", "-q", "--set", f"workspace={workspace}", *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=500)
    assert done.returncode == code, f"{name}: exit {done.returncode}, expected {code}\n{done.stdout}{done.stderr}"
    return sqlite3.connect(f"file:{workspace}/manifest.gpkg?mode=ro", uri=True), workspace


def one(manifest, query):
    return manifest.execute(query).fetchone()


class RealSets(unittest.TestCase):
    def test_landsat_files_become_acquisitions_and_one_component(self):
        manifest, _ = run("landsat8_ny")
        self.assertEqual(one(manifest, "select count(distinct path) from tile_file")[0], 228)
        self.assertEqual(one(manifest, "select count(*), count(distinct component_id) from tile where status = 'ok'"), (19, 1))
        self.assertEqual(one(manifest, "select count(*) from overlap")[0], 171)

    def test_landsat_overlaps_have_the_published_areas(self):
        manifest, _ = run("landsat8_ny_b2")
        row = lambda path: path.split("L1TP_")[1][:6]
        areas = {}
        for a, b, area in manifest.execute("select a.path, b.path, area_m2 / 1e6 from overlap join tile a on a.tile_id = tile_a join tile b on b.tile_id = tile_b"):
            areas.setdefault(tuple(sorted((row(a), row(b)))), []).append(area)
        for pair, low, high in [(("013032", "014031"), 3904, 4262), (("013032", "014032"), 9734, 11048), (("014031", "014032"), 6004, 6336)]:
            self.assertAlmostEqual(min(areas[pair]), low, delta=low * 0.005)
            self.assertAlmostEqual(max(areas[pair]), high, delta=high * 0.005)

    def test_thailand_bands_of_three_pixel_sizes_are_copied_on_one_ground(self):
        import numpy as np
        import rasterio
        from rasterio.windows import Window

        manifest, workspace = run("majortom_thailand")
        self.assertEqual(manifest.execute("select distinct resampled from view").fetchall(), [(0,)], "coarse bands are copied too")
        locations = one(manifest, "select count(*) from location")[0]
        self.assertGreaterEqual(locations, 121)
        self.assertEqual(one(manifest, "select count(*) from view")[0], 3 * locations, "every sample is complete")
        self.assertEqual(one(manifest, "select count(distinct view_count) from location")[0], 1)
        rows = manifest.execute("select v.location_id, t.source, f.path, f.band, v.shard, v.byte_offset, v.byte_length, l.ulx, l.uly, l.size_px "
                                "from view v join tile t using (tile_id) join tile_file f using (tile_id) join location l using (location_id) "
                                "where f.band not like 'cloud%' order by v.location_id, t.source, f.band").fetchall()
        place = {}
        for location, source, path, band, shard, offset, length, ulx, uly, size in rows:
            index = place[location, source] = place.get((location, source), -1) + 1
            with rasterio.open(DATA / path.split(":", 1)[1]) as raster:
                step = raster.transform.a
                edge = round(size * 10 / step)
                col, row = (ulx - raster.transform.c) / step, (raster.transform.f - uly) / step
                self.assertAlmostEqual(col, round(col), delta=1e-6)
                expected = raster.read(1, window=Window(round(col), round(row), edge, edge))
            with open(workspace / shard, "rb") as file:
                file.seek(offset)
                array = np.frombuffer(file.read(length)[128:], np.uint16).reshape(-1, edge, edge)
            np.testing.assert_array_equal(array[index], expected, f"{location} {band}")
        dataset = json.loads((workspace / "datasets/corpus/dataset.json").read_text())
        self.assertEqual([(i["series"], i["size_px"], len(i["bands"])) for i in dataset["inputs"]], [("s2_r10", 96, 4), ("s2_r20", 48, 6), ("s2_r60", 16, 2)])

    def test_punjab_radar_and_three_optical_grids_become_paired_samples(self):
        manifest, workspace = run("ssl4eo_punjab")
        self.assertGreaterEqual(one(manifest, "select count(*) from location")[0], 1)
        per_location = manifest.execute("select location_id, count(*) from view group by 1").fetchall()
        self.assertTrue(all(count == 8 for _, count in per_location), "2 dates of s1 and of each of the three groups")
        dataset = json.loads((workspace / "datasets/pairs/dataset.json").read_text())
        self.assertEqual([(i["series"], i["size_px"]) for i in dataset["inputs"]], [("s2c_r10", 192), ("s2c_r20", 96), ("s2c_r60", 32), ("s1", 192)])
        lines = [line.split("\t") for line in (workspace / "datasets/pairs/train.tsv").read_text().splitlines()[1:]]
        self.assertEqual(len(lines), 4 * 2 * len(per_location), "each optical date with its three grids and the nearest pass")
        by_sample = {}
        for line in lines:
            by_sample.setdefault(line[0], {})[int(line[2])] = line[4][:10]
        self.assertEqual(sorted((dates[0], dates[3]) for dates in by_sample.values())[:1], [("2020-06-04", "2020-06-07")])
        self.assertTrue(all(len({dates[0], dates[1], dates[2]}) == 1 for dates in by_sample.values()), "one acquisition a sample")

    def test_naip_tiles_of_two_zones_overlap_by_the_area_on_the_ellipsoid(self):
        manifest, _ = run("naip_utm17_utm18")
        self.assertAlmostEqual(one(manifest, "select area_m2 from overlap")[0], 6033.8, delta=0.5)

    def test_naip_dates_on_the_lattice_are_copied_and_the_rest_resampled(self):
        manifest, _ = run("naip_nd", "--to", "split")
        years = dict(manifest.execute("select substr(acquired, 1, 4), group_concat(distinct resampled) from view group by 1"))
        self.assertEqual(years, {y: "0" if y in ("2010", "2012", "2014", "2015") else "1" for y in "2009 2010 2012 2014 2015 2016 2017 2019".split()})
        self.assertEqual(one(manifest, "select count(*) from view where resampled = 1 and shift_px = 0")[0], 0)
        self.assertEqual(one(manifest, "select min(view_count) from location")[0], 8, "nodata: none keeps every date everywhere")

    def test_naip_zeros_that_are_declared_nodata_cost_views_and_it_is_said(self):
        manifest, _ = run("naip_nd", "--to", "views", "--set", "sources.naip.nodata=declared")
        query = "select round((1 - valid_frac) * width_px * height_px) from tile where acquired like '2014%'"
        self.assertEqual(one(manifest, query)[0], 2837)
        lost = 154 - one(manifest, "select count(*) from view where acquired like '2014%'")[0]
        self.assertGreater(lost, 0)
        self.assertEqual(one(manifest, "select count(*) from rejection where reason = 'view_invalid'")[0], lost)

    def test_slovenia_keeps_68_dates_and_the_cloud_limit(self):
        manifest, _ = run("slovenia")
        self.assertEqual(one(manifest, "select count(*) from tile where status = 'ok' and cloud_frac is not null")[0], 68)
        self.assertLessEqual(one(manifest, "select max(cloud_frac) from view")[0], 0.1)

    def test_passes_of_the_north_sea_overlap_where_both_saw_the_sea(self):
        import numpy as np
        import rasterio

        manifest, workspace = run("olci_northsea")
        seen = {}
        for path, in manifest.execute("select path from tile"):
            with rasterio.open(DATA / path.split(":", 1)[1]) as raster:
                seen[path] = np.isfinite(raster.read()).all(axis=0)
                rows = np.cos(np.radians(raster.transform.f + raster.transform.e * (np.arange(raster.height) + 0.5)))
        area = lambda mask: float((mask.sum(axis=1) * rows).sum())  # of pixels, up to a factor: the ellipsoid changes it by less than .1 %
        expected = {tuple(sorted((a, b))): area(seen[a] & seen[b]) / area(seen[a]) for a in seen for b in seen if a < b and (seen[a] & seen[b]).any()}
        found = {tuple(sorted((a, b))): fraction if a < b else other for a, b, fraction, other in manifest.execute(
            "select a.path, b.path, frac_a, frac_b from overlap join tile a on a.tile_id = tile_a join tile b on b.tile_id = tile_b")}
        self.assertEqual(found.keys(), expected.keys(), "boxes are equal, yet two pairs share no pixel")
        self.assertEqual(len(found), 8)
        for pair, fraction in found.items():
            self.assertAlmostEqual(fraction, expected[pair], delta=2e-3 * expected[pair])
        for shard, offset, length in manifest.execute("select shard, byte_offset, byte_length from view"):
            with open(workspace / shard, "rb") as file:
                file.seek(offset + 128)
                self.assertTrue(np.isfinite(np.frombuffer(file.read(length - 128), np.float32)).all(), "nodata is never data")

    def test_two_sensors_of_one_place_are_stacked_on_one_grid(self):
        manifest, workspace = run("mol_two_sensors")
        self.assertEqual(manifest.execute("select source, band_count, valid_frac from tile order by 1").fetchall(), [("l8", 3, 1.0), ("s2", 7, 1.0)])
        self.assertEqual(manifest.execute("select distinct view_count from location").fetchall(), [(2,)])
        self.assertEqual(manifest.execute("select distinct resampled from view").fetchall(), [(0,)])
        self.assertEqual(one(manifest, "select count(*) from location")[0], 8 * 16)
        inputs = json.loads((workspace / "datasets/stacked/dataset.json").read_text())["inputs"]
        self.assertEqual([[band["name"] for band in i["bands"]] for i in inputs], [["B02", "B03", "B04", "B08", "B8A", "B11", "B09"], ["B2", "B3", "B4"]])

    def test_radar_and_optical_of_a_port_pair_up_and_complex_files_are_named(self):
        manifest, _ = run("rotterdam_sar_optical", code=3)
        self.assertEqual(manifest.execute("select source, status, reason, count(*) from tile group by 1, 2, 3 order by 1").fetchall(),
                         [("complex", "quarantined", "bad_dtype", 4), ("optical", "ok", None, 1), ("sar", "ok", None, 1)])
        self.assertLess(one(manifest, "select valid_frac from tile where source = 'sar'")[0], 1, "the slanted edge is nodata")
        self.assertGreater(one(manifest, "select count(*) from location where view_count = 2")[0], 0)

    def test_a_dark_hyperspectral_patch_is_no_nodata(self):
        manifest, workspace = run("hyspecnet_coast")
        self.assertEqual(one(manifest, "select valid_frac, cloud_frac from tile where status = 'ok'"), (1.0, 0.0))
        self.assertEqual(one(manifest, "select count(*), sum(resampled) from view"), (16, 0))
        bands = json.loads((workspace / "datasets/corpus/dataset.json").read_text())["inputs"][0]["bands"]
        self.assertEqual(len(bands), 224 - 22, "bands of the water vapour lines are empty and left out")
        self.assertTrue(all(band["wavelength_nm"] for band in bands))

    def test_alexandria_goes_from_footprints_to_a_map(self):
        manifest, workspace = run("alexandria", "--set", "runs.unet.epochs=3")
        self.assertEqual(one(manifest, "select count(*) from label_object where status = 'drawn'")[0], 84)
        self.assertEqual({m for m, in manifest.execute("select distinct metric from score")}, {"edge_agreement", "model_iou", "clipped_frac", "missing_objects", "completeness", "combined"})
        self.assertIn("test", json.loads((workspace / "runs/unet/evaluation.json").read_text())["parts"])
        self.assertEqual(len(list((workspace / "predictions").glob("*.tif"))), 1)

    def test_alexandria_buildings_that_the_map_lacks_are_found(self):
        import io

        import numpy as np

        manifest, workspace = run("alexandria_missing", "--to", "curate")

        def pixels(query):
            for key, shard, offset, length in manifest.execute(query):
                with open(workspace / shard, "rb") as file:
                    file.seek(offset)
                    yield key, np.load(io.BytesIO(file.read(length)))[0]

        missing = one(manifest, "select sum(value) from score where metric = 'missing_objects' and layer = 'buildings'")[0]
        self.assertGreater(missing, 30)
        height = dict(pixels("select location_id, shard, byte_offset, byte_length from view"))
        masks = {layer: dict(pixels(f"select location_id, shard, byte_offset, byte_length from mask where layer = '{layer}'")) for layer in ("buildings", "buildings_predicted")}
        found = np.concatenate([height[key][(seen == 1) & (masks["buildings"][key] == 0)] for key, seen in masks["buildings_predicted"].items()])
        self.assertGreater(found.size, 2000)
        self.assertGreater((found > 3).mean(), 0.9, "what the models miss on the map stands above the ground")
        self.assertGreater(one(manifest, "select count(*) from subset_member where name = 'most_missing'")[0], 3)

    def test_vegas_lanes_give_widths_in_metres(self):
        manifest, _ = run("vegas_roads")
        self.assertEqual({w for w, in manifest.execute("select distinct width_m from label_object where rule = 'lanes'")}, {4.5, 8, 11.5})
        self.assertGreater(one(manifest, "select max(positive_frac) from mask")[0], 0.02)

    def test_kampala_chips_of_three_zooms_stay_together_and_train(self):
        manifest, workspace = run("kampala", "--set", "runs.unet.epochs=1")
        self.assertEqual(one(manifest, "select count(*) from tile where status = 'ok' and band_count = 3")[0], 126)
        self.assertEqual({r for r, in manifest.execute("select distinct resampled from view")}, {0, 1})
        self.assertTrue((workspace / "runs/unet/weights.safetensors").exists())
        self.check_kampala_buildings(manifest, workspace)

    def check_kampala_buildings(self, manifest, workspace):
        """Every labelled pixel as rasterio burns the footprints on the location's own grid; 255 beyond their hull."""
        import io

        import numpy as np
        from rasterio.features import rasterize
        from rasterio.transform import from_origin
        from rasterio.warp import transform_geom

        counted = "select count(*), sum(status = 'rejected'), sum(status = 'rejected' and reason = 'outside_rasters') from label_object where layer = 'buildings'"
        self.assertEqual(one(manifest, counted), (108, 15, 15), "chips show the eastern cluster only")
        footprints = json.loads((DATA / "B-kampala-building-chips/buildings.geojson").read_text())["features"]
        shapes = [(transform_geom("EPSG:4326", "EPSG:3857", f["geometry"], precision=-1), 1) for f in footprints]
        known = wrong = buildings = unknown = 0
        rows = manifest.execute("select shard, byte_offset, byte_length, ulx, uly, res_m from mask join location using (location_id) where layer = 'buildings' and shard is not null")
        for shard, offset, length, ulx, uly, res in rows:
            with open(workspace / shard, "rb") as file:
                file.seek(offset)
                mask = np.load(io.BytesIO(file.read(length)))[0]
            burnt = rasterize(shapes, mask.shape, transform=from_origin(ulx, uly, res, res), dtype="uint8")
            known += (mask != 255).sum()
            unknown += (mask == 255).sum()
            buildings += (mask == 1).sum()
            wrong += ((mask != burnt) & (mask != 255)).sum()
        self.assertGreater(buildings, 100000)
        self.assertGreater(unknown, 0, "beyond the hull of the footprints nothing is known")
        self.assertLessEqual(wrong, known * 1e-5, "but for centres on a border")

    def test_enmap_names_empty_bands_and_finds_its_lattice(self):
        manifest, _ = run("enmap_potsdam")
        left_out = [s for s, in manifest.execute("select subject from rejection where reason = 'band_all_nodata' order by subject")]
        self.assertEqual([s.split("band ")[1][:3] for s in left_out], ["130", "131", "132", "133", "134", "135"])
        self.assertEqual(one(manifest, "select count(*) from view where resampled = 0")[0], 18)
        self.assertEqual(one(manifest, "select count(*) from location where ulx % 30 = 15 and uly % 30 = 15")[0], 18)

    def test_every_nasty_raster_is_used_or_has_a_reason(self):
        manifest, _ = run("nasty", "--memory", "512M", code=3)
        self.assertEqual(one(manifest, "select count(*) from tile")[0], 49)
        self.assertEqual(one(manifest, "select count(*) from tile where status not in ('ok', 'duplicate') and ifnull(reason, '') = ''")[0], 0)


if __name__ == "__main__":
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not there")
        sys.exit(77)
    shutil.rmtree(FOLDER, ignore_errors=True)  # what an older program made must not pass
    FOLDER.mkdir(parents=True)
    unittest.main(argv=sys.argv[:1], verbosity=2)
