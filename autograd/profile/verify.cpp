#include "autograd/profile/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "autograd/profile/graphs.h"
#include "autograd/profile/observer.h"
#include "autograd/profile/options.h"
#include "autograd/tape.h"
#include "graph/fusion/fusion.h"
#include "graph/rewrite/rules_in_use.h"
#include "graph/text/words.h"
#include "ops/error.h"

namespace cotan {
namespace {

// An evaluation that can be computed again: nothing outside writes what it reads.
struct Captured {
  RecordedFunction recorded;
  std::vector<InputValue> inputs;
  CompileOptions options;
};

StorageRef copy_of(const StorageRef& from) {
  if (!from) return from;
  StorageRef to = allocate(from->bytes());
  std::memcpy(to->data(), from->data(), from->bytes());
  return to;
}

std::vector<InputValue> copies_of(std::span<const InputValue> inputs) {
  std::vector<InputValue> copies(inputs.begin(), inputs.end());
  for (InputValue& in : copies) in.storage = copy_of(in.storage);
  return copies;
}

class Capture final : public EvaluationObserver {
 public:
  RunObserver* begins(const EvaluationTrace& trace) override {
    captured.push_back({recorded_function(trace.structure, trace.roots), copies_of(trace.inputs), trace.options});
    return nullptr;
  }
  std::vector<Captured> captured;
};

using Values = std::vector<double>;

std::vector<Values> computed(const Captured& c, ExecutionMode mode, const PassSwitches& passes) {
  CompileOptions options = c.options;
  options.mode = mode;
  options.passes = passes;
  const auto program = compile_program(c.recorded.function, c.recorded.images, options);
  const std::vector<InputValue> inputs = copies_of(c.inputs);  // results may be written over them
  const std::vector<StorageRef> results = program->run(inputs);
  std::vector<Values> values;
  for (std::size_t r = 0; r < results.size(); ++r) {
    const Ref& result = c.recorded.function.results[r];
    visit_dtype(result.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto* first = static_cast<const T*>(results[r]->data());
      Values v(static_cast<std::size_t>(result.shape().elements()));
      for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(first[i]);
      values.push_back(std::move(v));
    });
  }
  return values;
}

// The distance from |v| to the next number of the type above it.
double last_place(DType dtype, double v) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  v = std::abs(v);
  if (dtype == DType::f64) return std::nextafter(v, infinity) - v;
  if (dtype == DType::f32) {
    const auto f = static_cast<float>(v);
    return static_cast<double>(std::nextafter(f, std::numeric_limits<float>::infinity())) - static_cast<double>(f);
  }
  if (dtype == DType::bf16) return std::ldexp(1.0, std::max(std::ilogb(std::max(v, 1e-40)), -126) - 7);
  return 1;
}

Errors errors_of(const Values& values, const Values& to, DType dtype) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Errors e;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double a = values[i], b = to[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (!std::isfinite(a) || !std::isfinite(b)) return {infinity, infinity, infinity};
    const double d = std::abs(a - b);
    e.absolute = std::max(e.absolute, d);
    if (b != 0) e.relative = std::max(e.relative, d / std::abs(b));
    e.ulp = std::max(e.ulp, d / last_place(dtype, b));
  }
  return e;
}

double largest_of(const Values& values) {
  double most = 0;
  for (double v : values)
    if (std::isfinite(v)) most = std::max(most, std::abs(v));
  return most;
}

bool within(const Errors& e, double largest, const VerifyOptions& options) { return e.absolute <= options.relative * largest + options.absolute; }

// The passes and fusions that the switches leave on, in the order in which they run.
std::vector<std::string> switched_on(const PassSwitches& passes) {
  std::vector<std::string> names;
  for (const Pass& p : pipeline())
    if (!p.needed && passes.enabled(p.name, p.on)) names.emplace_back(p.name);
  for (const Fusion& f : fusions())
    if (passes.enabled(f.name, true)) names.emplace_back(f.name);
  return names;
}

// Whether each result is near the reference with the first `count` of these passes on and nothing else.
bool right_with(const Captured& c, const std::vector<std::string>& names, std::size_t count, const std::vector<Values>& exact, const VerifyOptions& options) {
  std::string text = "-all";
  for (std::size_t i = 0; i < count; ++i) text += fmt::format(",+{}", names[i]);
  const std::vector<Values> values = computed(c, ExecutionMode::compiled, PassSwitches(text));
  for (std::size_t r = 0; r < values.size(); ++r)
    if (!within(errors_of(values[r], exact[r], c.recorded.function.results[r].dtype()), largest_of(exact[r]), options)) return false;
  return true;
}

// By halves: somewhere between 0, which is right, and `count`, which is not, one more makes the difference. Returns the first that is wrong.
std::size_t first_wrong(std::size_t count, const std::function<bool(std::size_t)>& right_with_first) {
  std::size_t right = 0, wrong = count;
  while (wrong - right > 1) {
    const std::size_t middle = (right + wrong) / 2;
    (right_with_first(middle) ? right : wrong) = middle;
  }
  return wrong;
}

