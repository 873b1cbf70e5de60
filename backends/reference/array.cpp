#include <fmt/format.h>

#include "backends/reference/kinds.h"
#include "ops/formula.h"
#include "ops/memory.h"

namespace cotan::reference {

Array Array::zeros(DType dtype, const Shape& shape) {
  return {dtype, shape, cotan::room_for<double>(static_cast<std::size_t>(shape.elements()), "a tensor of the reference")};
}

bool next_point(std::span<std::int64_t> point, std::span<const std::int64_t> sizes) {
  for (std::size_t d = point.size(); d-- > 0;) {
    if (++point[d] < sizes[d]) return true;
    point[d] = 0;
  }
  return false;
}

namespace {

// Calls f(number of the element in row-major order, offset of the element in the buffer).
template <class F>
void for_each_offset(const View& view, F&& f) {
  if (view.shape.elements() == 0) return;
  std::vector<std::int64_t> point(view.shape.rank(), 0);
  std::size_t i = 0;
  do {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < point.size(); ++d) offset += point[d] * view.strides[d];
    f(i++, offset);
  } while (next_point(point, view.shape));
}

}  // namespace

Array from_buffer(const void* first, const View& view) {
  Array array = Array::zeros(view.dtype, view.shape);
  visit_dtype(view.dtype, [&](auto zero) {
    using T = decltype(zero);
    for_each_offset(view, [&](std::size_t i, std::int64_t offset) { array.values[i] = static_cast<double>(static_cast<const T*>(first)[offset]); });
  });
  return array;
}

void to_buffer(const Array& array, void* first, const View& view) {
  if (array.shape != view.shape) throw InternalError(fmt::format("an array of shape {} for a view of shape {}", array.shape.text(), view.shape.text()));
  visit_dtype(view.dtype, [&](auto zero) {
    using T = decltype(zero);
    for_each_offset(view, [&](std::size_t i, std::int64_t offset) {
      const double v = round_to(view.dtype, array.values[i]);
      if constexpr (std::is_same_v<T, std::int64_t>)
        static_cast<T*>(first)[offset] = whole_number(v);
      else
        static_cast<T*>(first)[offset] = static_cast<T>(v);
    });
  });
}

}  // namespace cotan::reference
