// What fusions make of a function, as values; and whether the compiled function is right.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "graph/fusion/fusion.h"
#include "graph/text/text.h"
#include "tests/support/close.h"
#include "tests/support/machines.h"
#include "tests/support/run_compiled.h"

namespace cotan::testing {

// The groups of several nodes, as text, and what was not fused.
struct Fused {
  std::string text;
  std::vector<MissReport> misses;
};

// What `look` makes of the groups after these fusions, one after the other.
template <class Look>
auto after(std::initializer_list<void (*)(Groups&)> fusions, const Function& f, const CompileOptions& options, Look&& look) {
  const std::vector<Node*> order = topological(f.results);
  Positions positions(order);
  Claims claims(options.backends);
  PassContext context{options, positions, claims};
  Groups groups(f, context);
  for (auto* fusion : fusions) fusion(groups);
  return look(groups);
}

// What they make of a function, which is the same on all described machines.
inline Fused fused(const Function& f, std::initializer_list<void (*)(Groups&)> fusions, const CompileOptions& options = {}) {
  std::optional<Fused> first;
  on_each_machine(options, {options.threads}, [&](const CompileOptions& here) {
    Fused made = after(fusions, f, here, [](Groups& groups) { return Fused{groups.text(), groups.take_misses()}; });
    if (!first) first = std::move(made);
    else EXPECT_EQ(made.text, first->text);
  });
  return *std::move(first);
}

// Small numbers that depend on the parameter and the position only; integers are 0 to 3.
inline std::vector<reference::Array> numbers(const Function& f) {
  std::vector<reference::Array> all;
  std::uint32_t state = 1;
  for (const Ref& p : f.parameters) {
    reference::Array a{p.dtype(), p.shape(), {}};
    for (std::int64_t i = 0; i < p.shape().elements(); ++i) {
      state = state * 1664525u + 1013904223u;
      a.values.push_back(is_floating(p.dtype()) ? static_cast<float>(state >> 8) / static_cast<float>(1 << 24) - 0.5f : static_cast<double>(state >> 30));
    }
    all.push_back(std::move(a));
  }
  return all;
}

// The compiled function agrees with the reference in float64, at several numbers of threads, and compiled for every described machine whose code runs here.
inline void expect_right(const Function& f, double tolerance = 4e-6) {
  const auto inputs = numbers(f);
  const auto want = reference::evaluate(f, inputs, {.exact = true});
  const auto check = [&](const CompileOptions& options) {
    const auto got = run_compiled(f, inputs, options);
    for (std::size_t r = 0; r < want.size(); ++r)
      EXPECT_TRUE(none(differences(fmt::format("result {} at {} threads", r, options.threads), got[r].values, want[r].values, tolerance)));
  };
  CompileOptions options;
  for (const int threads : {1, 2, 4}) {
    options.threads = threads;
    check(options);
  }
  on_each_machine([&](const CompileOptions& here) {
    if (runs_here(here.backends.target)) check(here);
  });
}

}  // namespace cotan::testing
