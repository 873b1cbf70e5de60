// Small models with their training step, as the examples, the benchmarks and `cotan profile --example` use them.
//
//   c1, c1_1000    784 -> 128 relu -> 10, cross entropy, plain gradient descent; batches of 64 and of 1000
//   mlp            784 -> 1024 relu -> 1024 relu -> 10, batch 128, Adam
//   cnn            two 5x5 convolutions (32, 64 channels) with relu and max pooling, 3136 -> 512 relu -> 10, batch 64, Adam
//   transformer    one block of width 256, 4 heads, 8 sequences of 128, Adam
//   elementwise    a chain of elementwise functions over 1024 x 1024, plain gradient descent
//   norm           layer norm and softmax over 1024 x 1024, plain gradient descent
//
// Inputs are random; what they compute is what is measured, not what they learn.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "autograd/optim/optimizer.h"
#include "autograd/tensor.h"

namespace cotan::training {

// What a model is trained on: the data, then the labels or the values to be met.
using Inputs = std::vector<Tensor>;

// A model with inputs for it and its optimizer.
struct Model {
  std::function<Tensor(const Inputs&)> loss;    // records the loss on such inputs, of any number of examples
  Inputs inputs;                                // computed
  std::shared_ptr<optim::Optimizer> optimizer;  // of the parameters

  // One training step: the loss, its gradient, the update. Returns the loss, which is computed by the step.
  Tensor step(const Inputs& in) const;
  Tensor step() const { return step(inputs); }
  // step(), compiled.
  [[nodiscard]] std::function<Tensor(const Inputs&)> compiled() const;
};

// A model by name.
struct ModelEntry {
  std::string_view name;   // "c1"
  std::string_view title;  // one line
  Model (*make)() = nullptr;
};

// All of them, in the order above.
[[nodiscard]] std::span<const ModelEntry> models();
// The one of that name. Throws Error, with the names that there are, where there is none.
[[nodiscard]] const ModelEntry& model(std::string_view name, std::source_location where = std::source_location::current());

}  // namespace cotan::training
