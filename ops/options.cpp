#include "ops/options.h"

#include <fmt/format.h>

#include "ops/error.h"

namespace cotan {
namespace {

template <class T>
const T& value_of(const Attribute& from) {
  const T* given = std::get_if<T>(&from);
  if (given == nullptr) fail("an attribute of the wrong type", "Write it as the operation's row declares it");
  return *given;
}

}  // namespace

void from_attribute(const Attribute& from, bool& to) { to = value_of<bool>(from); }
void from_attribute(const Attribute& from, double& to) { to = value_of<double>(from); }
void from_attribute(const Attribute& from, std::int64_t& to) { to = value_of<std::int64_t>(from); }
void from_attribute(const Attribute& from, std::string& to) { to = value_of<std::string>(from); }
void from_attribute(const Attribute& from, Sizes& to) { to = value_of<Sizes>(from); }
void from_attribute(const Attribute& from, Dim& to) { to = value_of<std::int64_t>(from); }
void from_attribute(const Attribute& from, Dims& to) { to = std::holds_alternative<std::monostate>(from) ? Dims() : Dims(value_of<Sizes>(from)); }

void require_count(const Sizes& sizes, std::size_t count) {
  if (sizes.size() != count) fail(fmt::format("{} numbers for {} dimensions", sizes.size(), count), "Give one for each");
}

std::int64_t resolve_dim(std::int64_t dim, std::size_t rank) {
  const auto r = static_cast<std::int64_t>(rank);
  if (dim < -r || dim >= r)
    fail(fmt::format("dimension {} of a tensor with {} dimensions", dim, rank),
         rank == 0 ? "A scalar has no dimensions" : fmt::format("Dimensions run from {} to {}", -r, r - 1));
  return dim < 0 ? dim + r : dim;
}

void require_dim_of_scalar(std::int64_t dim) {
  if (dim != 0 && dim != -1) fail(fmt::format("dimension {} of a scalar", dim), "A scalar counts as a vector of one entry: its dimension is 0, or -1");
}

std::vector<bool> Dims::among(std::size_t rank) const {
  std::vector<bool> meant(rank, all_);
  if (rank == 0) {
    for (std::int64_t dim : dims_) require_dim_of_scalar(dim);
    if (dims_.size() > 1) fail("dimension 0 is named twice", "Name each dimension once");
    return meant;
  }
  for (std::int64_t dim : dims_) {
    const auto d = static_cast<std::size_t>(resolve_dim(dim, rank));
    if (meant[d]) fail(fmt::format("dimension {} is named twice", d), "Name each dimension once");
    meant[d] = true;
  }
  return meant;
}

Shape broadcast_shapes(const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  for (std::size_t d = 0; d < shorter.rank(); ++d) {
    std::int64_t& size = out[longer.rank() - shorter.rank() + d];
    if (size == 1)
      size = shorter[d];
    else if (shorter[d] != 1 && shorter[d] != size)
      fail(fmt::format("shapes {} and {} do not broadcast", a.text(), b.text()),
           "Sizes, aligned at the last dimension, must be equal or 1: reshape or slice one of the tensors");
  }
  return out;
}

}  // namespace cotan
