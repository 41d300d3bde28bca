// SPDX-License-Identifier: Apache-2.0
// XML of side-cars: small, without entities, questions by element names.
#pragma once

#include <cpl_minixml.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace tilewright::pipeline {

struct XmlCloser {
  void operator()(CPLXMLNode* node) const noexcept { CPLDestroyXMLNode(node); }
};
using XmlTree = std::unique_ptr<CPLXMLNode, XmlCloser>;

/// Name spaces are taken off. Throws index::ItemError(unreadable) that names `what`.
XmlTree parse_xml(const std::string& text, const std::string& what);

/// Calls `visit` for every element below `node` that is called `name`, in the document's order.
void each_element(const CPLXMLNode* node, const std::string& name, const std::function<void(const CPLXMLNode&)>& visit);
/// Text of the first element of that name below `node`, without blanks around; nullopt if there is none.
std::optional<std::string> first_text(const CPLXMLNode* node, const std::string& name);

/// The whole text as a finite number.
std::optional<double> xml_number(const std::optional<std::string>& text);

}  // namespace tilewright::pipeline
