#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the readers in their pinned environment: `run_readers.sh SOURCE_DIR REGION`; 77 = skipped.
set -euo pipefail
source_dir=$1
python=$source_dir/.deps/venv/bin/python
if [ ! -x "$python" ] || ! cmp -s "$source_dir/tests/python/requirements.txt" "$source_dir/.deps/venv/installed.txt"; then
  echo "skipped: the Python readers are not installed; run: cmake/setup.sh venv"
  exit 77
fi
TILEWRIGHT_READERS_REGION=$2 exec "$python" -W ignore "$source_dir/tests/python/readers_test.py"
