#include "backends/onednn/tail.h"

#include <fmt/format.h>

namespace cotan::onednn {

std::string text_of(const Tail& tail) { return tail.names.empty() ? std::string() : fmt::format(", then {}", fmt::join(tail.names, ", ")); }

std::int64_t AlongOutput::at(std::int64_t output_offset) const {
  std::int64_t offset = 0;
  for (std::size_t i = shape_.rank(); i-- > 0;) {
    offset += output_offset % shape_[i] * strides_[i];
    output_offset /= shape_[i];
  }
  return offset;
}

std::optional<std::int64_t> AlongOutput::stride(std::int64_t size, std::int64_t output_stride) const {
  if (size == 1) return 0;
  const std::int64_t step = at(output_stride);
  for (std::int64_t i = 2; i < size; ++i)
    if (at(i * output_stride) != i * step) return std::nullopt;
  return step;
}

std::optional<std::vector<PostOp>> tied(const Tail& tail, const Shape& output, std::span<const std::int64_t> sizes, std::span<const std::int64_t> strides) {
  std::vector<PostOp> ops = tail.ops;
  std::size_t next = 0;
  for (PostOp& op : ops) {
    if (!reads_tensor(op.kind)) continue;
    const AlongOutput along(output, tail.tensors[tail.reads[next++] - 2]);
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const std::optional<std::int64_t> stride = along.stride(sizes[i], strides[i]);
      if (!stride) return std::nullopt;
      op.strides.push_back(*stride);
    }
  }
  return ops;
}

}  // namespace cotan::onednn
