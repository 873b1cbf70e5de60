#include <fmt/format.h>

#include <algorithm>

#include "backends/loops/cluster_tiling.h"
#include "backends/loops/jit/code_cache.h"
#include "backends/loops/jit/jit.h"
#include "backends/loops/measure.h"
#include "backends/loops/tile_program.h"

namespace cotan::loops::jit {
namespace {

using Access = Tiling::Access;

// A load or a store.
struct Operand {
  std::size_t view = 0;  // and buffer
  std::size_t element = 1;
  Level level = Level::column;
};

// A cluster's operands, loads first, as their views lie.
struct Operands {
  std::vector<Operand> all;
  std::size_t loads = 0;
};

// How often the element changes that a view gives.
Level level_of(const Tiling& tiling, std::size_t view) {
  if (tiling.columns() > 1 && tiling.inner_stride(view) != 0) return Level::column;
  const auto strides = tiling.outer_strides(view);
  return std::all_of(strides.begin(), strides.end(), [](std::int64_t s) { return s == 0; }) ? Level::call : Level::row;
}

Operands operands_of(const Cluster& cluster, std::size_t inputs, const Tiling& tiling) {
  Operands o;
  o.loads = cluster.loads.size();
  for (const ClusterLoad& l : cluster.loads) {
    const auto view = static_cast<std::size_t>(l.input);
    o.all.push_back({view, size_of(l.dtype), level_of(tiling, view)});
  }
  for (const ClusterStore& s : cluster.stores) o.all.push_back({inputs + static_cast<std::size_t>(s.output), size_of(s.dtype), Level::column});
  return o;
}

// Whether the code can run over the rows where they lie, and is not slowed down much by vectors that are not full at the rows' ends.
bool rows_will_do(const Tiling& tiling, const Operands& operands, InstructionSet set) {
  const std::int64_t columns = tiling.columns();
  bool narrow = false;
  for (const Operand& o : operands.all) {
    if (columns > 1 && o.level == Level::column && tiling.inner_stride(o.view) != 1) return false;
    narrow = narrow || o.element < 4;
  }
  if (tiling.elements() == columns) return true;
  const std::int64_t lanes = set == InstructionSet::avx512 ? 16 : 8, vectors = (columns + lanes - 1) / lanes;
  // AVX2 masks elements of 32 bits only: others are moved one by one at the end of a row.
  if (set == InstructionSet::avx2 && narrow && columns % lanes != 0 && columns < 32 * lanes) return false;
  return 5 * columns >= 4 * vectors * lanes;
}

// As the tile evaluator counts them.
int operations_of(const Cluster& cluster) {
  const auto outputs = static_cast<std::size_t>(cluster.outputs());
  return make_tile_program(cluster, std::vector<bool>(outputs, false), {outputs, std::vector<bool>(cluster.loads.size(), false)}).operations;
}

class JitKernel : public Kernel {
 public:
  [[nodiscard]] std::string name() const override { return name_; }

 protected:
  JitKernel(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, Tiling tiling, Operands operands,
            std::shared_ptr<const CompiledCode> code)
      : tiling_(std::move(tiling)), operands_(std::move(operands)), code_(std::move(code)), name_(fmt::format("jit {}", cluster.name)) {
    chunks_ = std::max<std::int64_t>(1, tiling_.chunks());
    flops_ = static_cast<double>(tiling_.elements()) * operations_of(cluster);
    for (const View& v : inputs) bytes_ += bytes_of(v);
    for (const View& v : outputs) bytes_ += bytes_of(v);
  }

  Tiling tiling_;
  Operands operands_;
  std::shared_ptr<const CompiledCode> code_;

 private:
  std::string name_;
};

// The code runs over rows where they lie in memory.
class RowsKernel final : public JitKernel {
 public:
  RowsKernel(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, Tiling tiling, Operands operands,
             std::shared_ptr<const CompiledCode> code)
      : JitKernel(cluster, inputs, outputs, std::move(tiling), std::move(operands), std::move(code)), inputs_(inputs.size()) {
    const auto sizes = tiling_.outer();
    run_ = sizes.empty() ? 1 : sizes.back();
    for (const Operand& o : operands_.all) {
      const auto strides = tiling_.outer_strides(o.view);
      row_bytes_.push_back(strides.empty() ? 0 : strides.back() * static_cast<std::int64_t>(o.element));
    }
    scratch_bytes_ = operands_.all.size() * sizeof(void*);
    if (tiling_.chunks() < 2 || cluster.stores.size() < 2) return;
    for (std::size_t s = 0; s < cluster.stores.size(); ++s)
      if (cluster.stores[s].read_elsewhere) held_elsewhere_.push_back(operands_.all[operands_.loads + s]);
  }

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
      for (const Operand& o : held_elsewhere_) take_lines(o, area, buffers);
      run_area(area, buffers, static_cast<void**>(scratch));
    }
  }

