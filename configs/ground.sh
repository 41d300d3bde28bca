#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Writes the constant rasters of jobs whose labels come without imagery (root `ground`):
#   configs/ground.sh [FOLDER]      default: work/ground beside the folder of jobs
set -euo pipefail
folder=${1:-$(dirname "$0")/../work/ground}
mkdir -p "$folder"

# NAME EPSG COLUMNS ROWS WEST NORTH EAST SOUTH
write() {
  local file="$folder/$1.tif"
  [ -f "$file" ] && return
  gdal_create -q -of GTiff -ot Byte -bands 1 -burn 1 -a_srs "EPSG:$2" -outsize "$3" "$4" -a_ullr "$5" "$6" "$7" "$8" \
    -co COMPRESS=DEFLATE -co TILED=YES "$folder/.$1.tif"
  mv "$folder/.$1.tif" "$file"
}

# Olemps: 8.1 km at 2 m, around every road. Helsinki: 1.3 x 1.8 km at 0.5 m.
write olemps 2154 4064 4064 659974 6364412 668102 6356284
write helsinki 3067 2600 3600 385300 6673200 386600 6671400
# The seven SpaceNet tiles of two label sources: 1300 pixels of 2.7e-6 degrees.
write vegas_99 4326 1300 1300 -115.296988 36.166908 -115.293478 36.163398
write vegas_990 4326 1300 1300 -115.209238 36.180948 -115.205728 36.177438
write vegas_991 4326 1300 1300 -115.209238 36.184458 -115.205728 36.180948
write vegas_995 4326 1300 1300 -115.209238 36.198498 -115.205728 36.194988
write vegas_997 4326 1300 1300 -115.209238 36.205518 -115.205728 36.202008
write vegas_998 4326 1300 1300 -115.209238 36.209028 -115.205728 36.205518
write vegas_999 4326 1300 1300 -115.209238 36.212538 -115.205728 36.209028
