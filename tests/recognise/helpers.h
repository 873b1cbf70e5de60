// Sums made of rows and accesses, and what they are recognised as.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "autograd/differentiate.h"
#include "graph/builder.h"
#include "graph/recognise.h"

namespace cotan::testing {

inline Ref input(const std::string& name, const Shape& shape) { return graph::parameter(name, f32, shape); }

// The gradient of y by x, for a cotangent of its own name.
inline Ref gradient(const Ref& y, const Ref& x, const std::string& cotangent = "g") {
  const Ref outputs[] = {y}, seeds[] = {input(cotangent, y.shape())}, wrt[] = {x};
  return vjp(outputs, seeds, wrt)[0];
}

inline std::string class_of(const Ref& node) {
  if (node->kind != Kind::sum) return std::string(name_of(node->kind));
  return std::string(name_of(recognise(*node.node())));
}

// A sum as a specification for shapes, not brought into normal form.
struct RawSum {
  SumSpec spec;
  TensorShapes shapes;
  [[nodiscard]] std::string recognised() const { return std::string(name_of(recognise(spec, shapes))); }
};

const IndexExpr i0 = index_of(0), i1 = index_of(1), i2 = index_of(2), i3 = index_of(3), i4 = index_of(4), i5 = index_of(5);

}  // namespace cotan::testing
