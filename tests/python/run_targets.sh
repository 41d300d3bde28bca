#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the target tests in their pinned environment: `run_targets.sh TILEWRIGHT SOURCE FOLDER`; 77 = skipped.
set -euo pipefail
python=$2/.deps/venv/bin/python
if [ ! -x "$python" ]; then
  echo "skipped: the Python readers are not installed; run: cmake/setup.sh venv"
  exit 77
fi
exec "$python" -W ignore "$2/tests/python/targets_test.py" "$@"
