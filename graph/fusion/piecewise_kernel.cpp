#include "graph/fusion/piecewise_kernel.h"

#include <algorithm>
#include <utility>

namespace cotan {
namespace {

// What is worth a chunk of its own: at memory's speed a few times what it costs to hand one out.
constexpr double worth_a_chunk = 65536;
// By how much a chunk may exceed the greatest of the chunks in it, so that small ones join large ones.
constexpr double excess = 1.25;

class PiecewiseKernel final : public Kernel {
 public:
  PiecewiseKernel(std::string name, std::vector<KernelPiece> pieces) : name_(std::move(name)), pieces_(std::move(pieces)) {
    std::size_t most_buffers = 0;
    for (const KernelPiece& p : pieces_) {
      most_buffers = std::max(most_buffers, p.buffers.size());
      scratch_bytes_ = std::max(scratch_bytes_, p.kernel->scratch_bytes());
      flops_ += p.kernel->flops();
      bytes_ += p.kernel->bytes();
    }
    addresses_bytes_ = (most_buffers * sizeof(void*) + 63) / 64 * 64;
    scratch_bytes_ += addresses_bytes_;
    cut();
    chunks_ = static_cast<std::int64_t>(ends_.size());
  }

  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] std::vector<std::string> parts() const override {
    std::vector<std::string> names;
    for (const KernelPiece& p : pieces_) names.push_back(p.kernel->name());
    return names;
  }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override {
    auto** own = static_cast<void**>(scratch);
    const auto c = static_cast<std::size_t>(chunk);
    for (std::size_t r = c == 0 ? 0 : ends_[c - 1]; r < ends_[c]; ++r) {
      const KernelPiece& piece = pieces_[runs_[r].piece];
      for (std::size_t k = 0; k < piece.buffers.size(); ++k) own[k] = static_cast<std::byte*>(buffers[piece.buffers[k]]) + piece.offsets[k];
      for (std::int64_t i = runs_[r].first; i < runs_[r].last; ++i)
        piece.kernel->run(i, std::span<void* const>(own, piece.buffers.size()), static_cast<std::byte*>(scratch) + addresses_bytes_);
    }
  }

 private:
  // Some neighbouring chunks of one piece.
  struct Run {
    std::size_t piece = 0;
    std::int64_t first = 0, last = 0;
  };

  void cut() {
    double bytes = 0, greatest = 0;  // of the chunk at hand
    for (std::size_t p = 0; p < pieces_.size(); ++p) {
      const std::int64_t chunks = pieces_[p].kernel->chunks();
      const double each = pieces_[p].kernel->bytes() / static_cast<double>(std::max<std::int64_t>(1, chunks));
      for (std::int64_t i = 0; i < chunks; ++i) {
        greatest = std::max(greatest, each);
        if (bytes > 0 && bytes + each > std::max(worth_a_chunk, excess * greatest)) {
          ends_.push_back(runs_.size());
          bytes = 0, greatest = each;
        }
        const bool goes_on = !runs_.empty() && runs_.back().piece == p && (ends_.empty() || ends_.back() < runs_.size());
        if (goes_on)
          runs_.back().last = i + 1;
        else
          runs_.push_back({p, i, i + 1});
        bytes += each;
      }
    }
    if (!runs_.empty()) ends_.push_back(runs_.size());
  }

  std::string name_;
  std::vector<KernelPiece> pieces_;
  std::vector<Run> runs_;          // of all chunks
  std::vector<std::size_t> ends_;  // where each chunk's end
  std::size_t addresses_bytes_ = 0;
};

}  // namespace

KernelRef make_piecewise_kernel(std::string name, std::vector<KernelPiece> pieces) {
  return std::make_shared<const PiecewiseKernel>(std::move(name), std::move(pieces));
}

}  // namespace cotan
