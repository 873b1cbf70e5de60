// From operands to recorded tensors. Internal to autograd.
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string_view>

#include "autograd/tape.h"
#include "autograd/tensor.h"
#include "graph/builder.h"
#include "ops/elementwise.h"
#include "ops/memory.h"

namespace cotan {

// The operands as nodes of this thread's graph: numbers take the type of the first tensor (f32 without one).
// An operand left out is an empty Ref. `refs` has room for each.
void resolve(std::span<const Operand> operands, std::span<Ref> refs);

// A C++ number as an operand of that type, rank 0. Throws Error where an integer type does not hold it, or a double does not hold the integer.
[[nodiscard]] Ref number_operand(const Operand& number, DType dtype);

// What memory may end in.
inline constexpr std::string_view recording = "an operation was recorded";

// Runs `body` on the operands' nodes under the user's line and wraps what it gives.
template <class Body>
Tensor record(const char* name, std::initializer_list<Operand> operands, const SourceLine& line, Body&& body) {
  const CallSite site(name, line);
  return within_memory(recording, [&] {
    std::array<Ref, 6> refs;
    resolve(std::span(operands.begin(), operands.size()), refs);
    return Tensor::wrap(body(std::span<const Ref>(refs.data(), operands.size())), line);
  });
}

// An elementwise row; the line is the first operand's.
Tensor record_row(ElementwiseId row, std::initializer_list<Operand> operands, SourceLine line = {}, std::span<const double> parameters = {});

}  // namespace cotan
