#include "graph/kernel.h"

namespace cotan {

bool View::is_dense() const {
  std::int64_t expected = 1;
  for (std::size_t d = shape.rank(); d-- > 0;) {
    if (shape[d] != 1 && strides[d] != expected) return false;
    expected *= shape[d];
  }
  return true;
}

}  // namespace cotan
