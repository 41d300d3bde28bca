#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a test of the real sets in the pinned environment: `run_real.sh TEST.py TILEWRIGHT SOURCE FOLDER`; 77 = skipped.
set -euo pipefail
python=$3/.deps/venv/bin/python
if [ ! -x "$python" ]; then
  echo "skipped: the Python readers are not installed; run: cmake/setup.sh venv"
  exit 77
fi
exec "$python" -W ignore "$3/tests/python/$1" "${@:2}"
