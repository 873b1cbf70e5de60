#include "ops/sizes.h"

#include <fmt/format.h>

#include <algorithm>

#include "ops/error.h"

namespace cotan {
namespace {

constexpr const char* remedy = "Check the sizes: a tensor has at most 2^46 elements";

bool beyond(std::int64_t size) { return size > most_elements || size < -most_elements; }

}  // namespace

std::int64_t sum_of_sizes(std::int64_t a, std::int64_t b) {
  if (beyond(a) || beyond(b) || beyond(a + b)) fail(fmt::format("a size of {} + {} is too large", a, b), remedy);
  return a + b;
}

std::int64_t product_of_sizes(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (beyond(a) || beyond(b) || __builtin_mul_overflow(a, b, &product) || beyond(product)) fail(fmt::format("a size of {} * {} is too large", a, b), remedy);
  return product;
}

void require_possible(const Shape& shape) {
  std::int64_t elements = 1;
  for (const std::int64_t size : shape) {
    if (size < 0) fail(fmt::format("a negative size in shape {}", shape.text()), "Sizes are at least 0");
    if (size > 0 && elements > most_elements / size) fail(fmt::format("a tensor of shape {} is too large", shape.text()), remedy);
    elements *= std::max<std::int64_t>(size, 1);
  }
}

Shape shape_of(std::span<const std::int64_t> sizes) {
  const Shape shape(sizes);
  require_possible(shape);
  return shape;
}

}  // namespace cotan
