#include "backends/onednn/rest_loop.h"

#include <algorithm>

#include "graph/cluster.h"

namespace cotan::onednn {

std::optional<RestLoop> RestLoop::make(const Tail& tail, const Shape& output, const Shape& sizes, const Shape& strides) {
  RestLoop rest(tail, strides);
  for (std::size_t read : tail.rest_reads) {
    const AlongOutput& along = rest.tensors_.emplace_back(output, tail.tensors[read - 2]);
    Shape& steps = rest.tensor_strides_.emplace_back();
    for (std::size_t i = 0; i < sizes.rank(); ++i) {
      const std::optional<std::int64_t> stride = along.stride(sizes[i], strides[i]);
      if (!stride) return std::nullopt;
      steps.push_back(*stride);
    }
  }
  return rest;
}

void RestLoop::add_to(CallList& list, const Shape& sizes, std::int64_t offset) {
  auto found = std::ranges::find(loops_, sizes, &std::pair<Shape, KernelRef>::first);
  if (found == loops_.end()) {
    const View value{f32, sizes, strides_, 0};
    std::vector<View> read{value};
    for (const Shape& strides : tensor_strides_) read.push_back({f32, sizes, strides, 0});
    loops_.emplace_back(sizes, compile_loop(map_cluster(*tail_->rest, sizes.rank()), read, std::span(&value, 1), tail_->instructions));
    found = loops_.end() - 1;
  }
  // It reads the value where it writes the result.
  std::vector<std::size_t> buffers{tail_->inputs()};
  std::vector<std::int64_t> offsets{offset};
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    buffers.push_back(tail_->rest_reads[i]);
    offsets.push_back(tensors_[i].at(offset));
  }
  buffers.push_back(tail_->inputs());
  offsets.push_back(offset);
  list.add_call(list.add_loop(found->second, std::move(buffers)), offsets);
}

}  // namespace cotan::onednn
