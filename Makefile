# SPDX-License-Identifier: Apache-2.0
# The door to the project: presets do the work. Each target works alone, twice, and after an interruption.
SHELL := /bin/bash
.DEFAULT_GOAL := help
TORCH_FLAG := $(if $(TORCH_ROOT),-DTORCH_ROOT="$(TORCH_ROOT)")
export CCACHE_SLOPPINESS := pch_defines,time_macros,include_file_mtime,include_file_ctime

.PHONY: help deps deps-learn build demo test daily bench bench-deps bench-torch tidy install clean clean-all

help:
	@echo "make demo      set up, build, make a synthetic region and run the whole job on it"
	@echo "make test      set up, build, run all tests but the slow and gpu ones"
	@echo "make build     set up and build both programs (build/dev/bin)"
	@echo "make daily     the tests again under AddressSanitizer and UBSan, and the slow ones"
	@echo "make bench     figures against peers (docs/benchmarks.md); after make bench-torch also against Python torch and TorchGeo (5 GB)"
	@echo "make tidy      clang-tidy; make install PREFIX=... ; make deps ; make deps-learn ; make clean-all"

deps:
	@cmake/setup.sh packages torch

deps-learn:
	@cmake/setup.sh learn-packages torch

build: deps
	@cmake --preset dev $(TORCH_FLAG) >/dev/null
	@cmake --build --preset dev --target tilewright tilewright-learn

demo: build
	@bash configs/demo.sh

test: deps
	@cmake/setup.sh venv
	@cmake --preset dev $(TORCH_FLAG) >/dev/null
	@cmake --build --preset dev
	@ctest --preset dev -j2

daily: test
	@cmake --preset asan >/dev/null
	@cmake --build --preset asan
	@ctest --preset asan -j2
	@ctest --test-dir build/dev --output-on-failure -L slow

bench-deps: deps
	@cmake/setup.sh bench-venv

bench-torch:
	@cmake/setup.sh bench-torch

bench: bench-deps
	@cmake --preset release $(TORCH_FLAG) >/dev/null
	@cmake --build --preset release
	@.deps/venv/bin/python tests/bench/run.py build/release/bin

tidy: deps
	@cmake/setup.sh tidy-packages
	@cmake --preset tidy >/dev/null
	@cmake --build --preset tidy

install: deps
	@cmake --preset release $(TORCH_FLAG) -DTILEWRIGHT_BENCH=OFF >/dev/null
	@cmake --build --preset release
	@cmake --install build/release --prefix "$(or $(PREFIX),/usr/local)"

clean:
	@rm -rf build

clean-all: clean
	@rm -rf .deps work
