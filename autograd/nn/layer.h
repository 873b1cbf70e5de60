// Layers: modules that map a tensor to a tensor, and chains of them.
#pragma once

#include <concepts>
#include <string>
#include <vector>

#include "autograd/nn/module.h"

namespace cotan::nn {

// A module that maps one tensor to one tensor: derive from it, override forward(), and call it like a function. An Error that is thrown in forward() names the
// innermost module that it comes from, "conv2d in block1.conv (Conv2d): ...".
class Layer : public Module {
 public:
  // forward(x).
  Tensor operator()(const Operand& x) const;
  // What the layer computes.
  [[nodiscard]] virtual Tensor forward(const Tensor& x) const = 0;

 protected:
  using Module::Module;
  // Not for use on its own.
  Layer() = default;
};

// Layers one after the other, named "0", "1", ...
class Sequential : public Layer {
 public:
  // Of these layers. One Sequential alone is copied, which gives the same module; push_back() puts one into another.
  Sequential();
  template <std::derived_from<Layer>... Layers>
  explicit Sequential(const Layers&... layers) : Sequential() {
    (push_back(layers), ...);
  }

  // Appends a layer.
  template <std::derived_from<Layer> L>
  void push_back(const L& layer, std::source_location where = std::source_location::current()) const {
    append(std::make_shared<const L>(register_module(std::to_string(size()), layer, where)));
  }
  // The number of layers.
  [[nodiscard]] std::size_t size() const;
  // One of them, counted from 0. Throws Error where there is none.
  [[nodiscard]] const Layer& at(std::size_t i, std::source_location where = std::source_location::current()) const;
  // The last layer's result of ... of the first layer's; x itself without layers.
  [[nodiscard]] Tensor forward(const Tensor& x) const override;

 private:
  void append(std::shared_ptr<const Layer> layer) const;
  // Shared by the copies of the handle.
  std::shared_ptr<std::vector<std::shared_ptr<const Layer>>> layers_;
};

// For modules: an argument as the tensor that it is, which keeps the caller's line out of what follows. Throws Error for a number.
[[nodiscard]] Tensor as_tensor(const Operand& x);
// For modules: a variable where an operation takes a tensor or none: an undefined variable is none.
[[nodiscard]] OptionalOperand operand_of(const Variable& variable);

}  // namespace cotan::nn
