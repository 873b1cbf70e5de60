// Clusters made at random, buffers for them, and the comparison of generated code with the tile evaluator, to the bit.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <vector>

#include "backends/loops/jit/jit.h"
#include "backends/loops/loops.h"
#include "tests/loops/buffers.h"

namespace cotan::jit_test {

using loops_test::Buffer;
using loops_test::Random;

// The instruction sets of this processor that code can be generated for.
inline std::vector<InstructionSet> instruction_sets() {
  std::vector<InstructionSet> all;
  for (const InstructionSet m : {InstructionSet::avx2, InstructionSet::avx512})
    if (m <= best_instructions()) all.push_back(m);
  return all;
}

// What generated code takes: nodes are appended by hand, so that every atom of every type can stand anywhere.
class ClusterMaker {
 public:
  explicit ClusterMaker(Random& random) : random_(random) { cluster_.name = "random"; }

  int node(Atom atom, DType dtype, int a = -1, int b = -1, int c = -1, double literal = 0) {
    cluster_.nodes.push_back({atom, dtype, a, b, c, literal});
    return static_cast<int>(cluster_.nodes.size()) - 1;
  }
  int load(DType dtype) {
    cluster_.loads.push_back({static_cast<int>(cluster_.loads.size()), dtype});
    return node(Atom::operand, dtype, static_cast<int>(cluster_.loads.size()) - 1);
  }
  int constant(DType dtype) { return node(Atom::constant, dtype, -1, -1, -1, loops_test::random_value(random_, dtype)); }
  void store(int n) { cluster_.stores.push_back({n, static_cast<int>(cluster_.stores.size()), dtype_of(n)}); }
  [[nodiscard]] DType dtype_of(int n) const { return cluster_.nodes[static_cast<std::size_t>(n)].dtype; }
  [[nodiscard]] int size() const { return static_cast<int>(cluster_.nodes.size()); }
  Cluster finish(std::size_t rank) {
    cluster_.rank = rank;
    return cluster_;
  }

  // A node of that type: one that is there, or else a constant.
  int any(DType dtype) {
    std::vector<int> fitting;
    for (int n = 0; n < size(); ++n)
      if (dtype_of(n) == dtype) fitting.push_back(n);
    if (fitting.empty() || random_.chance(0.1)) return dtype == bf16 ? node(Atom::cast, bf16, any(f32)) : constant(dtype);
    return fitting[static_cast<std::size_t>(random_.integer(0, static_cast<std::int64_t>(fitting.size()) - 1))];
  }

  // One more operation.
  int grow() {
    using enum Atom;
    switch (random_.integer(0, 9)) {
      case 0: return node(random_.pick({neg, sqrt, floor, round}), f32, any(f32));
      case 1:
      case 2:
      case 3: return node(random_.pick({add, mul, div, max, min}), f32, any(f32), any(f32));
      case 4: return node(random_.pick({exp, expm1, log, log1p, sin, cos, asin, tanh, erf, erfc, cbrt}), f32, any(f32));
      case 5: return random_.chance(0.3) ? node(random_.pick({pow, atan2}), f32, any(f32), any(f32)) : node(add, f32, any(f32), any(f32));
      case 6: {
        const DType of = random_.pick({f32, f32, i32, u8});
        return node(random_.pick({lt, le, eq}), boolean, any(of), any(of));
      }
      case 7: {
        const DType of = random_.pick({f32, f32, i32, u8, boolean});
        return node(where, of, any(boolean), any(of), any(of));
      }
      case 8: {
        if (random_.chance(0.4)) return node(random_.pick({and_, or_, xor_, eq}), boolean, any(boolean), any(boolean));
        if (random_.chance(0.2)) return node(neg, i32, any(i32));
        if (random_.chance(0.2)) return node(random_.pick({max, min}), u8, any(u8), any(u8));
        return node(random_.pick({add, mul, max, min}), i32, any(i32), any(i32));
      }
      default: {
        const DType from = random_.pick({f32, bf16, i32, u8, boolean}), to = random_.pick({f32, f32, i32, u8, bf16, boolean});
        return node(cast, from == i32 && to == bf16 ? f32 : to, any(from));
      }
    }
  }