// The first pass or fusion that makes a result wrong; where it applies rewrite rules and is right without them, the first such rule.
void find_culprit(const Captured& c, const std::vector<Values>& exact, const VerifyOptions& options, Verification& v) {
  const std::vector<std::string> names = switched_on(c.options.passes);
  v.culprit = "kernels";
  if (names.empty() || !right_with(c, names, 0, exact, options)) return;
  const std::size_t passes = first_wrong(names.size(), [&](std::size_t count) { return right_with(c, names, count, exact, options); });
  v.culprit = names[passes - 1];
  const rewrite::RuleSet& all = rewrite::rules_in_use();
  const auto right_with_rules = [&](std::size_t count) {
    std::size_t seen = 0;
    const rewrite::RuleSet some = all.those([&](const rewrite::Rule&) { return seen++ < count; });
    const rewrite::ScopedRules scoped(some);
    return right_with(c, names, passes, exact, options);
  };
  if (!all.rules().empty() && right_with_rules(0)) v.rule = all.rules()[first_wrong(all.rules().size(), right_with_rules) - 1].name;
}

}  // namespace

Verification verify(const ProfiledFunction& f, const std::vector<Tensor>& inputs, const VerifyOptions& options, std::source_location where) {
  // The site is open for messages alone: while it is, all that the function records would carry the line of this call.
  const auto refuse = [&](const std::string& problem, const std::string& remedy) {
    const CallSite site("verify", where);
    fail(problem, remedy);
  };
  if (!f) refuse("an empty function", "Give a callable");
  if (!(options.relative >= 0) || !(options.absolute >= 0))
    refuse(fmt::format("bounds of {} relative and {} absolute", options.relative, options.absolute), "Give none below 0");
  Capture capture;
  {
    ExecutionOptions watching = present_options();
    watching.observer = &capture;
    const ScopedOptions scoped(watching);
    const std::vector<Tensor> wanted = f(inputs);
    if (!wanted.empty()) evaluate_for("verify", wanted, where);
  }
  if (capture.captured.empty()) refuse("the function evaluates nothing", "Return the tensors that are to be computed, or evaluate in the function");

  Verification v;
  for (std::size_t k = 0; k < capture.captured.size(); ++k) {
    const Captured& c = capture.captured[k];
    const std::vector<Values> exact = computed(c, ExecutionMode::exact, c.options.passes);
    const std::vector<Values> fused = computed(c, ExecutionMode::compiled, c.options.passes);
    const std::vector<Values> unfused = computed(c, ExecutionMode::compiled, unfused_passes(c.options.passes));
    bool passed = true;
    for (std::size_t r = 0; r < exact.size(); ++r) {
      const Ref& result = c.recorded.function.results[r];
      VerifiedOutput out;
      out.name = capture.captured.size() == 1 ? fmt::format("result {}", r) : fmt::format("evaluation {}, result {}", k, r);
      out.type = text_form::type_text(result.dtype(), result.shape());
      const auto at = std::find(c.recorded.images.begin(), c.recorded.images.end(), result.node());
      if (at != c.recorded.images.end()) out.line = c.recorded.lines[static_cast<std::size_t>(at - c.recorded.images.begin())];
      out.largest = largest_of(exact[r]);
      out.fused = errors_of(fused[r], exact[r], result.dtype());
      out.unfused = errors_of(unfused[r], exact[r], result.dtype());
      out.fused_to_unfused = errors_of(fused[r], unfused[r], result.dtype());
      out.passed = within(out.fused, out.largest, options);
      passed &= out.passed;
      v.outputs.push_back(std::move(out));
    }
    if (passed) continue;
    v.passed = false;
    if (v.culprit.empty()) find_culprit(c, exact, options, v);
  }
  return v;
}

std::string Verification::text() const {
  std::string out = fmt::format("  {:<26} {:<18} {:>9}   {:>9} {:>9} {:>7}   {:>9} {:>9} {:>7}   {}\n", "", "type", "largest", "fused", "relative", "ULP",
                                "unfused", "relative", "ULP", "line");
  for (const VerifiedOutput& o : outputs)
    out += fmt::format("{} {:<26} {:<18} {:>9.3g}   {:>9.2g} {:>9.2g} {:>7.3g}   {:>9.2g} {:>9.2g} {:>7.3g}   {}\n", o.passed ? ' ' : '!', o.name, o.type,
                       o.largest, o.fused.absolute, o.fused.relative, o.fused.ulp, o.unfused.absolute, o.unfused.relative, o.unfused.ulp, o.line.text());
  if (passed) return out + "fused equals the reference within the bounds\n";
  return out + fmt::format("fused differs from the reference where marked with !; first wrong with: {}{}\n", culprit,
                           rule.empty() ? "" : fmt::format(", rule {}", rule));
}

}  // namespace cotan
