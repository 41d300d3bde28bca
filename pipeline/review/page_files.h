// SPDX-License-Identifier: Apache-2.0
// Files of the review page that the build puts into the program.
#pragma once

#include <string_view>

namespace tilewright::pipeline {

std::string_view review_page();    ///< review.html
std::string_view review_script();  ///< review.js
std::string_view review_style();   ///< review.css

}  // namespace tilewright::pipeline
