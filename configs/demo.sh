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
echo "report   $workspace/report.html"
for map in "$workspace"/predictions/*.tif; do echo "map      $map"; done
for metrics in "$workspace"/runs/*/metrics.jsonl; do echo "metrics  $metrics"; done
echo "manifest $workspace/manifest.gpkg   (QGIS, geopandas and ogrinfo open it)"
