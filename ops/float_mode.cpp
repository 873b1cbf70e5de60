#include "ops/float_mode.h"

#include <cmath>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cotan {
namespace {

#if defined(__x86_64__)
constexpr std::uint64_t ordinary = 0x1F80;  // every exception masked, to nearest
constexpr std::uint64_t noted = 0x3F;       // exceptions that have occurred
constexpr std::uint64_t flush = 0x8040;     // results (bit 15) and operands (bit 6)
std::uint64_t read() { return _mm_getcsr(); }
void write(std::uint64_t word) { _mm_setcsr(static_cast<unsigned>(word)); }
#elif defined(__aarch64__)
constexpr std::uint64_t ordinary = 0;
constexpr std::uint64_t noted = 0;  // in a register of their own
constexpr std::uint64_t flush = std::uint64_t{1} << 24;  // FZ: operands and results
std::uint64_t read() {
  std::uint64_t word = 0;
  asm volatile("mrs %0, fpcr" : "=r"(word));
  return word;
}
void write(std::uint64_t word) { asm volatile("msr fpcr, %0" : : "r"(word)); }
#else
#error "Say here how this processor is told to flush subnormal numbers"
#endif

// The smallest normal number of a floating type, and the least number that rounds to it.
double smallest_normal(DType dtype) { return dtype == DType::f64 ? 0x1p-1022 : 0x1p-126; }
double rounds_to_normal(DType dtype) { return dtype == DType::f32 ? 0x1.ffffffp-127 : dtype == DType::bf16 ? 0x1.ffp-127 : 0x1p-1022; }

}  // namespace

bool is_subnormal(DType dtype, double v) { return is_floating(dtype) && v != 0 && std::abs(v) < smallest_normal(dtype); }
double flushed(DType dtype, double v) { return is_floating(dtype) && std::abs(v) < rounds_to_normal(dtype) ? std::copysign(0.0, v) : v; }

FloatMode FloatMode::of_programs(bool flush_subnormals) {
  FloatMode mode;
  mode.word_ = flush_subnormals ? ordinary | flush : ordinary;
  return mode;
}

FloatMode FloatMode::current() {
  FloatMode mode;
  mode.word_ = read();
  return mode;
}

bool FloatMode::operator==(const FloatMode& other) const { return (word_ | noted) == (other.word_ | noted); }
void FloatMode::set() const { write(word_); }
bool FloatMode::flushes() const { return (word_ & flush) == flush; }

}  // namespace cotan
