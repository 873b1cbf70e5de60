// The end of a tail that a loop of our own computes, over the part of a result that a primitive has just written and that is still in the cache.
#pragma once

#include <utility>

#include "backends/onednn/call_list.h"
#include "backends/onednn/tail.h"

namespace cotan::onednn {

// Of a result's bytes that a loop is to find in its core's cache, so many are made before it runs.
constexpr std::int64_t bytes_before_a_loop = 256 << 10;

// How many parts something of so many elements is made in, a loop behind each.
[[nodiscard]] constexpr std::int64_t parts_before_loops(std::int64_t elements) {
  return (elements * std::int64_t{sizeof(float)} + bytes_before_a_loop - 1) / bytes_before_a_loop;
}

class RestLoop {
 public:
  // Of a kernel whose output is of that shape, dense, walked in these sizes and strides. None where a tensor of the rest does not follow them.
  [[nodiscard]] static std::optional<RestLoop> make(const Tail& tail, const Shape& output, const Shape& sizes, const Shape& strides);

  // Appends the loop over a part of these sizes at that offset of the output.
  void add_to(CallList& list, const Shape& sizes, std::int64_t offset);

 private:
  RestLoop(const Tail& tail, const Shape& strides) : tail_(&tail), strides_(strides) {}

  const Tail* tail_;
  Shape strides_;                                   // of the output
  std::vector<AlongOutput> tensors_;                // that the rest reads
  std::vector<Shape> tensor_strides_;               // along the output's dimensions
  std::vector<std::pair<Shape, KernelRef>> loops_;  // by sizes
};

}  // namespace cotan::onednn
