// Loops that end in sums: the loop runs over tiles that stay in the first cache, and what is added up is a tile that nobody else sees.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "backends/loops/closed_lines.h"
#include "backends/loops/jit/jit.h"
#include "backends/loops/loops.h"
#include "backends/loops/measure.h"

namespace cotan {
namespace loops {
namespace {

constexpr std::int64_t tile_elements = 2048;

std::size_t in_lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

// The cluster with a further output for each value that is added up.
struct Stored {
  Cluster cluster;
  std::vector<std::size_t> output_of;  // of each sum: which of them it adds up
  std::vector<DType> dtypes;           // of each of them
};

Stored with_stores(const Cluster& cluster, std::span<const LoopSum> sums) {
  Stored made{cluster, {}, {}};
  const int own = cluster.outputs();
  std::vector<int> values;
  for (const LoopSum& s : sums) {
    const auto found = std::find(values.begin(), values.end(), s.value);
    made.output_of.push_back(static_cast<std::size_t>(found - values.begin()));
    if (found != values.end()) continue;
    const DType dtype = cluster.nodes[static_cast<std::size_t>(s.value)].dtype;
    made.cluster.stores.push_back({s.value, own + static_cast<int>(values.size()), dtype});
    made.dtypes.push_back(dtype);
    values.push_back(s.value);
  }
  return made;
}

// Some lines, or a part of one.
struct Piece {
  std::int64_t line = 0, lines = 1, column = 0, columns = 0;
};

class ClosedKernel final : public Kernel {
 public:
  ClosedKernel(const Cluster& cluster, std::span<const LoopSum> sums, std::span<const View> inputs, std::span<const View> outputs, InstructionSet set)
      : inputs_(inputs.size()),
        set_(set),
        stored_(with_stores(cluster, sums)),
        sums_(closing_sums(cluster, sums, domain_of(cluster, inputs, outputs), outputs.subspan(static_cast<std::size_t>(cluster.outputs())))),
        lines_(cluster, inputs, outputs, sums_) {
    name_ = fmt::format("loops {} and {} sums", cluster.name, sums.size());
    for (const View& v : inputs) views_.push_back(v);
    for (const View& v : outputs.first(static_cast<std::size_t>(cluster.outputs()))) views_.push_back(v);
    chunks_ = lines_.chunks();
    compile_pieces();

    for (std::size_t k = 0; k < sums.size(); ++k) flops_ += static_cast<double>(lines_.elements());
    for (const View& v : inputs) bytes_ += bytes_of(v);
    for (const View& v : outputs) bytes_ += bytes_of(v);
    std::size_t at = in_lines((views_.size() + stored_.dtypes.size()) * sizeof(void*));
    for (const DType d : stored_.dtypes) {
      tile_at_.push_back(at);
      at += in_lines(static_cast<std::size_t>(most_) * size_of(d));
    }
    for (const ClosingSum& s : sums_) {
      state_at_.push_back(at);
      at += in_lines(s.state_bytes());
    }
    own_scratch_ = at;
    scratch_bytes_ += at;
  }

  [[nodiscard]] std::string name() const override { return name_; }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override {
    auto** addresses = static_cast<void**>(scratch);
    auto* memory = static_cast<std::byte*>(scratch);
    for (std::size_t k = 0; k < tile_at_.size(); ++k) addresses[views_.size() + k] = memory + tile_at_[k];
    const std::span<void* const> all(addresses, views_.size() + tile_at_.size());
    for_each_piece(chunk, [&](const Piece& p) {
      for (std::size_t v = 0; v < views_.size(); ++v)
        addresses[v] = static_cast<std::byte*>(buffers[v]) + lines_.offset(v, p.line, p.column) * static_cast<std::int64_t>(size_of(views_[v].dtype));
      const Kernel& kernel = *pieces_.at({p.lines, p.columns});
      for (std::int64_t c = 0; c < kernel.chunks(); ++c) kernel.run(c, all, memory + own_scratch_);
      const std::int64_t first = p.line * lines_.length() + p.column;
      for (std::size_t k = 0; k < sums_.size(); ++k)
        sums_[k].add(memory + tile_at_[stored_.output_of[k]], first, p.lines * p.columns, memory + state_at_[k], buffers[views_.size() + k]);
    });
  }

 private:
  template <class F>
  void for_each_piece(std::int64_t chunk, F&& f) const {
    const std::int64_t length = lines_.length();
    const auto [first, last] = lines_.chunk(chunk);
    for (std::int64_t line = first; line < last;) {
      if (length > tile_elements) {
        for (std::int64_t column = 0; column < length; column += tile_elements) f(Piece{line, 1, column, std::min(tile_elements, length - column)});
        ++line;
      } else {
        const std::int64_t lines = std::min({tile_elements / length, last - line, lines_.run_from(line)});
        f(Piece{line, lines, 0, length});
        line += lines;
      }
    }
  }

  // A kernel for each size of a piece.
  void compile_pieces() {
    for (std::int64_t c = 0; c < chunks_; ++c)
      for_each_piece(c, [&](const Piece& p) {
        KernelRef& kernel = pieces_[{p.lines, p.columns}];
        if (kernel == nullptr) kernel = compile_piece(p);
        flops_ += kernel->flops();
      });
  }

  KernelRef compile_piece(const Piece& p) {
    std::vector<View> views;
    for (std::size_t v = 0; v < views_.size(); ++v) views.push_back({views_[v].dtype, {p.lines, p.columns}, {lines_.line_step(v), lines_.step(v)}, 0});
    for (const DType d : stored_.dtypes) views.push_back(View::dense(d, {p.lines, p.columns}));
    const auto in = std::span<const View>(views).first(inputs_), out = std::span<const View>(views).subspan(inputs_);
    KernelRef kernel = jit::compile_cluster(stored_.cluster, in, out, set_);
    if (kernel == nullptr) kernel = compile_cluster_on_tiles(stored_.cluster, in, out);
    most_ = std::max(most_, p.lines * p.columns);
    scratch_bytes_ = std::max(scratch_bytes_, kernel->scratch_bytes());
    return kernel;
  }

  std::size_t inputs_;
  InstructionSet set_;
  Stored stored_;
  std::vector<ClosingSum> sums_;
  DomainLines lines_;
  std::string name_;
  std::vector<View> views_;                                            // inputs, then the cluster's own outputs
  std::int64_t most_ = 0;                                              // elements of a piece
  std::map<std::pair<std::int64_t, std::int64_t>, KernelRef> pieces_;  // by lines and columns
  std::vector<std::size_t> tile_at_, state_at_;                        // in the scratch memory
  std::size_t own_scratch_ = 0;                                        // what of it is the kernel's own
};

}  // namespace

KernelRef compile_closed(const Cluster& cluster, std::span<const LoopSum> sums, std::span<const View> inputs, std::span<const View> outputs,
                         InstructionSet set) {
  if (KernelRef generated = jit::compile_closed(cluster, sums, inputs, outputs, set)) return generated;
  return compile_closed_on_tiles(cluster, sums, inputs, outputs, set);
}

KernelRef compile_closed_on_tiles(const Cluster& cluster, std::span<const LoopSum> sums, std::span<const View> inputs, std::span<const View> outputs,
                                  InstructionSet set) {
  return std::make_shared<const ClosedKernel>(cluster, sums, inputs, outputs, set);
}

}  // namespace loops

KernelRef compile_loop(const Cluster& cluster, std::span<const LoopSum> sums, std::span<const View> inputs, std::span<const View> outputs,
                       InstructionSet set) {
  return loops::compile_closed(cluster, sums, inputs, outputs, set);
}

}  // namespace cotan
