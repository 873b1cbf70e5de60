#include "tests/project/include_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>

namespace cotan::project {
namespace {

using Names = std::set<std::string>;

// For each folder, the folders its files may include from.
const std::map<std::string, Names>& allowed_folders() {
  static const Names library{"ops", "graph", "autograd", "backends", "training"};
  static const auto with = [](Names names, const char* own) {
    names.insert(own);
    return names;
  };
  static const std::map<std::string, Names> table{
      {"ops", {"ops"}},
      {"graph", {"ops", "graph"}},
      {"autograd", {"ops", "graph", "autograd"}},
      {"backends", {"ops", "graph", "backends"}},
      {"training", library},
      {"tools", with(library, "tools")},
      {"bench", with(library, "bench")},
      {"examples", with(library, "examples")},
      {"tests", {"ops", "graph", "autograd", "backends", "training", "tools", "bench", "examples", "tests"}},
  };
  return table;
}

// A library whose headers only some folders may see.
struct GuardedLibrary {
  std::string name;
  std::vector<std::string> headers;  // what an include of it starts with
  std::vector<std::string> folders;  // who may see it
};

const std::vector<GuardedLibrary>& guarded_libraries() {
  static const std::vector<GuardedLibrary> table{
      {"oneDNN", {"oneapi/dnnl/", "dnnl"}, {"backends/onednn/", "tests/onednn/", "bench/"}},
      {"TBB",
       {"tbb/", "oneapi/tbb"},
       {"backends/parallel/", "training/", "tests/parallel/", "tests/onednn/", "tests/training/", "bench/"}},
  };
  return table;
}

bool starts_with_any(const std::string& text, const std::vector<std::string>& starts) {
  return std::any_of(starts.begin(), starts.end(), [&](const std::string& start) { return text.starts_with(start); });
}

std::string first_folder(const std::string& path) { return path.substr(0, path.find('/')); }

struct Include {
  std::string name;
  int line = 0;
  bool quoted = false;
};

// The include that a line is, if it is one.
std::optional<Include> parse_include(const std::string& line, int number) {
  std::size_t at = line.find_first_not_of(" \t");
  if (at == std::string::npos || line[at] != '#') return std::nullopt;
  at = line.find_first_not_of(" \t", at + 1);
  if (at == std::string::npos || line.compare(at, 7, "include") != 0) return std::nullopt;
  at = line.find_first_not_of(" \t", at + 7);
  if (at == std::string::npos || (line[at] != '"' && line[at] != '<')) return std::nullopt;
  const bool quoted = line[at] == '"';
  const std::size_t end = line.find(quoted ? '"' : '>', at + 1);
  if (end == std::string::npos) return std::nullopt;
  return Include{line.substr(at + 1, end - at - 1), number, quoted};
}

std::vector<Include> parse_includes(const std::string& text) {
  std::vector<Include> includes;
  std::istringstream stream(text);
  bool in_comment = false;
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    if (!in_comment) {
      if (auto include = parse_include(line, number)) includes.push_back(*std::move(include));
    }
    // A block comment that begins or ends on this line; directives beside one on the same line do not occur.
    const std::size_t open = line.rfind("/*");
    const std::size_t close = line.rfind("*/");
    if (open != std::string::npos && (close == std::string::npos || close < open)) in_comment = line.find("//") > open;
    if (in_comment && close != std::string::npos && (open == std::string::npos || close > open)) in_comment = false;
  }
  return includes;
}

// The path in the repository that an include means: the umbrella header has its own include directory.
std::string repository_path(const std::string& name) { return name.starts_with("cotan/") ? "training/" + name : name; }

class Checker {
 public:
  explicit Checker(const Sources& sources) {
    for (const auto& [path, text] : sources) includes_[path] = parse_includes(text);
  }

  std::vector<std::string> run() {
    for (const auto& [path, includes] : includes_) {
      for (const Include& include : includes) check_direction(path, include);
    }
    for (const GuardedLibrary& library : guarded_libraries()) check_guarded(library);
    return std::move(violations_);
  }

 private:
  void report(const std::string& path, const Include& include, const std::string& why) {
    violations_.push_back(fmt::format("{}:{} includes {}: {}", path, include.line, include.name, why));
  }

  void check_direction(const std::string& path, const Include& include) {
    const std::string target = repository_path(include.name);
    const bool of_project = allowed_folders().count(first_folder(target)) != 0 && target.find('/') != std::string::npos;
    if (include.name.find("..") != std::string::npos || (include.quoted && target.find('/') == std::string::npos)) {
      report(path, include, "includes are written from the repository's root");
      return;
    }
    if (!of_project) return;
    if (includes_.count(target) == 0) {
      report(path, include, "there is no such file");
      return;
    }
    const Names& allowed = allowed_folders().at(first_folder(path));
    if (allowed.count(first_folder(target)) == 0) {
      report(path, include, fmt::format("{}/ may include from {} only", first_folder(path), fmt::join(allowed, ", ")));
    }
  }

  // Spreads "sees the library" from the headers that include it to whatever includes those, and reports each file that may not see it.
  void check_guarded(const GuardedLibrary& library) {
    std::map<std::string, Include> seen;  // the files that see the library, and the include through which they do
    for (bool grew = true; grew;) {
      grew = false;
      for (const auto& [path, includes] : includes_) {
        if (seen.count(path) != 0) continue;
        for (const Include& include : includes) {
          if (!starts_with_any(include.name, library.headers) && seen.count(repository_path(include.name)) == 0) continue;
          seen.emplace(path, include);
          grew = true;
          break;
        }
      }
    }
    for (const auto& [path, include] : seen) {
      if (!starts_with_any(path, library.folders)) report(path, include, fmt::format("{} is for {} only", library.name, fmt::join(library.folders, ", ")));
    }
  }

  std::map<std::string, std::vector<Include>> includes_;
  std::vector<std::string> violations_;
};

}  // namespace

Sources read_sources(const std::filesystem::path& root) {
  static const Names extensions{".h", ".cpp", ".def", ".inl", ".inc"};
  Sources sources;
  for (const auto& [folder, allowed] : allowed_folders()) {
    if (!std::filesystem::is_directory(root / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension().string();
      if (!entry.is_regular_file() || !extensions.contains(extension)) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      sources[entry.path().lexically_relative(root).generic_string()] = {std::istreambuf_iterator<char>(in), {}};
    }
  }
  return sources;
}

std::vector<std::string> include_violations(const Sources& sources) { return Checker(sources).run(); }

}  // namespace cotan::project
