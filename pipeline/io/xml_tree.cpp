// SPDX-License-Identifier: Apache-2.0
// Parses side-cars with GDAL's small XML reader, behind a check for what could multiply.
#include "pipeline/io/xml_tree.h"

#include <charconv>
#include <cmath>
#include <vector>

#include "index/reason.h"

namespace tilewright::pipeline {

XmlTree parse_xml(const std::string& text, const std::string& what) {
  const auto refuse = [&](const std::string& why) {
    throw index::ItemError(index::Reason::unreadable, "the side-car " + what + " " + why + "; repair or remove it");
  };
  // Entities could multiply: such a document is not written by any raster program.
  if (text.find("<!DOCTYPE") != std::string::npos || text.find("<!ENTITY") != std::string::npos) refuse("holds a document type or entities");
  XmlTree tree(CPLParseXMLString(text.c_str()));
  if (!tree) refuse("is not XML");
  CPLStripXMLNamespace(tree.get(), nullptr, TRUE);
  return tree;
}

void each_element(const CPLXMLNode* node, const std::string& name, const std::function<void(const CPLXMLNode&)>& visit) {
  // A stack of our own: the depth of a document is not that of ours.
  std::vector<const CPLXMLNode*> open;
  for (; node || !open.empty();) {
    if (!node) {
      node = open.back();
      open.pop_back();
      continue;
    }
    if (node->eType == CXT_Element && name == node->pszValue) visit(*node);
    if (node->psNext) open.push_back(node->psNext);
    node = node->eType == CXT_Element ? node->psChild : nullptr;
  }
}

std::optional<std::string> first_text(const CPLXMLNode* node, const std::string& name) {
  std::optional<std::string> out;
  each_element(node, name, [&](const CPLXMLNode& element) {
    if (out) return;
    const std::string text = CPLGetXMLValue(&element, nullptr, "");
    constexpr const char* kBlanks = " \t\r\n";
    const auto first = text.find_first_not_of(kBlanks);
    if (first != std::string::npos) out = text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
  });
  return out;
}

std::optional<double> xml_number(const std::optional<std::string>& text) {
  if (!text || text->empty()) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  return error == std::errc() && end == text->data() + text->size() && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace tilewright::pipeline