 private:
  Random& random_;
  Cluster cluster_;
};

// How a buffer repeats its elements.
enum class Spread { full, padded_rows, every_row, every_column, everywhere };

// A buffer of the shape [rows, columns].
inline Buffer spread_buffer(DType dtype, std::int64_t rows, std::int64_t columns, Spread spread) {
  View view = View::dense(dtype, {rows, columns});
  std::int64_t span = rows * columns;
  if (spread == Spread::padded_rows) {
    view.strides = {columns + 3, 1};
    span = rows * (columns + 3);
  }
  if (spread == Spread::every_row) view.strides = {0, 1};
  if (spread == Spread::every_column) view.strides = {1, 0};
  if (spread == Spread::everywhere) view.strides = {0, 0};
  return {view, span};
}

// Buffers of a cluster's inputs and outputs.
struct Memory {
  std::vector<Buffer> in, out;

  [[nodiscard]] std::vector<View> inputs() const { return views(in); }
  [[nodiscard]] std::vector<View> outputs() const { return views(out); }
  [[nodiscard]] std::vector<void*> addresses() {
    std::vector<void*> all;
    for (Buffer& b : in) all.push_back(b.first());
    for (Buffer& b : out) all.push_back(b.first());
    return all;
  }

 private:
  static std::vector<View> views(const std::vector<Buffer>& buffers) {
    std::vector<View> all;
    for (const Buffer& b : buffers) all.push_back(b.view());
    return all;
  }
};

inline Memory random_memory(Random& random, const Cluster& cluster, std::int64_t rows, std::int64_t columns) {
  Memory m;
  for (const ClusterLoad& l : cluster.loads) {
    m.in.push_back(spread_buffer(
        l.dtype, rows, columns,
        random.pick({Spread::full, Spread::full, Spread::full, Spread::padded_rows, Spread::every_row, Spread::every_column, Spread::everywhere})));
    loops_test::fill_random(random, m.in.back());
  }
  for (const ClusterStore& s : cluster.stores) m.out.push_back(spread_buffer(s.dtype, rows, columns, random.chance(0.2) ? Spread::padded_rows : Spread::full));
  return m;
}

// Runs both on copies of the memory, and compares the outputs; nothing beside them may change.
inline void expect_same(const Cluster& cluster, const Memory& memory, InstructionSet set) {
  Memory tiles = memory, jit = memory;
  const KernelRef reference = loops::compile_cluster_on_tiles(cluster, tiles.inputs(), tiles.outputs());
  const KernelRef kernel = loops::jit::compile_cluster(cluster, jit.inputs(), jit.outputs(), set);
  ASSERT_NE(kernel, nullptr) << cluster.text();
  for (Buffer& b : jit.out) b.watch();
  loops_test::run_kernel(*reference, tiles.addresses());
  loops_test::run_kernel(*kernel, jit.addresses());
  EXPECT_EQ(kernel->chunks(), reference->chunks());
  EXPECT_EQ(kernel->flops(), reference->flops());
  EXPECT_EQ(kernel->bytes(), reference->bytes());
  for (std::size_t o = 0; o < jit.out.size(); ++o) {
    const loops_test::Array got = jit.out[o].array(), want = tiles.out[o].array();
    for (std::size_t i = 0; i < want.values.size(); ++i)
      ASSERT_TRUE(loops_test::same_bits(got.values[i], want.values[i])) << cluster.text() << name_of(set) << ", element " << i << " of " << got.shape.text()
                                                                        << ", output " << o << ": " << got.values[i] << " for " << want.values[i];
    ASSERT_TRUE(jit.out[o].untouched_elsewhere()) << cluster.text();
  }
}

}  // namespace cotan::jit_test
