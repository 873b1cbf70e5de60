// Is what is computed right? The same values computed fused, unfused, and by plain loops in float64, compared; and if the fused ones are wrong, by which pass.
//
//   const Verification v = verify([&] { return loss(x); }, {});
//   if (!v.passed) fmt::print("{}", v.text());
#pragma once

#include <string>
#include <vector>

#include "autograd/profile/profile.h"

namespace cotan {

// What verify() takes for right.
struct VerifyOptions {
  // An element may differ from the float64 reference by `relative` times the largest magnitude in its tensor, plus `absolute`.
  double relative = 1e-4;
  double absolute = 1e-6;
};

// The largest differences over the elements of a tensor. Where one value is NaN or an infinity and the other is not the same, they are infinite.
struct Errors {
  double absolute = 0;
  double relative = 0;  // to the magnitude of the value compared with, where that is not 0
  double ulp = 0;       // in units of the last place of the tensor's type at the value compared with
};

// One tensor that the function computed.
struct VerifiedOutput {
  std::string name;         // "evaluation 0, result 1"
  std::string type;         // "f32[64,10]"
  ProfiledLine line;        // that recorded it
  double largest = 0;       // magnitude in the reference
  Errors fused;             // against the reference
  Errors unfused;           // against the reference
  Errors fused_to_unfused;  // of the fused values against the unfused ones
  bool passed = true;       // the fused values are within the bounds
};

// What verify() found.
struct Verification {
  std::vector<VerifiedOutput> outputs;
  bool passed = true;
  // Where not: the first pass or fusion, in the order in which they run, that makes an output exceed its bound when it is switched on after those before it.
  // "kernels" where that is so with all of them off.
  std::string culprit;
  // The first rewrite rule, in the order of the list, that does so, where the culprit is a pass that applies rules.
  std::string rule;

  // A table of the outputs, and the culprit.
  [[nodiscard]] std::string text() const;
};

// Runs the function once, with the thread's execution options; each evaluation in it is then computed again from the same inputs, fused, unfused and by the
// reference, and every result compared. Assignments to variables happen once. The reference is slow: small inputs are enough. It holds integers up to 2^53.
// Throws Error for a function that evaluates nothing, for bounds below 0, and what the function throws.
[[nodiscard]] Verification verify(const ProfiledFunction& f, const std::vector<Tensor>& inputs, const VerifyOptions& options = {},
                                  std::source_location where = std::source_location::current());
// The same for any callable that profile() takes.
template <class F>
  requires Profilable<std::remove_cvref_t<F>>
[[nodiscard]] Verification verify(F&& f, const std::vector<Tensor>& inputs, const VerifyOptions& options = {},
                                  std::source_location where = std::source_location::current()) {
  return verify(profiled_function(std::forward<F>(f)), inputs, options, where);
}

}  // namespace cotan
