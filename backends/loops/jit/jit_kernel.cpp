#include <fmt/format.h>

#include <algorithm>

#include "backends/loops/cluster_tiling.h"
#include "backends/loops/jit/code_cache.h"
#include "backends/loops/jit/jit.h"
#include "backends/loops/measure.h"
#include "backends/loops/tile_program.h"

namespace cotan::loops::jit {
namespace {

// As the tile evaluator counts them.
int operations_of(const Cluster& cluster) {
  const std::size_t outputs = static_cast<std::size_t>(cluster.outputs());
  return make_tile_program(cluster, std::vector<bool>(outputs, false), {outputs, std::vector<bool>(cluster.loads.size(), false)}).operations;
}

// How often the element changes that a view gives.
Level level_of(const Tiling& tiling, std::size_t view) {
  if (tiling.columns() > 1 && tiling.inner_stride(view) != 0) return Level::column;
  const auto strides = tiling.outer_strides(view);
  return std::all_of(strides.begin(), strides.end(), [](std::int64_t s) { return s == 0; }) ? Level::call : Level::row;
}

// A load or a store: which buffer, and its strides in bytes.
struct Operand {
  std::size_t buffer = 0;
  std::int64_t column = 0;  // bytes between columns
  std::vector<std::int64_t> outer;
};

class JitKernel final : public Kernel {
 public:
  JitKernel(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, Tiling tiling, std::shared_ptr<const CompiledCode> code)
      : name_(fmt::format("jit {}", cluster.name)), tiling_(std::move(tiling)), code_(std::move(code)) {
    chunks_ = std::max<std::int64_t>(1, tiling_.chunks());
    for (const ClusterLoad& l : cluster.loads) add_operand(static_cast<std::size_t>(l.input), size_of(l.dtype));
    for (const ClusterStore& s : cluster.stores) add_operand(inputs.size() + static_cast<std::size_t>(s.output), size_of(s.dtype));
    const auto outer = tiling_.outer();
    run_ = outer.empty() ? 1 : outer.back();
    for (const Operand& o : operands_) row_bytes_.push_back(o.outer.empty() ? 0 : o.outer.back());
    scratch_bytes_ = operands_.size() * sizeof(void*);
    flops_ = static_cast<double>(tiling_.elements()) * operations_of(cluster);
    for (const View& v : inputs) bytes_ += bytes_of(v);
    for (const View& v : outputs) bytes_ += bytes_of(v);
  }

  [[nodiscard]] std::string name() const override { return name_; }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override {
    const auto [first, last] = tiling_.chunk(chunk);
    for (std::int64_t t = first; t < last;) {
      Tile area = tiling_.tile(t++);
      // Tiles that continue it: further parts of one long row, or further rows.
      for (; t < last; ++t) {
        const Tile next = tiling_.tile(t);
        if (next.row == area.row && next.rows == area.rows) {
          area.columns += next.columns;
        } else if (next.column == area.column && next.columns == area.columns) {
          area.rows += next.rows;
        } else {
          break;
        }
      }
      run_area(area, buffers, static_cast<void**>(scratch));
    }
  }

 private:
  void add_operand(std::size_t view, std::size_t element) {
    const auto size = static_cast<std::int64_t>(element);
    Operand o{view, tiling_.inner_stride(view) * size, {}};
    for (std::int64_t s : tiling_.outer_strides(view)) o.outer.push_back(s * size);
    operands_.push_back(std::move(o));
  }

  // One call for each run of rows along the last of the rows' dimensions.
  void run_area(const Tile& area, std::span<void* const> buffers, void** pointers) const {
    const auto sizes = tiling_.outer();
    const std::int64_t end = area.row + area.rows;
    for (std::int64_t row = area.row; row < end;) {
      const std::int64_t rows = std::min(end - row, run_ - row % run_);
      for (std::size_t k = 0; k < operands_.size(); ++k) {
        const Operand& o = operands_[k];
        std::int64_t at = area.column * o.column;
        std::int64_t rest = row;
        for (std::size_t d = sizes.size(); d-- > 0; rest /= sizes[d]) at += rest % sizes[d] * o.outer[d];
        pointers[k] = static_cast<std::byte*>(buffers[o.buffer]) + at;
      }
      code_->entry()(pointers, row_bytes_.data(), rows, area.columns);
      row += rows;
    }
  }

  std::string name_;
  Tiling tiling_;
  std::shared_ptr<const CompiledCode> code_;
  std::vector<Operand> operands_;        // loads, then stores
  std::vector<std::int64_t> row_bytes_;  // of each operand, along the last of the rows' dimensions
  std::int64_t run_ = 1;                 // its size
};

}  // namespace

KernelRef compile_cluster(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, Machine machine) {
  if (machine == Machine::none) return nullptr;
  Tiling tiling = cluster_tiling(cluster, inputs, outputs);
  if (tiling.elements() == 0) return nullptr;
  std::vector<Level> levels;
  for (const ClusterLoad& l : cluster.loads) {
    const auto view = static_cast<std::size_t>(l.input);
    levels.push_back(level_of(tiling, view));
    if (levels.back() == Level::column && tiling.inner_stride(view) != 1) return nullptr;
  }
  for (const ClusterStore& s : cluster.stores)
    if (tiling.columns() > 1 && tiling.inner_stride(inputs.size() + static_cast<std::size_t>(s.output)) != 1) return nullptr;
  std::shared_ptr<const CompiledCode> code = code_for(cluster, levels, machine);
  if (code == nullptr) return nullptr;
  return std::make_shared<const JitKernel>(cluster, inputs, outputs, std::move(tiling), std::move(code));
}

}  // namespace cotan::loops::jit
