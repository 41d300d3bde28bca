#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `make demo`: a synthetic region, the whole job on it, and where to look.
set -euo pipefail
cd "$(dirname "$0")/.."
tilewright=build/dev/bin/tilewright
region=work/demo

[ -f "$region/job.yaml" ] || "$tilewright" synth region "$region"
status=0
"$tilewright" run "$region/job.yaml" || status=$?
# Exit 3: done, and one file is quarantined; the region breaks one on purpose.
[ "$status" -eq 0 ] || [ "$status" -eq 3 ] || exit "$status"
"$tilewright" report "$region/job.yaml" >/dev/null
workspace=$region/work
echo
# What curation found, and what it gained: the same network on all labels as they came, on the curated and on the repaired ones.
sed -n '/id="noise"/,/<\/section>/p' "$workspace/report.html" | sed -n '/^<p>Of/,/<\/p>/p' | sed 's/<[^>]*>//g'
for run in unet_noisy unet unet_repaired; do
  iou=$(sed -n '/"test"/,$ s/.*"iou_macro": *\([0-9.]*\).*/\1/p' "$workspace/runs/$run/evaluation.json" | head -1)
  printf 'test IoU %-14s %.3f   (against the true buildings)\n' "$run" "$iou"
done
echo
echo "report   $workspace/report.html"
for map in "$workspace"/predictions/*.tif; do echo "map      $map"; done
for metrics in "$workspace"/runs/*/metrics.jsonl; do echo "metrics  $metrics"; done
echo "manifest $workspace/manifest.gpkg   (QGIS, geopandas and ogrinfo open it)"
