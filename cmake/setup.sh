#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the build needs: `setup.sh packages|learn-packages|tidy-packages|torch|venv|bench-venv ...`.
# Each step does nothing when it is done already, and may be repeated after an interruption.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .deps

say() { printf '%s\n' "setup: $*" >&2; }

missing_packages() {
  grep -v '^#' cmake/packages.txt | while read -r package; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

install_packages() {
  if [ "$(id -u)" -ne 0 ]; then
    say "these Debian packages are missing. Run this line, then the same make command again:"
    say "  sudo apt-get install --no-install-recommends $*"
    exit 1
  fi
  say "installing Debian packages: $*"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

packages() {
  command -v dpkg-query >/dev/null || { say "not a Debian system: install what cmake/packages.txt lists"; return 0; }
  local missing
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "${missing// /}" ] || return 0
  # shellcheck disable=SC2086
  install_packages $missing
}

# Version 14, Debian's plain clang-tidy, does not read the ranges of GCC 12.
tidy_packages() {
  command -v clang-tidy-16 >/dev/null || install_packages clang-tidy-16
}

# Headers for the learn half on a server without root: unpacked beside LibTorch.
learn_packages() {
  [ -f .deps/sysroot/.done ] && return 0
  rm -rf .deps/sysroot && mkdir -p .deps/sysroot
  say "unpacking nlohmann-json and libcrypto headers under .deps/sysroot"
  (cd .deps/sysroot && apt-get download -qq nlohmann-json3-dev libssl-dev && for d in *.deb; do dpkg -x "$d" . && rm "$d"; done)
  touch .deps/sysroot/.done
}

venv() {
  if [ ! -x .deps/venv/bin/pip ]; then
    rm -rf .deps/venv
    python3 -m venv .deps/venv
  fi
  # A pip that resumes broken downloads.
  .deps/venv/bin/python -c 'import pip,sys; sys.exit(int(pip.__version__.split(".")[0]) < 25)' ||
    .deps/venv/bin/pip install -q --disable-pip-version-check 'pip==25.3'
}

python_readers() {
  venv
  local wanted=tests/python/requirements.txt
  cmp -s "$wanted" .deps/venv/installed.txt && return 0
  say "installing the Python readers of the tests"
  .deps/venv/bin/pip install -q --disable-pip-version-check -r "$wanted"
  cp "$wanted" .deps/venv/installed.txt
}

bench_venv() {
  python_readers
  .deps/venv/bin/pip install -q --disable-pip-version-check -r tests/bench/requirements.txt
  bench_cleanlab
}

# cleanlab wants an older numpy than the other peers: an environment of its own.
bench_cleanlab() {
  local wanted=cleanlab==2.7.1
  [ "$(cat .deps/bench-cleanlab/installed.txt 2>/dev/null)" = "$wanted" ] && return 0
  rm -rf .deps/bench-cleanlab
  python3 -m venv .deps/bench-cleanlab
  say "installing cleanlab under .deps/bench-cleanlab"
  .deps/bench-cleanlab/bin/pip install -q --disable-pip-version-check "$wanted"
  echo "$wanted" >.deps/bench-cleanlab/installed.txt
}

# Python torch of LibTorch's version, for comparing steps of training, and TorchGeo for chips: 5 GB with their libraries.
bench_torch() {
  local wanted
  wanted="$(grep -o '^torch==[0-9.]*' cmake/torch-requirements.txt) torchvision==0.26.0 torchgeo==0.8.1 requests rasterio==1.4.4"
  [ "$(cat .deps/bench-torch/installed.txt 2>/dev/null)" = "$wanted" ] && return 0
  rm -rf .deps/bench-torch
  python3 -m venv .deps/bench-torch
  say "installing Python torch and TorchGeo under .deps/bench-torch"
  # shellcheck disable=SC2086
  .deps/bench-torch/bin/pip install -q --disable-pip-version-check $wanted numpy
  echo "$wanted" >.deps/bench-torch/installed.txt
}

# LibTorch under .deps/torch, unless TORCH_ROOT names another copy.
torch() {
  [ -z "${TORCH_ROOT:-}" ] || return 0
  cmp -s cmake/torch-requirements.txt .deps/torch-installed.txt && [ -f .deps/torch/lib/libtorch_cpu.so ] && return 0
  venv
  rm -f .deps/torch-installed.txt
  mkdir -p .deps/wheels
  say "downloading LibTorch (530 MB) to .deps/wheels"
  .deps/venv/bin/pip download --disable-pip-version-check --resume-retries 20 --no-deps --only-binary=:all: \
    --require-hashes --python-version 3.11 --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux2014_x86_64 -d .deps/wheels -r cmake/torch-requirements.txt >&2
  say "unpacking LibTorch to .deps/torch"
  rm -rf .deps/torch .deps/nvidia
  unzip -qo .deps/wheels/torch-*.whl 'torch/include/*' 'torch/lib/*' 'torch/share/*' -d .deps
  for wheel in .deps/wheels/nvidia_*.whl; do unzip -qo "$wheel" 'nvidia/*' -d .deps; done
  rm -rf .deps/wheels
  cp cmake/torch-requirements.txt .deps/torch-installed.txt
}

for step in "$@"; do
  case "$step" in
    packages) packages ;;
    learn-packages) learn_packages ;;
    tidy-packages) tidy_packages ;;
    torch) torch ;;
    venv) python_readers ;;
    bench-venv) bench_venv ;;
    bench-torch) bench_torch ;;
    *) say "unknown step '$step'; one of packages, learn-packages, tidy-packages, torch, venv, bench-venv, bench-torch"; exit 2 ;;
  esac
done
