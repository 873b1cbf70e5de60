#include "ops/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cotan {

std::string Shape::text() const { return rank_ == 1 ? fmt::format("({},)", sizes_[0]) : fmt::format("({})", fmt::join(begin(), end(), ", ")); }

Shape dense_strides(const Shape& shape) {
  Shape strides = shape;
  std::int64_t stride = 1;
  for (std::size_t d = shape.rank(); d-- > 0;) {
    strides[d] = stride;
    stride *= shape[d];
  }
  return strides;
}

}  // namespace cotan