 private:
  // Brings the lines that will be stored to this core, where they are an input's (others hold nothing to be written back): a byte of each is written as it is.
  // A processor makes its stores visible in order, so in the loop itself a line that comes from another core holds up what is stored behind it, to other
  // tensors too, and few such lines are under way at a time. Side by side many are, and the loop then finds them near. (To fetch them ahead for writing does
  // not help.)
  void take_lines(const Operand& o, const Tile& area, std::span<void* const> buffers) const {
    const auto inputs = buffers.first(inputs_);
    if (std::find(inputs.begin(), inputs.end(), buffers[o.view]) == inputs.end()) return;
    const auto element = static_cast<std::int64_t>(o.element), step = std::max<std::int64_t>(1, 64 / element);
    for (std::int64_t row = area.row; row < area.row + area.rows; ++row) {
      auto* first = static_cast<volatile std::byte*>(buffers[o.view]) + tiling_.offset(o.view, {row, 1, area.column, 1}) * element;
      for (std::int64_t column = 0; column < area.columns; column += step) first[column * element] = first[column * element];
    }
  }

  // One call for each run of rows along the last of the rows' dimensions.
  void run_area(const Tile& area, std::span<void* const> buffers, void** pointers) const {
    const std::int64_t end = area.row + area.rows;
    for (std::int64_t row = area.row; row < end;) {
      const std::int64_t rows = std::min(end - row, run_ - row % run_);
      for (std::size_t k = 0; k < operands_.all.size(); ++k) {
        const Operand& o = operands_.all[k];
        pointers[k] = static_cast<std::byte*>(buffers[o.view]) + tiling_.offset(o.view, {row, 1, area.column, 1}) * static_cast<std::int64_t>(o.element);
      }
      code_->entry()(pointers, row_bytes_.data(), rows, area.columns);
      row += rows;
    }
  }

  std::size_t inputs_;
  std::vector<std::int64_t> row_bytes_;  // of each operand, along the last of the rows' dimensions
  std::int64_t run_ = 1;                 // its size
  std::vector<Operand> held_elsewhere_;  // stores, beside others, whose lines other cores may hold
};

// The code runs over tiles as over one row: what does not lie so in memory is brought together before and taken apart behind, as in the tile evaluator. For
// short rows, and for elements that are not side by side.
class TilesKernel final : public JitKernel {
 public:
  TilesKernel(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, Tiling tiling, Operands operands,
              std::shared_ptr<const CompiledCode> code)
      : JitKernel(cluster, inputs, outputs, std::move(tiling), std::move(operands), std::move(code)) {
    std::size_t bytes = (operands_.all.size() * sizeof(void*) + 63) / 64 * 64;
    for (const Operand& o : operands_.all) {
      access_.push_back(tiling_.access(o.view));
      places_.push_back(bytes);
      if (o.level == Level::column && access_.back() != Access::contiguous) bytes += static_cast<std::size_t>(tiling_.tile_limit()) * o.element;
    }
    row_bytes_.assign(operands_.all.size(), 0);
    scratch_bytes_ = bytes;
  }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override {
    auto** pointers = static_cast<void**>(scratch);
    auto place = [&](std::size_t k) { return static_cast<std::byte*>(scratch) + places_[k]; };
    const auto& all = operands_.all;
    for (std::size_t k = 0; k < operands_.loads; ++k)
      if (all[k].level == Level::column && access_[k] == Access::same)
        tiling_.gather(all[k].view, tiling_.tile(0), all[k].element, buffers[all[k].view], place(k));
    const auto [first, last] = tiling_.chunk(chunk);
    for (std::int64_t t = first; t < last; ++t) {
      const Tile tile = tiling_.tile(t);
      for (std::size_t k = 0; k < all.size(); ++k) {
        const bool direct = all[k].level == Level::call || access_[k] == Access::contiguous;
        if (direct) pointers[k] = static_cast<std::byte*>(buffers[all[k].view]) + tiling_.offset(all[k].view, tile) * static_cast<std::int64_t>(all[k].element);
        if (!direct) pointers[k] = place(k);
        if (!direct && k < operands_.loads && access_[k] == Access::strided) tiling_.gather(all[k].view, tile, all[k].element, buffers[all[k].view], place(k));
      }
      code_->entry()(pointers, row_bytes_.data(), 1, static_cast<std::int64_t>(tile.elements()));
      for (std::size_t k = operands_.loads; k < all.size(); ++k)
        if (access_[k] != Access::contiguous) tiling_.scatter(all[k].view, tile, all[k].element, place(k), buffers[all[k].view]);
    }
  }

 private:
  std::vector<Access> access_;       // of each operand
  std::vector<std::size_t> places_;  // where its tile lies in the scratch memory
  std::vector<std::int64_t> row_bytes_;
};

}  // namespace

KernelRef compile_cluster(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, InstructionSet set) {
  if (set == InstructionSet::none) return nullptr;
  Tiling tiling = cluster_tiling(cluster, inputs, outputs);
  if (tiling.elements() == 0) return nullptr;
  Operands operands = operands_of(cluster, inputs.size(), tiling);
  const bool rows = rows_will_do(tiling, operands, set);
  std::vector<Level> levels;
  for (std::size_t l = 0; l < operands.loads; ++l) {
    Level& level = operands.all[l].level;
    if (!rows && level == Level::row) level = Level::column;
    levels.push_back(level);
  }
  std::shared_ptr<const CompiledCode> code = code_for(cluster, levels, set);
  if (code == nullptr) return nullptr;
  if (rows) return std::make_shared<const RowsKernel>(cluster, inputs, outputs, std::move(tiling), std::move(operands), std::move(code));
  return std::make_shared<const TilesKernel>(cluster, inputs, outputs, std::move(tiling), std::move(operands), std::move(code));
}

}  // namespace cotan::loops::jit
