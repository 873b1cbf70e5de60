#include "backends/onednn/call_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/onednn/one_thread.h"
#include "ops/error.h"

namespace cotan::onednn {

std::size_t CallList::number_of(Callee callee) {
  if (callee.buffers.size() > most_arguments) throw InternalError(fmt::format("a call with {} buffers", callee.buffers.size()));
  const auto same = [&](const Callee& c) { return c.primitive == callee.primitive && c.loop == callee.loop && c.buffers == callee.buffers; };
  const auto found = std::ranges::find_if(callees_, same);
  if (found != callees_.end()) return static_cast<std::size_t>(found - callees_.begin());
  callees_.push_back(std::move(callee));
  return callees_.size() - 1;
}

std::size_t CallList::add_primitive(const std::shared_ptr<const Primitive>& primitive, std::vector<std::size_t> inputs, std::vector<std::size_t> outputs) {
  if (inputs.size() != primitive->inputs() || outputs.size() != primitive->outputs())
    throw InternalError(
        fmt::format("a oneDNN primitive of {} inputs and {} outputs on {} and {}", primitive->inputs(), primitive->outputs(), inputs.size(), outputs.size()));
  scratch_bytes_ = std::max(scratch_bytes_, primitive->scratch_bytes());
  Callee callee{primitive, nullptr, std::move(inputs), 0};
  callee.inputs = callee.buffers.size();
  callee.buffers.insert(callee.buffers.end(), outputs.begin(), outputs.end());
  return number_of(std::move(callee));
}

std::size_t CallList::add_loop(const KernelRef& loop, std::vector<std::size_t> buffers) {
  scratch_bytes_ = std::max(scratch_bytes_, loop->scratch_bytes());
  return number_of({nullptr, loop, std::move(buffers), 0});
}

void CallList::add_call(std::size_t number, std::span<const std::int64_t> offsets) {
  if (const std::size_t due = callees_.at(number).buffers.size(); offsets.size() != due)
    throw InternalError(fmt::format("{} offsets for a call with {} buffers", offsets.size(), due));
  Call call{number, {}};
  for (std::size_t i = 0; i < offsets.size(); ++i) call.offsets[i] = offsets[i] * (i == workspace_ ? 1 : std::int64_t{sizeof(float)});
  calls_.push_back(call);
}

void CallList::start_from(std::size_t from, std::int64_t offset, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
  const Callee& last = callees_[calls_.back().callee];
  starts_.push_back({from, last.buffers[last.inputs], offset, rows, columns, stride});
}

void CallList::copy_start(const Start& start, std::span<void* const> buffers) {
  const auto* const from = static_cast<const float*>(buffers[start.from]) + start.offset;
  auto* const to = static_cast<float*>(buffers[start.to]) + start.offset;
  if (from == to) return;
  for (std::int64_t row = 0; row < start.rows; ++row) std::copy_n(from + row * start.stride, start.columns, to + row * start.stride);
}

void CallList::end_chunk() {
  ends_.push_back(calls_.size());
  chunks_ = static_cast<std::int64_t>(ends_.size());
}

void CallList::describe(const std::string& what, double flops, double bytes) {
  const std::string tiles = chunks_ > 1 ? fmt::format(", {} tiles", chunks_) : std::string();
  name_ = fmt::format("oneDNN {} {}{}", what, callees_.front().primitive->implementation(), tiles);
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
      const Callee& callee = callees_[call.callee];
      const std::size_t count = callee.buffers.size();
      std::array<void*, most_arguments> own{};
      for (std::size_t i = 0; i < count; ++i) own[i] = static_cast<std::byte*>(buffers[callee.buffers[i]]) + call.offsets[i];
      const std::span<void* const> all = std::span<void* const>(own).first(count);
      if (callee.primitive) {
        std::array<const void*, most_arguments> in{};
        std::ranges::copy(all.first(callee.inputs), in.begin());
        callee.primitive->run(std::span(in).first(callee.inputs), all.subspan(callee.inputs), scratch);
      } else {
        for (std::int64_t part = 0; part < callee.loop->chunks(); ++part) callee.loop->run(part, all, scratch);
      }
    }
  });
}

}  // namespace cotan::onednn
