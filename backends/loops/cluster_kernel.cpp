#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "backends/loops/cluster_tiling.h"
#include "backends/loops/jit/jit.h"
#include "backends/loops/loops.h"
#include "backends/loops/measure.h"
#include "backends/loops/tile_program.h"

namespace cotan::loops {
namespace {

// Whether equal points lie at equal distances from the first one: strides of dimensions of size one do not matter.
bool walks_alike(const View& a, const View& b) {
  for (std::size_t d = 0; d < a.shape.rank(); ++d)
    if (a.shape[d] != 1 && a.strides[d] != b.strides[d]) return false;
  return true;
}

class ClusterKernel final : public Kernel {
 public:
  ClusterKernel(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs)
      : name_(fmt::format("loops {}", cluster.name)), loads_(cluster.loads), inputs_(inputs.size()), tiling_(cluster_tiling(cluster, inputs, outputs)) {
    chunks_ = std::max<std::int64_t>(1, tiling_.chunks());
    for (const ClusterLoad& l : loads_) load_access_.push_back(tiling_.access(static_cast<std::size_t>(l.input)));
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      output_sizes_.push_back(size_of(outputs[o].dtype));
      contiguous_.push_back(tiling_.access(inputs_ + o) == Tiling::Access::contiguous);
    }

    std::vector<std::vector<bool>> aliases;
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      aliases.emplace_back();
      for (std::size_t l = 0; l < loads_.size(); ++l) {
        const View& in = inputs[input_of(l)];
        aliases.back().push_back(load_access_[l] == Tiling::Access::contiguous && size_of(in.dtype) == size_of(outputs[o].dtype) &&
                                 walks_alike(in, outputs[o]));
      }
    }
    program_ = make_tile_program(cluster, contiguous_, aliases);
    place_bytes_ = static_cast<std::size_t>(tiling_.tile_limit()) * program_.element_size;
    places_bytes_ = (static_cast<std::size_t>(program_.places()) * sizeof(std::byte*) + 63) / 64 * 64;
    scratch_bytes_ = places_bytes_ + place_bytes_ * static_cast<std::size_t>(program_.places());

    const auto elements = static_cast<double>(tiling_.elements());
    flops_ = elements * program_.operations;
    for (const View& v : inputs) bytes_ += bytes_of(v);
    for (const View& v : outputs) bytes_ += bytes_of(v);
  }

  [[nodiscard]] std::string name() const override { return name_; }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override {
    auto** places = static_cast<std::byte**>(scratch);
    std::byte* memory = static_cast<std::byte*>(scratch) + places_bytes_;
    for (int p = 0; p < program_.places(); ++p) places[p] = memory + static_cast<std::size_t>(p) * place_bytes_;
    if (tiling_.elements() == 0) return;
    fill_constants(places);
    for (std::size_t l = 0; l < loads_.size(); ++l)
      if (program_.reads[l] && load_access_[l] == Tiling::Access::same)
        tiling_.gather(input_of(l), tiling_.tile(0), size_of(loads_[l].dtype), buffers[input_of(l)], places[l]);

    const auto [first, last] = tiling_.chunk(chunk);
    for (std::int64_t t = first; t < last; ++t) {
      const Tile tile = tiling_.tile(t);
      locate(tile, buffers, places);
      for (const TileInstruction& x : program_.instructions) {
        const void* in[] = {places[x.in[0]], places[x.in[1]], places[x.in[2]], places[x.in[3]]};
        x.function(places[x.out], in, tile.elements());
      }
      store(tile, buffers, places);
    }
  }

 private:
  [[nodiscard]] std::size_t input_of(std::size_t load) const { return static_cast<std::size_t>(loads_[load].input); }

  void fill_constants(std::byte** places) const {
    const std::size_t n = tiling_.tile(0).elements();
    for (std::size_t k = 0; k < program_.constants.size(); ++k) {
      const FormulaNode& c = program_.constants[k];
      visit_dtype(c.dtype, [&](auto zero) {
        using T = decltype(zero);
        auto* to = reinterpret_cast<T*>(places[static_cast<std::size_t>(program_.loads) + k]);
        std::fill(to, to + n, static_cast<T>(c.literal));
      });
    }
  }

  // Points the places of contiguous loads and outputs at the tile's memory and gathers the others.
  void locate(const Tile& tile, std::span<void* const> buffers, std::byte** places) const {
    for (std::size_t l = 0; l < loads_.size(); ++l) {
      if (!program_.reads[l]) continue;
      const std::size_t size = size_of(loads_[l].dtype);
      auto* base = static_cast<std::byte*>(buffers[input_of(l)]);
      if (load_access_[l] == Tiling::Access::contiguous)
        places[l] = base + tiling_.offset(input_of(l), tile) * static_cast<std::int64_t>(size);
      else if (load_access_[l] == Tiling::Access::strided)
        tiling_.gather(input_of(l), tile, size, base, places[l]);
    }
    for (std::size_t o = 0; o < output_sizes_.size(); ++o) {
      if (!contiguous_[o]) continue;
      auto* base = static_cast<std::byte*>(buffers[inputs_ + o]);
      places[static_cast<std::size_t>(program_.first_output()) + o] = base + tiling_.offset(inputs_ + o, tile) * static_cast<std::int64_t>(output_sizes_[o]);
    }
  }

  void store(const Tile& tile, std::span<void* const> buffers, std::byte* const* places) const {
    for (const TileStore& s : program_.stores) {
      const auto o = static_cast<std::size_t>(s.output);
      if (contiguous_[o])
        std::memmove(places[program_.first_output() + s.output], places[s.place], tile.elements() * output_sizes_[o]);
      else
        tiling_.scatter(inputs_ + o, tile, output_sizes_[o], places[s.place], buffers[inputs_ + o]);
    }
  }

  std::string name_;
  std::vector<ClusterLoad> loads_;
  std::size_t inputs_;
  std::vector<Tiling::Access> load_access_;
  std::vector<std::size_t> output_sizes_;
  std::vector<bool> contiguous_;  // outputs whose tiles are packed memory
  Tiling tiling_;
  TileProgram program_;
  std::size_t place_bytes_ = 0, places_bytes_ = 0;
};

}  // namespace

KernelRef compile_cluster(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, InstructionSet set) {
  if (KernelRef generated = jit::compile_cluster(cluster, inputs, outputs, set)) return generated;
  return compile_cluster_on_tiles(cluster, inputs, outputs);
}

KernelRef compile_cluster_on_tiles(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs) {
  return std::make_shared<const ClusterKernel>(cluster, inputs, outputs);
}

KernelRef compile_fill(double value, const View& output, InstructionSet set) {
  Cluster c;
  c.name = "fill";
  c.rank = output.shape.rank();
  c.nodes = {{Atom::constant, output.dtype, -1, -1, -1, round_to(output.dtype, value)}};
  c.stores = {{0, 0, output.dtype}};
  return compile_cluster(c, {}, std::span(&output, 1), set);
}

KernelRef compile_copy(const View& from, const View& to, InstructionSet set) {
  return compile_cluster(cast_cluster(from.dtype, to.dtype, to.shape.rank()), std::span(&from, 1), std::span(&to, 1), set);
}

}  // namespace cotan::loops
