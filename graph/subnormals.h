// Whether programs compute with numbers below the smallest normal one: a setting of the process, read at the beginning of each run.
#pragma once

namespace cotan {

// Whether programs take numbers below the smallest normal one (1.2e-38 of f32, 2.2e-308 of f64) for zeros of their sign, in operands and results; so it is
// unless set otherwise, for a processor takes a hundred times longer over such numbers. docs/ir.md says what holds. Runs that begin later have it, compiled
// before or not. Threads compute so only while they run a program: the caller's own floating-point mode is as it was behind every evaluation.
void set_flush_subnormals(bool on);
// What was set.
[[nodiscard]] bool flush_subnormals();

}  // namespace cotan
