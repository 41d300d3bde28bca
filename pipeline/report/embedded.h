// SPDX-License-Identifier: Apache-2.0
// Files that the build puts into the program: the page and the charts' library.
#pragma once

#include <string_view>

namespace tilewright::pipeline {

std::string_view report_template();  ///< report.html, in mustache
std::string_view chart_script();     ///< Chart.js, MIT licence

}  // namespace tilewright::pipeline
