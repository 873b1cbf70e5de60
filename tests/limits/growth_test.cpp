// A process that meets ever new shapes does not grow for ever: whatever is kept for the next time is bounded, and what the bounds let go is gone.
#include <gtest/gtest.h>

#include "autograd/evaluate.h"
#include "autograd/gradients.h"
#include "autograd/ops.h"
#include "backends/loops/jit/code_cache.h"
#include "backends/onednn/primitive_cache.h"
#include "graph/node.h"
#include "ops/formula.h"
#include "ops/intern.h"
#include "ops/sum_spec.h"

namespace cotan {
namespace {

// What a process keeps.
struct Kept {
  std::size_t programs = 0, primitives = 0, codes = 0, sums = 0, formulas = 0, nodes = 0;
};

Kept kept() {
  return {cache_statistics().entries,           onednn::kept_primitives(), loops::jit::code_counts().kept, interned_entries<SumSpec>(), interned_entries<Formula>(),
          NodeTable::current().live_nodes()};
}

constexpr std::size_t most_sums = 9000;  // after 2,100 shapes of some eight sums each

// Convolutions with their gradients, and products with softmax, over shapes that come once.
void run_shapes(int first, int count) {
  for (int i = first; i < first + count; ++i) {
    const int h = 5 + i % 40, w = 5 + i / 40 % 40, channels = 1 + i / 1600;
    const Tensor x = ones({1, channels, h, w});
    Tensor k = full({2, channels, 3, 3}, 0.5);
    k.requires_grad_();
    const Tensor loss = sum(tanh(conv2d(x, k)) * static_cast<double>(i));
    loss.backward();
    evaluate({loss, k.grad(), softmax(matmul(reshape(x, {.shape = {channels * h, w}}), full({w, 3}, 0.1)), {.dim = 1})});
  }
}

TEST(Growth, StopsWithNewShapes) {
  set_cache_capacity(32);
  run_shapes(0, 700);
  const Kept early = kept();
  run_shapes(700, 700);
  const Kept late = kept();
  EXPECT_EQ(late.programs, 32U);
  EXPECT_LE(late.primitives, 256U);
  EXPECT_LE(late.codes, loops::jit::cached_codes);
  EXPECT_LE(late.nodes, early.nodes + early.nodes / 4) << early.nodes;
  // What looks specifications up is cleared from time to time, and those that nobody holds go when their table has grown by a quarter.
  EXPECT_LE(late.formulas, early.formulas + 200) << early.formulas;
  run_shapes(1400, 700);
  const Kept last = kept();
  EXPECT_LE(last.sums, most_sums) << early.sums << ", " << late.sums;
  EXPECT_LE(last.nodes, early.nodes + early.nodes / 4) << early.nodes << ", " << late.nodes;
  set_cache_capacity(256);
}

}  // namespace
}  // namespace cotan
