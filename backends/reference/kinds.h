// One function for each kind of node that is more than a loop over elements. Floating sums and scans are float64 as they were computed: the caller rounds them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "backends/reference/reference.h"
#include "ops/sum_spec.h"

namespace cotan::reference {

// `tables` are the integer tensors that the index expressions name.
[[nodiscard]] Array run_sum(const SumSpec& spec, const ResultType& type, std::span<const Array* const> factors, std::span<const Array* const> tables);
[[nodiscard]] Array run_reduce(const ReduceSpec& spec, const ResultType& type, const Array& x);
// The running value is kept in float64. Integers wrap at each step.
[[nodiscard]] Array run_scan(const ScanSpec& spec, const Array& a, const Array& b);
[[nodiscard]] Array run_order(const OrderSpec& spec, const Array& x);
// Throws Error at the first entry out of range.
void run_check(const CheckSpec& spec, const Array& x);

// Goes to the next point of a box in row-major order; false after the last.
[[nodiscard]] bool next_point(std::span<std::int64_t> point, std::span<const std::int64_t> sizes);

// Index expressions at a point of the domain.
class IndexReader {
 public:
  explicit IndexReader(std::span<const Array* const> tables) : tables_(tables) {}
  // Nothing where a table would be read outside itself.
  [[nodiscard]] std::optional<std::int64_t> value(const IndexExpr& e, std::span<const std::int64_t> point) const;
  // The row-major position that the access names in a tensor of that shape; nothing where it is out of range.
  [[nodiscard]] std::optional<std::int64_t> position(const Access& access, const Shape& shape, std::span<const std::int64_t> point) const;

 private:
  std::span<const Array* const> tables_;
};

}  // namespace cotan::reference
