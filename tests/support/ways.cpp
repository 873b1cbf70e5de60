#include "tests/support/ways.h"

#include <algorithm>
#include <cmath>

#include "graph/passes/explain.h"
#include "graph/threads.h"
#include "tests/support/close.h"
#include "tests/support/random.h"
#include "tests/support/run_compiled.h"

namespace cotan::testing {
namespace {

using Arrays = std::vector<reference::Array>;

double largest_of(const std::vector<double>& values) {
  double largest = 1e-3;
  for (const double v : values)
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  return largest;
}

double tolerance_of(DType dtype) { return dtype == DType::f64 ? 1e-11 : dtype == DType::f32 ? 3e-5 : dtype == DType::bf16 ? 8e-3 : 0; }

// The reference in float64 and, once it is asked for, in the program's own types.
class Expected {
 public:
  Expected(const Function& f, const Arrays& inputs) : f_(f), inputs_(inputs), exact_(reference::evaluate(f, inputs, {.exact = true})) {}

  [[nodiscard]] const Arrays& exact() const { return exact_; }
  [[nodiscard]] const Arrays& rounded() {
    if (rounded_.empty()) rounded_ = reference::evaluate(f_, inputs_);
    return rounded_;
  }
  // The reference on the graph in which views are part of the sums that read them: what a view leaves out is then no zero that is multiplied with NaN.
  [[nodiscard]] const Arrays& folded() {
    if (folded_.empty()) {
      CompileOptions options;
      options.passes = PassSwitches("-all,+fold_views,+merge_sums,+regroup");
      Function f = explain(f_, topological(f_.results), options).function;
      f.parameters = f_.parameters;
      folded_ = reference::evaluate(f, inputs_, {.exact = true});
    }
    return folded_;
  }
  // How far the two are apart.
  [[nodiscard]] double noise(std::size_t r) {
    double noise = 0;
    for (std::size_t i = 0; i < exact_[r].values.size(); ++i) {
      const double apart = std::abs(exact_[r].values[i] - rounded()[r].values[i]);
      if (std::isfinite(apart)) noise = std::max(noise, apart);
    }
    return noise;
  }

 private:
  const Function& f_;
  const Arrays& inputs_;
  Arrays exact_, rounded_, folded_;
};

// Where all of a tensor cancels, as a sum of a normalized row's gradient does, what is left are the roundings of what it was made of, in whatever order.
constexpr double nothing = 1e-9, roundings = 1e-5;

bool is_near_to(double a, double b, double bound) { return std::isfinite(a) && std::isfinite(b) ? std::abs(a - b) <= bound : same_number(a, b); }

// Where a result differs from the reference by more than its bound, and by how much of that; none: nowhere.
Failures different(std::string_view name, const Arrays& got, Expected& expected) {
  Failures failures;
  for (std::size_t r = 0; r < got.size(); ++r) {
    const std::vector<double>& want = expected.exact()[r].values;
    const double scale = largest_of(want);
    double bound = tolerance_of(got[r].dtype) * scale;
    if (got[r].dtype == DType::f32 && std::ranges::all_of(want, [](double v) { return std::abs(v) < nothing; })) bound = roundings;
    const auto is_near = [&](std::size_t i) { return is_near_to(got[r].values[i], want[i], bound); };
    bool widened = false;
    std::size_t count = 0, first = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      if (is_near(i)) continue;
      if (!widened) {
        widened = true;
        if (is_floating(got[r].dtype)) bound = std::max(bound, 50 * expected.noise(r));
        if (is_near(i)) continue;
      }
      // Beyond what the type holds float64 has numbers yet.
      if (same_number(got[r].values[i], expected.rounded()[r].values[i])) continue;
      if (std::isnan(want[i]) && is_near_to(got[r].values[i], expected.folded()[r].values[i], bound)) continue;
      if (count++ == 0) first = i;
    }
    if (count > 0)
      failures.push_back(fmt::format("{}: result {} of {} {}: {} of {} entries differ; at {} got {}, expected {} (largest {})", name, r,
                                     name_of(got[r].dtype), got[r].shape.text(), count, want.size(), first, got[r].values[first], want[first], scale));
  }
  return failures;
}

// Whether the reference jumps by more than the bounds where the inputs move by about a rounding.
bool stands_at_edge(const Function& f, const Arrays& inputs, Expected& expected) {
  Random random(1);
  for (int trial = 0; trial < 12; ++trial) {
    Arrays moved = inputs;
    for (reference::Array& a : moved)
      if (is_floating(a.dtype))
        for (double& v : a.values) v *= 1 + random.uniform(-1, 1) * (a.dtype == DType::f64 ? 1e-14 : 2e-6);
    if (!different("moved", reference::evaluate(f, moved, {.exact = true}), expected).empty()) return true;
  }
  return false;
}

bool same_bits(const Arrays& a, const Arrays& b) {
  for (std::size_t r = 0; r < a.size(); ++r)
    for (std::size_t i = 0; i < a[r].values.size(); ++i)
      if (!same_number(a[r].values[i], b[r].values[i], true)) return false;
  return true;
}

}  // namespace

Comparison compare_ways(const Function& f, const Arrays& inputs, std::span<const Way> ways) {
  Comparison c;
  Expected expected(f, inputs);
  const Way* reproducible = nullptr;
  Arrays bits;
  for (const Way& way : ways) {
    try {
      set_threads(way.options.threads);
      const Arrays got = run_compiled(f, inputs, way.options);
      append(c.failures, different(way.name, got, expected));
      if (!way.options.backends.reproducible) continue;
      if (reproducible != nullptr && !same_bits(got, bits)) c.failures.push_back(fmt::format("{}: other bits than {}", way.name, reproducible->name));
      reproducible = &way;
      bits = got;
    } catch (const std::exception& e) {
      c.failures.push_back(fmt::format("{}: {}", way.name, e.what()));
      break;
    }
  }
  set_threads(0);
  if (c.failures.empty()) return c;
  const bool all_values = std::ranges::all_of(c.failures, [](const std::string& s) { return s.find("entries differ") != std::string::npos; });
  if (all_values && stands_at_edge(f, inputs, expected)) return {{}, true};
  return c;
}

}  // namespace cotan::testing
