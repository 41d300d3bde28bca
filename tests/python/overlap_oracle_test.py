# SPDX-License-Identifier: Apache-2.0
"""The overlap graph against all pairs by GEOS and PROJ: `overlap_oracle_test.py PROGRAM TILES`.

Every pair of TILES random footprints is intersected by shapely; the geodesic area of what comes out
is measured by pyproj. No pair may be missing or extra, and no area may differ by 1e-9 of the smaller
footprint. 1415 tiles are 1,000,405 pairs.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import shapely
from pyproj import Geod, Transformer

GEOD = Geod(ellps="WGS84")


def closed(points):
    return np.vstack([points, points[:1]])


def quad(rng, x, y):
    angle, size = rng.uniform(-0.4, 0.4), rng.uniform(0.05, 0.4)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size * [1, rng.uniform(0.5, 1)]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return shapely.Polygon(closed(corners @ turn + [x, y]))


def star(rng, x, y):
    count, size = rng.integers(5, 40), rng.uniform(0.1, 0.5)
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    radius = size * rng.uniform(0.3, 1, count)
    return shapely.Polygon(closed(np.column_stack([x + radius * np.cos(angle), y + radius * np.sin(angle)])))


def ring(rng, x, y):
    left = star(rng, x, y).difference(quad(rng, x, y))
    return left if left.area > 0.01 else quad(rng, x, y)


def scene(rng, x, y):
    """A rectangle in the zone of the place, its edges followed: never convex in degrees."""
    to_degrees = Transformer.from_crs(32600 + int((x + 180) // 6) % 60 + 1, 4326, always_xy=True)
    east, north = to_degrees.transform(x, y, direction="INVERSE")
    w, h = rng.uniform(5e3, 4e4, 2)
    t = np.linspace(0, 1, 25)[:-1]
    edges = [(t * w, 0 * t), (w + 0 * t, t * h), (w - t * w, h + 0 * t), (0 * t, h - t * h)]
    points = np.column_stack(to_degrees.transform(east + np.concatenate([e[0] for e in edges]), north + np.concatenate([e[1] for e in edges])))
    points[:, 0] += 360 * np.round((x - points[:, 0]) / 360)
    return shapely.Polygon(closed(points))


def split_at_180(shape):
    world = shapely.box(-180, -90, 180, 90)
    parts = [shapely.transform(shape, lambda p, k=k: p + [360 * k, 0]).intersection(world) for k in (-1, 0, 1)]
    return shapely.union_all([p for p in parts if not p.is_empty and p.area > 0])


def random_tiles(count):
    rng = np.random.default_rng(4)
    makers = [quad, scene, scene, star, ring]
    tiles = []
    for n in range(count):
        x, y = (rng.uniform(8, 10.5), rng.uniform(44, 46.5)) if n % 5 else (rng.uniform(178.5, 181), rng.uniform(62, 63))
        tiles.append(split_at_180(makers[rng.integers(len(makers))](rng, x, y)))
    return tiles


def polygons_of(shape):
    return [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon"]


def area_m2(shape):
    def of(linear):
        lon, lat = np.asarray(linear.coords).T
        return abs(GEOD.polygon_area_perimeter(lon, lat)[0])
    return sum(of(p.exterior) - sum(of(h) for h in p.interiors) for p in polygons_of(shape))


def write(tiles, path):
    with open(path, "wb") as out:
        number = lambda n: out.write(np.uint32(n).tobytes())
        number(len(tiles))
        for tile in tiles:
            polygons = polygons_of(tile)
            number(len(polygons))
            for p in polygons:
                rings = [p.exterior, *p.interiors]
                number(len(rings))
                for r in rings:
                    points = np.asarray(r.coords, dtype="<f8")
                    number(len(points))
                    out.write(points.tobytes())


def our_rows(program, tiles):
    with tempfile.TemporaryDirectory() as folder:
        write(tiles, Path(folder) / "in")
        subprocess.run([program, Path(folder) / "in", Path(folder) / "out", "2"], check=True)
        lines = (Path(folder) / "out").read_text().splitlines()
    areas = np.array([float(v) for v in lines[: len(tiles)]])
    return areas, {(int(a), int(b)): float(area) for a, b, area, _, _ in (line.split() for line in lines[len(tiles):])}


def main():
    program, count = sys.argv[1], int(sys.argv[2])
    tiles = random_tiles(count)
    areas, ours = our_rows(program, tiles)
    truth = np.array([area_m2(t) for t in tiles])
    worst_tile = np.max(np.abs(areas - truth) / truth)
    shapes = np.array(tiles)
    missing = extra = overlaps = 0
    worst = 0.0
    for a in range(count - 1):
        parts = shapely.intersection(shapes[a], shapes[a + 1:])
        for b in range(a + 1, count):
            common = parts[b - a - 1]
            smaller = min(truth[a], truth[b])
            area = 0.0 if common.is_empty else area_m2(common)
            listed = ours.get((a, b))
            if area > 1e-9 * smaller:
                overlaps += 1
                missing += listed is None
            else:
                extra += listed is not None
            if listed is not None:
                worst = max(worst, abs(listed - area) / smaller)
    print(f"{count * (count - 1) // 2} pairs, {overlaps} overlap: {missing} missing, {extra} extra, "
          f"largest error {worst:.2g} of the smaller footprint, {worst_tile:.2g} of a footprint")
    assert len(ours) == overlaps and not missing and not extra and worst < 1e-9 and worst_tile < 1e-9 and overlaps > count


if __name__ == "__main__":
    main()
