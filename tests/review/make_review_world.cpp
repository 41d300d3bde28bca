// SPDX-License-Identifier: Apache-2.0
// `make_review_world FOLDER COUNT`: the workspace of review_world.h for tests that drive the
// program from outside.
#include <cstdlib>
#include <exception>
#include <iostream>

#include "tests/review/review_world.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    const tilewright::tests::ReviewWorld world(argv[1], std::atoi(argv[2]));
    std::cout << world.job().string() << "\n";
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
