#include "autograd/nn/layer.h"

#include <fmt/format.h>

#include "ops/error.h"

namespace cotan::nn {

Tensor Layer::operator()(const Operand& x) const {
  return run(x.line(), [&] { return forward(as_tensor(x)); });
}

Sequential::Sequential() : Layer("Sequential"), layers_(std::make_shared<std::vector<std::shared_ptr<const Layer>>>()) {}

std::size_t Sequential::size() const { return layers_->size(); }

const Layer& Sequential::at(std::size_t i, std::source_location where) const {
  const CallSite site("at", where);
  if (i >= size()) fail(fmt::format("layer {} of {}", i, size()), "Layers count from 0");
  return *(*layers_)[i];
}

Tensor Sequential::forward(const Tensor& x) const {
  Tensor y = x;
  for (const auto& layer : *layers_) y = (*layer)(y);
  return y;
}

void Sequential::append(std::shared_ptr<const Layer> layer) const { layers_->push_back(std::move(layer)); }

Tensor as_tensor(const Operand& x) {
  if (x.is_number()) fail(fmt::format("the number {} for a tensor", x.number()), "Give a tensor, full({}, number) for example");
  return Tensor(x.state());
}

OptionalOperand operand_of(const Variable& variable) { return variable.cell() ? OptionalOperand(variable.value()) : OptionalOperand(none); }

}  // namespace cotan::nn
