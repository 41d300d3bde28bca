#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Drives the review page in a headless Chromium: `run_browser.sh SOURCE_DIR TILEWRIGHT MAKE_WORLD FOLDER`; 77 = skipped.
set -euo pipefail
source_dir=$1
python=$source_dir/.deps/venv/bin/python
if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
  echo "skipped: no chromium and chromedriver; install the Debian packages chromium and chromium-driver (cmake/setup.sh packages)"
  exit 77
fi
if ! "$python" -c 'import selenium' 2>/dev/null; then
  echo "skipped: selenium is not installed; run: cmake/setup.sh venv"
  exit 77
fi
rm -rf "$4"
exec "$python" -W ignore "$source_dir/tests/review/browser_test.py" "$2" "$3" "$4"
