// Small models of three kinds, whose parts can be checkpointed: classification by two layers, by convolutions, and a transformer block. And the example models
// (training/models.h) at their own size, of which the whole loss can be.
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cotan/cotan.h"
#include "training/models.h"

namespace cotan::testing {

struct SmallModel {
  std::vector<Variable> parameters;
  std::shared_ptr<optim::Optimizer> optimizer;
  std::function<Tensor()> loss;

  [[nodiscard]] Tensor step() const {
    const Tensor value = loss();
    value.backward();
    optimizer->step();
    return value;
  }
};

// Makes tensors and variables from one generator, so that two models of one kind begin alike.
class Maker {
 public:
  Variable weights(const Shape& shape, double std) { return {"w", normal(shape, {.std = std}, generator_)}; }
  Variable filled(const Shape& shape, double value) { return {"b", full(shape, value)}; }
  Tensor data(const Shape& shape) { return constant(normal(shape, {}, generator_)); }
  Tensor labels(std::int64_t count) { return constant(randint(0, 10, {count}, {.dtype = i32}, generator_)); }

 private:
  Generator generator_{17};
};

// f, or f computed again for its gradient.
inline std::function<Tensor(const Tensor&)> part(bool checkpointed, std::function<Tensor(const Tensor&)> f) {
  if (!checkpointed) return f;
  return [f](const Tensor& x) { return checkpoint(f)(x); };
}

inline SmallModel two_layers(bool checkpointed) {
  Maker make;
  const Variable w1 = make.weights({784, 128}, 0.04), b1 = make.filled({128}, 0.01), w2 = make.weights({128, 10}, 0.1), b2 = make.filled({10}, 0);
  const Tensor x = make.data({64, 784}), target = make.labels(64);
  const auto hidden = part(checkpointed, [=](const Tensor& h) { return relu(matmul(h, w1) + b1); });
  std::vector<Variable> all{w1, b1, w2, b2};
  return {all, std::make_shared<optim::SGD>(all, optim::SGDOptions{.lr = 0.05}), [=] { return cross_entropy(matmul(hidden(x), w2) + b2, target); }};
}

inline SmallModel convolutions(bool checkpointed) {
  Maker make;
  const Variable k1 = make.weights({16, 1, 5, 5}, 0.2), b1 = make.filled({16}, 0.01), k2 = make.weights({32, 16, 5, 5}, 0.05), b2 = make.filled({32}, 0);
  const Variable w = make.weights({32 * 7 * 7, 10}, 0.03), b = make.filled({10}, 0);
  const Tensor x = make.data({8, 1, 28, 28}), target = make.labels(8);
  const auto first = part(checkpointed, [=](const Tensor& h) { return max_pool2d(relu(conv2d(h, k1, b1, {.padding = 2})), {.kernel_size = 2}); });
  const auto second = part(checkpointed, [=](const Tensor& h) { return max_pool2d(relu(conv2d(h, k2, b2, {.padding = 2})), {.kernel_size = 2}); });
  std::vector<Variable> all{k1, b1, k2, b2, w, b};
  return {all, std::make_shared<optim::Adam>(all), [=] { return cross_entropy(matmul(reshape(second(first(x)), {.shape = {8, 32 * 7 * 7}}), w) + b, target); }};
}

inline SmallModel transformer_block(bool checkpointed) {
  constexpr std::int64_t batch = 2, steps = 32, width = 64, heads = 4, head = width / heads;
  Maker make;
  const Variable g1 = make.filled({width}, 1), b1 = make.filled({width}, 0), g2 = make.filled({width}, 1), b2 = make.filled({width}, 0);
  const Variable qkv = make.weights({width, 3 * width}, 0.1), out = make.weights({width, width}, 0.1), up = make.weights({width, 4 * width}, 0.1),
                 down = make.weights({4 * width, width}, 0.05), bias = make.filled({4 * width}, 0.02);
  const Tensor x = make.data({batch, steps, width}), y = make.data({batch, steps, width});
  const auto attention = part(checkpointed, [=](const Tensor& in) {
    const Tensor split = permute(reshape(matmul(layer_norm(in, g1, b1, {.normalized_shape = {width}}), qkv), {.shape = {batch, steps, 3, heads, head}}),
                                 {.dims = {2, 0, 3, 1, 4}});
    auto third = [&](std::int64_t i) { return select(split, {.dim = 0, .index = i}); };
    const Tensor scores = matmul(third(0), transpose(third(1), {.dim0 = 2, .dim1 = 3})) * (1 / std::sqrt(static_cast<double>(head)));
    const Tensor mixed = reshape(permute(matmul(softmax(scores, {.dim = -1}), third(2)), {.dims = {0, 2, 1, 3}}), {.shape = {batch, steps, width}});
    return in + matmul(mixed, out);
  });
  const auto feed_forward =
      part(checkpointed, [=](const Tensor& in) { return in + matmul(gelu(matmul(layer_norm(in, g2, b2, {.normalized_shape = {width}}), up) + bias), down); });
  std::vector<Variable> all{g1, b1, g2, b2, qkv, out, up, down, bias};
  return {all, std::make_shared<optim::Adam>(all), [=] { return mean(square(feed_forward(attention(x)) - y)); }};
}

// An example model, drawn from one seed.
inline SmallModel example(const char* name, bool checkpointed) {
  manual_seed(17);
  const training::Model model = training::model(name).make();
  const Tensor x = constant(model.inputs[0]), y = constant(model.inputs[1]);
  const auto loss = part(checkpointed, [=](const Tensor& in) { return model.loss({in, y}); });
  return {model.optimizer->parameters(), model.optimizer, [=] { return loss(x); }};
}

}  // namespace cotan::testing
