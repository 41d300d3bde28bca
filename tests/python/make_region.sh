#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the workspace that the Python readers open: `make_region.sh TILEWRIGHT FOLDER`.
set -euo pipefail
tilewright=$1
region=$2
rm -rf "$region"
"$tilewright" synth region "$region" --tiny
status=0
"$tilewright" run "$region/job.yaml" -j 2 || status=$?
# Exit 3: done, and one scene is quarantined; the region breaks one on purpose.
[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
"$tilewright" embed "$region/job.yaml" pretrain -q
