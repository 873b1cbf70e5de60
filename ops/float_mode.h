// The mode in which the calling thread computes with floating-point numbers: how it rounds, and what becomes of numbers below the smallest normal one.
//
// Such subnormal numbers cost a hundred times what others do, and what decays towards zero (an optimizer's averages) stays among them for ever. Compiled
// programs therefore take them for zeros unless asked otherwise; docs/ir.md says what that means. The mode is a thread's, so whoever computes sets it and
// restores what was there.
#pragma once

#include <cstdint>

#include "ops/dtype.h"

namespace cotan {

// Whether v is a number of that floating type below its smallest normal one, and not 0.
[[nodiscard]] bool is_subnormal(DType dtype, double v);
// v, or zero of its sign where v rounded to that floating type is subnormal: what the type's operands and results are where programs flush. The processor's way:
// it is the number with the exponent's range unlimited that is rounded and found too small.
[[nodiscard]] double flushed(DType dtype, double v);

// A mode of floating-point arithmetic: rounding, traps, subnormal numbers.
class FloatMode {
 public:
  // The mode of programs: to nearest, no traps, subnormal numbers taken for zeros of their sign or kept.
  [[nodiscard]] static FloatMode of_programs(bool flush_subnormals);
  // The calling thread's.
  [[nodiscard]] static FloatMode current();

  // Makes it the calling thread's.
  void set() const;
  // Whether subnormal operands and results are zeros of their sign.
  [[nodiscard]] bool flushes() const;
  // The exceptions that were noted do not count.
  [[nodiscard]] bool operator==(const FloatMode& other) const;

 private:
  std::uint64_t word_ = 0;  // the processor's control register, with the exceptions noted where that holds them
};

// Computes in a mode for as long as it lives; then the thread's own one is back.
class FloatScope {
 public:
  explicit FloatScope(FloatMode mode) : before_(FloatMode::current()) { mode.set(); }
  ~FloatScope() { before_.set(); }
  FloatScope(const FloatScope&) = delete;
  FloatScope& operator=(const FloatScope&) = delete;

 private:
  FloatMode before_;
};

}  // namespace cotan
