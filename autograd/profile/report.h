// Printers of profiles.
//
//   table       for a terminal
//   json        for programs; the fields are described in docs/profiling.md
//   trace       the timeline for chrome://tracing or Perfetto
//   page        one HTML page with everything, which needs no network
#pragma once

#include <string>

#include "autograd/profile/profile.h"

namespace cotan {

// How much a table shows.
struct TableOptions {
  int kernels = 12;  // of each side, those that take longest
  int misses = 8;    // kinds of them, those met most often
};

// Fused beside unfused, then the kernels of each that take longest, then why something was not fused.
[[nodiscard]] std::string table(const Profile& profile, const TableOptions& options = {});
// An object with `name`, `machine`, `fused`, `unfused` and `misses`, and more beside them. `with_graphs` adds graphs and timelines.
[[nodiscard]] std::string json(const Profile& profile, bool with_graphs = false);
// Events of one run of each side, in Chrome's trace event format: a process for each side, a thread for each worker, an event for each chunk.
[[nodiscard]] std::string trace(const Profile& profile);
// The page.
[[nodiscard]] std::string page(const Profile& profile);

// Writes what the printer of that name gives into a file. Throws Error where the file cannot be written.
void write_json(const Profile& profile, const std::string& file, std::source_location where = std::source_location::current());
// Likewise.
void write_trace(const Profile& profile, const std::string& file, std::source_location where = std::source_location::current());
// Likewise.
void write_page(const Profile& profile, const std::string& file, std::source_location where = std::source_location::current());

}  // namespace cotan
