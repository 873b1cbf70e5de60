// The blocks of documentation pages that tests read.
#pragma once

#include <filesystem>
#include <string>

#include "tests/project/process.h"

namespace cotan::project {

// A page of docs/, whole.
inline std::string page(const std::string& name) { return content_of(std::filesystem::path(COTAN_SOURCE_DIR) / "docs" / name); }

// The block after the line <!-- mark -->; empty if there is none.
inline std::string block_after(const std::string& page, const std::string& mark) {
  const std::string opening = "\n<!-- " + mark + " -->\n```text\n";
  const std::size_t at = page.find(opening);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + opening.size(), end = page.find("```\n", begin);
  return end == std::string::npos ? "" : page.substr(begin, end - begin);
}

}  // namespace cotan::project
