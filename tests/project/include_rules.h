// Who may include whom: ops <- graph <- {autograd, backends} <- training <- {tools, tests, bench, examples}.
//
// An include never goes against the arrows; autograd and backends never include each other; oneDNN's headers are seen by backends/onednn alone and TBB's by
// backends/parallel and training, whether directly or through other headers. Tests and benchmarks of those parts see what the part sees.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace cotan::project {

// Sources by path, relative to the repository's root with forward slashes.
using Sources = std::map<std::string, std::string>;

// Every C++ file (.h, .cpp, .def, .inl, .inc) below the folders that the rules name.
[[nodiscard]] Sources read_sources(const std::filesystem::path& root);

// What breaks the rules, one line each: "graph/a.h:3 includes autograd/b.h: ...". Empty if nothing does.
[[nodiscard]] std::vector<std::string> include_violations(const Sources& sources);

}  // namespace cotan::project
