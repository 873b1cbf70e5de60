// How often each pass, recognition, claim and fusion was taken over many graphs, and how often refused just outside of what it takes. Found from the outside:
// passes are run one by one, recognitions asked about each node, backends about each claim, groups and misses read as reports show them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "graph/executor.h"
#include "graph/node.h"

namespace cotan::testing {

class Tally {
 public:
  struct Counts {
    std::uint64_t taken = 0, refused = 0;
  };

  void taken(const std::string& name, std::uint64_t times = 1) { counts_[name].taken += times; }
  void refused(const std::string& name, std::uint64_t times = 1) { counts_[name].refused += times; }

  [[nodiscard]] Counts of(const std::string& name) const {
    const auto found = counts_.find(name);
    return found == counts_.end() ? Counts{} : found->second;
  }

  // A line for each name, and back: how a process tells another one.
  [[nodiscard]] std::vector<std::string> lines() const;
  void add_line(const std::string& line);

  // A table of all names.
  [[nodiscard]] std::string text() const;
  // Those of the names that there are to be taken and refused (expected_names) for which one of the two never happened.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  std::map<std::string, Counts> counts_;
};

// What must be taken, and what must be refused too.
struct TallyName {
  std::string name;
  bool refused = true;  // whether there is a just outside
};
[[nodiscard]] const std::vector<TallyName>& expected_names();

// Counts what the compiler makes of f.
void count_graph(const Function& f, const CompileOptions& options, Tally& tally);

}  // namespace cotan::testing
