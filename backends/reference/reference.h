// The reference: what every kind of node computes, as plain loops over float64.
//
// This is the truth that compiled code is tested against, so it is written to be read, not to be fast. Integers and booleans are held exactly in doubles, those
// of i64 up to 2^53 and rounded to a double beyond; f32 is rounded after each atom of a formula and once at the end of a sum, or, with `exact`, never.
#pragma once

#include <span>
#include <vector>

#include "graph/kernel.h"
#include "graph/node.h"

namespace cotan::reference {

// A dense row-major tensor.
struct Array {
  DType dtype = DType::f32;
  Shape shape;
  std::vector<double> values;

  // Zeros of that type and shape.
  [[nodiscard]] static Array zeros(DType dtype, const Shape& shape);
  bool operator==(const Array&) const = default;
};

struct Options {
  bool exact = false;            // f32 nodes are computed and kept in float64: the value that a rounded result should be near
  bool flush_subnormals = true;  // values below the smallest normal number of their type are zeros of their sign, under `exact` too
};

// The results of f, one for each of f.results, in order. `inputs` are the values of f.parameters, in order, of their types and shapes (a fault otherwise);
// unless `exact`, f32 inputs are rounded to f32. Leaves with a value (data, variable) must be among the parameters. Throws Error where a check node meets an
// entry out of range.
[[nodiscard]] std::vector<Array> evaluate(const Function& f, std::span<const Array> inputs, const Options& options = {});

// What the buffer holds; `first` is the address of the view's element (0, 0, ...).
[[nodiscard]] Array from_buffer(const void* first, const View& view);
// Writes the array's values, rounded to the view's type, into a buffer. The view's shape is the array's.
void to_buffer(const Array& array, void* first, const View& view);

}  // namespace cotan::reference
