// Batches of no rows: every layer gives a result of none, and gradients of zeros.
#include <gtest/gtest.h>

#include <functional>

#include "autograd/gradients.h"
#include "autograd/nn/attention.h"
#include "autograd/nn/linear.h"
#include "autograd/nn/normalization.h"
#include "autograd/nn/operations.h"
#include "autograd/nn/recurrent.h"
#include "autograd/ops.h"

namespace cotan::nn {
namespace {

struct EmptyBatch {
  const char* name;
  Shape x, y;
  // The layer's result; its parameters are appended.
  std::function<Tensor(const Tensor& x, std::vector<Operand>& parameters)> apply;
};
void PrintTo(const EmptyBatch& c, std::ostream* os) { *os << c.name; }

template <class L>
std::function<Tensor(const Tensor&, std::vector<Operand>&)> evaluated(const std::function<L()>& make) {
  return [make](const Tensor& x, std::vector<Operand>& parameters) {
    const L layer = make();
    layer.eval();
    for (const Variable& p : layer.parameters()) parameters.emplace_back(p);
    if constexpr (std::is_same_v<L, LSTM> || std::is_same_v<L, GRU>)
      return layer(x).output;
    else
      return Tensor(layer(x));
  };
}

std::vector<EmptyBatch> empty_batches() {
  return {
      {"Linear", {0, 4}, {0, 3}, evaluated<Linear>([] { return Linear(4, 3); })},
      {"LinearOfSequences", {0, 5, 4}, {0, 5, 3}, evaluated<Linear>([] { return Linear(4, 3); })},
      {"Conv2d", {0, 3, 6, 6}, {0, 4, 4, 4}, evaluated<Conv2d>([] { return Conv2d(3, 4, {.kernel_size = 3}); })},
      {"BatchNorm2d", {0, 3, 4, 4}, {0, 3, 4, 4}, evaluated<BatchNorm2d>([] { return BatchNorm2d(3); })},
      {"GroupNorm", {0, 4, 5}, {0, 4, 5}, evaluated<GroupNorm>([] { return GroupNorm(2, 4); })},
      {"LayerNorm", {0, 5, 4}, {0, 5, 4}, evaluated<LayerNorm>([] { return LayerNorm(4); })},
      {"GELU", {0, 5}, {0, 5}, evaluated<GELU>([] { return GELU(); })},
      {"Dropout", {0, 5}, {0, 5}, evaluated<Dropout>([] { return Dropout(); })},
      {"LSTM", {7, 0, 4}, {7, 0, 3}, evaluated<LSTM>([] { return LSTM(4, 3); })},
      {"GRU", {7, 0, 4}, {7, 0, 3}, evaluated<GRU>([] { return GRU(4, 3); })},
      {"TransformerEncoderLayer",
       {0, 7, 8},
       {0, 7, 8},
       evaluated<TransformerEncoderLayer>([] { return TransformerEncoderLayer(8, 2, {.dim_feedforward = 16, .batch_first = true}); })},
      {"TransformerEncoderLayerTraining",
       {7, 0, 8},
       {7, 0, 8},
       [](const Tensor& x, std::vector<Operand>& parameters) {
         const TransformerEncoderLayer layer(8, 2, {.dim_feedforward = 16});
         for (const Variable& p : layer.parameters()) parameters.emplace_back(p);
         return layer(x);
       }},
  };
}

class EmptyBatches : public ::testing::TestWithParam<EmptyBatch> {};

TEST_P(EmptyBatches, GiveNothingAndGradientsOfZeros) {
  const EmptyBatch& c = GetParam();
  const Tensor x = zeros(c.x).requires_grad_();
  std::vector<Operand> wrt{x};
  const Tensor y = c.apply(x, wrt);
  EXPECT_EQ(y.shape(), c.y);
  EXPECT_TRUE(y.to_vector().empty());
  const std::vector<Tensor> all = gradients(sum(y), wrt);
  EXPECT_EQ(all[0].shape(), c.x);
  for (const Tensor& g : all)
    for (const float v : g.to_vector()) EXPECT_EQ(v, 0);
}

INSTANTIATE_TEST_SUITE_P(All, EmptyBatches, ::testing::ValuesIn(empty_batches()), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace cotan::nn
