#include "graph/fusion/region_kernel.h"

#include <algorithm>

#include "ops/error.h"

namespace cotan {
namespace {

constexpr std::int64_t most_chunks = 64;

class RegionKernel final : public Kernel {
 public:
  RegionKernel(std::string name, Plan tile, RegionPorts ports, std::int64_t tiles, double bytes)
      : name_(std::move(name)), plan_(std::move(tile)), ports_(std::move(ports)), tiles_(tiles) {
    tiles_per_chunk_ = (tiles + most_chunks - 1) / most_chunks;
    chunks_ = (tiles + tiles_per_chunk_ - 1) / tiles_per_chunk_;
    arena_bytes_ = (plan_.arena_bytes + 63) / 64 * 64;
    for (const Step& step : plan_.steps) slots_ += step.slots.size();
    addresses_bytes_ = (slots_ * sizeof(void*) + 63) / 64 * 64;
    scratch_bytes_ = arena_bytes_ + addresses_bytes_;
    for (const Step& step : plan_.steps) {
      const int scratch = plan_.scratch_buffers[static_cast<std::size_t>(step.phase)];
      scratch_of_step_.push_back(scratch < 0 ? 0 : plan_.buffers[static_cast<std::size_t>(scratch)].offset);
    }
    for (const Step& step : plan_.steps) flops_ += step.kernel->flops() * static_cast<double>(tiles);
    bytes_ = bytes;
    output_of_buffer_.assign(plan_.buffers.size(), -1);
    for (std::size_t r = 0; r < plan_.result_buffers.size(); ++r) {
      const auto b = static_cast<std::size_t>(plan_.result_buffers[r]);
      if (plan_.buffers[b].kind != BufferKind::result || output_of_buffer_[b] >= 0) throw InternalError("a result of a region that is no buffer of its own");
      output_of_buffer_[b] = static_cast<int>(r);
    }
  }

  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] std::vector<std::string> parts() const override {
    std::vector<std::string> names;
    for (const Step& step : plan_.steps) names.push_back(step.kernel->name());
    return names;
  }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override {
    auto* arena = static_cast<std::byte*>(scratch);
    auto** addresses = reinterpret_cast<void**>(arena + arena_bytes_);
    const std::int64_t last = std::min(tiles_, (chunk + 1) * tiles_per_chunk_);
    for (std::int64_t tile = chunk * tiles_per_chunk_; tile < last; ++tile) {
      void** at = addresses;
      for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
        const Step& step = plan_.steps[s];
        for (std::size_t k = 0; k < step.slots.size(); ++k) at[k] = address(step.slots[k], tile, buffers, arena);
        for (std::int64_t c = 0; c < step.kernel->chunks(); ++c)
          step.kernel->run(c, std::span<void* const>(at, step.slots.size()), arena + scratch_of_step_[s]);
        at += step.slots.size();
      }
    }
  }

 private:
  [[nodiscard]] void* address(const Slot& slot, std::int64_t tile, std::span<void* const> buffers, std::byte* arena) const {
    const auto b = static_cast<std::size_t>(slot.buffer);
    const Buffer& buffer = plan_.buffers[b];
    const std::size_t inputs = ports_.input_steps.size();
    switch (buffer.kind) {
      case BufferKind::scratch: break;   // no slot's
      case BufferKind::constant: break;  // none in a tile's plan
      case BufferKind::arena: return arena + buffer.offset + slot.byte_offset;
      case BufferKind::parameter: {
        const auto p = static_cast<std::size_t>(buffer.index);
        return static_cast<std::byte*>(buffers[p]) + tile * ports_.input_steps[p] + slot.byte_offset;
      }
      case BufferKind::result: {
        const auto r = static_cast<std::size_t>(output_of_buffer_[b]);
        return static_cast<std::byte*>(buffers[inputs + r]) + tile * ports_.output_steps[r] + slot.byte_offset;
      }
    }
    return nullptr;
  }

  std::string name_;
  Plan plan_;
  RegionPorts ports_;
  std::int64_t tiles_ = 1, tiles_per_chunk_ = 1;
  std::size_t arena_bytes_ = 0, addresses_bytes_ = 0, slots_ = 0;
  std::vector<std::size_t> scratch_of_step_;  // its offset in the arena
  std::vector<int> output_of_buffer_;
};

}  // namespace

KernelRef make_region_kernel(std::string name, Plan tile, RegionPorts ports, std::int64_t tiles, double bytes) {
  return std::make_shared<const RegionKernel>(std::move(name), std::move(tile), std::move(ports), tiles, bytes);
}

}  // namespace cotan
