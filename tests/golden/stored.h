// The numbers that make_golden.py stored.
#pragma once

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace cotan::testing {

// All stored cases by table and name, "sums/matmul_0".
[[nodiscard]] inline const std::map<std::string, nlohmann::json>& stored() {
  static const auto* all = [] {
    auto* cases = new std::map<std::string, nlohmann::json>;
    for (const char* table : {"elementwise", "sums", "reductions", "composites", "empty"}) {
      std::ifstream file(fmt::format("{}/tests/golden/{}.jsonl", COTAN_SOURCE_DIR, table));
      for (std::string line; std::getline(file, line);) {
        nlohmann::json j = nlohmann::json::parse(line);
        const std::string key = fmt::format("{}/{}", table, j.at("name").get<std::string>());
        cases->emplace(key, std::move(j));
      }
    }
    return cases;
  }();
  return *all;
}

// Numbers that JSON has no word for are stored as text.
[[nodiscard]] inline std::vector<double> numbers(const nlohmann::json& list) {
  std::vector<double> v;
  for (const nlohmann::json& x : list) v.push_back(x.is_string() ? std::stod(x.get<std::string>()) : x.get<double>());
  return v;
}

// How far what Cotan computes in float64 may be from them, relative to the largest number of a tensor.
inline constexpr double stored_tolerance = 1e-9;

}  // namespace cotan::testing
