#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs one script in the pinned environment: `run_oracle.sh SOURCE_DIR SCRIPT ARGUMENT...`; 77 = skipped.
set -euo pipefail
source_dir=$1
python=$source_dir/.deps/venv/bin/python
if [ ! -x "$python" ] || ! cmp -s "$source_dir/tests/python/requirements.txt" "$source_dir/.deps/venv/installed.txt"; then
  echo "skipped: the Python readers are not installed; run: cmake/setup.sh venv"
  exit 77
fi
exec "$python" -W ignore "$source_dir/tests/python/$2" "${@:3}"
