#include "backends/onednn/call_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/onednn/one_thread.h"
#include "ops/error.h"

namespace cotan::onednn {

CallList::CallList(std::vector<std::size_t> inputs, std::vector<std::size_t> outputs) : inputs_(std::move(inputs)), outputs_(std::move(outputs)) {
  if (inputs_.size() + outputs_.size() > most_arguments) throw InternalError(fmt::format("a primitive of {} inputs", inputs_.size()));
  chunks_ = 0;
}

std::size_t CallList::add_primitive(const std::shared_ptr<const Primitive>& primitive) {
  const auto found = std::find(primitives_.begin(), primitives_.end(), primitive);
  if (found != primitives_.end()) return static_cast<std::size_t>(found - primitives_.begin());
  primitives_.push_back(primitive);
  scratch_bytes_ = std::max(scratch_bytes_, primitive->scratch_bytes());
  return primitives_.size() - 1;
}

void CallList::add_call(std::size_t primitive, std::span<const std::int64_t> offsets) {
  if (offsets.size() != inputs_.size() + outputs_.size())
    throw InternalError(fmt::format("{} offsets for {} inputs and {} outputs", offsets.size(), inputs_.size(), outputs_.size()));
  Call call{primitive, {}};
  for (std::size_t i = 0; i < offsets.size(); ++i) call.offsets[i] = offsets[i] * (i == workspace_ ? 1 : std::int64_t{sizeof(float)});
  calls_.push_back(call);
}

void CallList::start_from(std::size_t from, std::int64_t offset, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
  starts_.push_back({from, offset, rows, columns, stride});
}

void CallList::copy_start(const Start& start, std::span<void* const> buffers) const {
  const auto* const from = static_cast<const float*>(buffers[start.from]) + start.offset;
  auto* const to = static_cast<float*>(buffers[outputs_[0]]) + start.offset;
  if (from == to) return;
  for (std::int64_t row = 0; row < start.rows; ++row) std::copy_n(from + row * start.stride, start.columns, to + row * start.stride);
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
  if (!starts_.empty()) copy_start(starts_[c], buffers);
  // Once around all calls: inside, the primitives' own holding to this thread costs next to nothing.
  on_one_thread([&] {
    for (std::size_t at = c == 0 ? 0 : ends_[c - 1]; at < ends_[c]; ++at) {
      const Call& call = calls_[at];
      std::array<const void*, most_arguments> in{};
      std::array<void*, most_arguments> out{};
      for (std::size_t i = 0; i < inputs_.size(); ++i) in[i] = static_cast<const std::byte*>(buffers[inputs_[i]]) + call.offsets[i];
      for (std::size_t i = 0; i < outputs_.size(); ++i) out[i] = static_cast<std::byte*>(buffers[outputs_[i]]) + call.offsets[inputs_.size() + i];
      primitives_[call.primitive]->run(std::span(in).first(inputs_.size()), std::span(out).first(outputs_.size()), scratch);
    }
  });
}

}  // namespace cotan::onednn
