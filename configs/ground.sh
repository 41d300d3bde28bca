#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Writes the rasters of root `ground`: constant ones for jobs whose labels come without imagery, and images without
# georeference on made-up ground.
#   configs/ground.sh [FOLDER [DATA]]      default: work/ground beside the folder of jobs, ../../shared/data beside this file
set -euo pipefail
folder=${1:-$(dirname "$0")/../work/ground}
data=${2:-$(dirname "$0")/../../shared/data}
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

# FILE NAME WEST: 512 x 512 pixels of 30 m whose upper left is (WEST, 5000400) in zone 32; nothing if the file is not there.
place() {
  local file="$folder/cloudmask_$2.tif"
  if [ -f "$file" ] || [ ! -f "$data/E-cloudmask-3-sensors/$1" ]; then return 0; fi
  gdal_translate -q -of GTiff -a_srs EPSG:32632 -a_ullr "$3" 5000400 $(($3 + 15360)) 4985040 -co COMPRESS=DEFLATE -co TILED=YES \
    "$data/E-cloudmask-3-sensors/$1" "$folder/.$2.tif"
  mv "$folder/.$2.tif" "$file"
}

place sentinel2_img.tif sentinel2 499200
place landsat7_img.tif landsat7 514560
place sentinel2_mask.tif sentinel2_classes 499200
place landsat7_mask.tif landsat7_classes 514560
if [ -f "$folder/cloudmask_landsat7_classes.tif" ] && [ ! -f "$folder/cloudmask_classes.tif" ]; then
  gdalbuildvrt -q "$folder/.classes.vrt" "$folder"/cloudmask_{sentinel2,landsat7}_classes.tif
  gdal_translate -q -of GTiff -co COMPRESS=DEFLATE -co TILED=YES "$folder/.classes.vrt" "$folder/.classes.tif"
  mv "$folder/.classes.tif" "$folder/cloudmask_classes.tif"
  rm "$folder/.classes.vrt"
fi
