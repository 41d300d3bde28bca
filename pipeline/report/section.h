// SPDX-License-Identifier: Apache-2.0
// The sections of the report as JSON values: what the template shows and the charts draw.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "index/manifest.h"
#include "pipeline/config/job.h"

namespace tilewright::pipeline {

using ReportJson = nlohmann::ordered_json;

struct ReportInput {
  const Job& job;
  const index::Manifest& manifest;
  std::filesystem::path workspace;
};

// Each gives null where the workspace has nothing for it; the template then leaves it out.
ReportJson count_section(const ReportInput&);       ///< files, tiles, locations, views, masks: numbers that add up
ReportJson rejection_section(const ReportInput&);   ///< reasons with meaning, quarantined and duplicate files by name
ReportJson map_section(const ReportInput&);         ///< SVG of footprints and locations
ReportJson sample_section(const ReportInput&);      ///< chips with label outlines
ReportJson label_section(const ReportInput&);       ///< objects by rule and reason, widths, a contact sheet a layer
ReportJson score_section(const ReportInput&);       ///< histograms, best and worst locations, subsets
ReportJson noise_section(const ReportInput&);       ///< known label noise against the ranking, where the job's folder has truth/
ReportJson target_section(const ReportInput&);      ///< values of locations: classes by part, histograms
ReportJson dataset_section(const ReportInput&);     ///< samples by part, pixels by class
ReportJson experiment_section(const ReportInput&);  ///< tables and plots of runs with a grid
ReportJson run_section(const ReportInput&);         ///< curves, metrics and confusion matrices
ReportJson prediction_section(const ReportInput&);  ///< quicklooks of maps

std::string fixed(double value, int digits);
std::string grouped(std::int64_t number);           ///< 12 345, with thin spaces

}  // namespace tilewright::pipeline
