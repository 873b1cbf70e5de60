// Linear layers.
#include <fmt/format.h>

#include "graph/composites/bodies.h"
#include "graph/composites/requirements.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

std::vector<Ref> with_bias(const Ref& y, const Ref& bias) {
  if (!bias) return {y};
  require_shape(bias, "a bias", {y.shape().back()}, "The bias has one entry for each output");
  return {add(y, bias)};
}

}  // namespace

std::vector<Ref> linear_body(std::span<const Ref> operands, const LinearOptions&) {
  const Ref &x = operands[0], &weight = operands[1];
  if (weight.shape().rank() != 2) fail(fmt::format("a weight of shape {}", weight.shape().text()), "The weight is (outputs, inputs)");
  if (x.shape().rank() == 0 || x.shape().back() != weight.shape()[1])
    fail(fmt::format("x of shape {} for a weight of shape {}", x.shape().text(), weight.shape().text()), "The last dimension of x is the weight's second");
  return with_bias(matmul(x, transpose(weight)), operands[2]);
}

std::vector<Ref> bilinear_body(std::span<const Ref> operands, const BilinearOptions&) {
  const Ref &x1 = operands[0], &x2 = operands[1], &weight = operands[2];
  require_floating(x1, "x1");
  if (weight.shape().rank() != 3) fail(fmt::format("a weight of shape {}", weight.shape().text()), "The weight is (outputs, entries of x1, entries of x2)");
  if (x1.shape().rank() == 0 || x1.shape().back() != weight.shape()[1])
    fail(fmt::format("x1 of shape {} for a weight of shape {}", x1.shape().text(), weight.shape().text()), "The last dimension of x1 is the weight's second");
  Shape wanted = x1.shape();
  wanted[wanted.rank() - 1] = weight.shape()[2];
  require_shape(x2, "x2", wanted, "Its last dimension is the weight's third, the others are x1's");

  const rows::Scope scope;
  const std::vector<rows::OperandType> types = types_of(operands.first(3));
  std::array<rows::Operand, 3> in;
  for (int k = 0; k < 3; ++k) in[static_cast<std::size_t>(k)] = {k, types[static_cast<std::size_t>(k)].dtype, types[static_cast<std::size_t>(k)].shape};
  Access out;
  for (std::size_t d = 0; d + 1 < x1.shape().rank(); ++d) out.push_back(rows::Index(x1.shape()[d]));
  Access left = out, right = out;
  const rows::Index o(weight.shape()[0]), i(weight.shape()[1]), j(weight.shape()[2]);
  left.push_back(i);
  right.push_back(j);
  out.push_back(o);
  Shape shape = x1.shape();
  shape[shape.rank() - 1] = o.size;
  return with_bias(from_definition(rows::sum(shape, out, in[0].at(left) * in[1].at(right) * in[2](o, i, j), in), operands.first(3)), operands[3]);
}

}  // namespace cotan::graph
