#include "backends/onednn/call_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/onednn/one_thread.h"

namespace cotan::onednn {

std::size_t CallList::add_primitive(const std::shared_ptr<const Primitive>& primitive) {
  const auto found = std::find(primitives_.begin(), primitives_.end(), primitive);
  if (found != primitives_.end()) return static_cast<std::size_t>(found - primitives_.begin());
  primitives_.push_back(primitive);
  scratch_bytes_ = std::max(scratch_bytes_, primitive->scratch_bytes());
  return primitives_.size() - 1;
}

void CallList::add_call(std::size_t primitive, std::array<std::int64_t, 2> input_offsets, std::int64_t output_offset) {
  calls_.push_back({primitive, input_offsets, output_offset});
}

void CallList::end_chunk() {
  ends_.push_back(calls_.size());
  chunks_ = static_cast<std::int64_t>(ends_.size());
}

void CallList::describe(const std::string& what, double flops, double bytes) {
  const std::string tiles = chunks_ > 1 ? fmt::format(", {} tiles", chunks_) : std::string();
  name_ = fmt::format("oneDNN {} {}{}", what, primitives_.front()->implementation(), tiles);
  flops_ = flops;
  bytes_ = bytes;
}

void CallList::run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const {
  const auto c = static_cast<std::size_t>(chunk);
  // Once around all calls: inside, the primitives' own holding to this thread costs next to nothing.
  on_one_thread([&] {
    for (std::size_t at = c == 0 ? 0 : ends_[c - 1]; at < ends_[c]; ++at) {
      const Call& call = calls_[at];
      std::array<const void*, 2> in{};
      for (std::size_t i = 0; i < inputs_.size(); ++i) in[i] = static_cast<const float*>(buffers[inputs_[i]]) + call.in[i];
      float* const out = static_cast<float*>(buffers[kernel_inputs_]) + call.out;
      primitives_[call.primitive]->run(std::span(in).first(inputs_.size()), out, scratch);
    }
  });
}

}  // namespace cotan::onednn
