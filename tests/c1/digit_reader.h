// The digit reader of examples/c1.cpp in any floating type, with weights of one's own, and its data.
#pragma once

#include <cotan/cotan.h>

#include <string>
#include <vector>

namespace cotan::testing {

inline constexpr std::int64_t train_size = 55000, batch_size = 1000, pixels = 784, hidden = 128, classes = 10;

struct Weights {
  std::vector<float> w1, w2;  // (784, 128) and (128, 10), row-major; the biases start at zero
};

struct Batch {
  Tensor images, labels;
};

inline Batch batch_of(const training::MnistSplit& split, std::int64_t first, std::int64_t size, DType dtype = f32) {
  Batch b{tensor(split.pixels(first, size), {size, pixels}), tensor(split.classes(first, size), {size})};
  if (dtype != f32) b.images = cast(b.images, dtype);
  evaluate({b.images});
  return b;
}

struct Net {
  Variable w1, b1, w2, b2;

  explicit Net(const Weights& weights, DType dtype = f32)
      : w1("w1", cast(tensor(weights.w1, {pixels, hidden}), dtype)),
        b1("b1", zeros({hidden}, dtype)),
        w2("w2", cast(tensor(weights.w2, {hidden, classes}), dtype)),
        b2("b2", zeros({classes}, dtype)) {}

  [[nodiscard]] std::vector<Variable> parameters() const { return {w1, b1, w2, b2}; }
  [[nodiscard]] Tensor logits(const Tensor& x) const { return matmul(relu(matmul(x, w1) + b1), w2) + b2; }
  [[nodiscard]] Tensor loss(const Batch& batch) const { return cross_entropy(logits(batch.images), batch.labels); }
  [[nodiscard]] std::int64_t right_of(const Batch& batch) const {
    const NoGrad no_grad;
    return sum(cast(argmax(logits(batch.images), {.dim = 1}) == batch.labels, i32)).item<std::int32_t>();
  }
};

// A step of plain gradient descent; the loss before it.
inline double step(const Net& net, optim::SGD& sgd, const Batch& batch) {
  const Tensor loss = net.loss(batch);
  loss.backward();
  sgd.step();
  return loss.dtype() == f64 ? loss.item<double>() : static_cast<double>(loss.item());
}

}  // namespace cotan::testing
