// One step of recurrent networks.
#include <fmt/format.h>

#include "graph/composites/bodies.h"
#include "graph/composites/requirements.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

// What all cells have: an input, a state, and for both a weight and perhaps a bias.
struct Cell {
  std::int64_t hidden;
  Ref of_input, of_state;  // (..., gates * hidden)

  Cell(const Ref& x, const Ref& h, std::span<const Ref> weights, std::int64_t gates) {
    const Ref &w_ih = weights[0], &w_hh = weights[1], &b_ih = weights[2], &b_hh = weights[3];
    require_floating(x, "x");
    if (x.shape().rank() != 1 && x.shape().rank() != 2) fail(fmt::format("x of shape {}", x.shape().text()), "x is (rows, inputs) or (inputs)");
    if (h.shape().rank() != x.shape().rank() || (x.shape().rank() == 2 && h.shape()[0] != x.shape()[0]))
      fail(fmt::format("h of shape {} for x of shape {}", h.shape().text(), x.shape().text()), "The state is (rows, hidden) or (hidden), with the rows of x");
    hidden = h.shape().back();
    require_shape(w_ih, "w_ih", {gates * hidden, x.shape().back()}, fmt::format("It is ({} * hidden, inputs)", gates));
    require_shape(w_hh, "w_hh", {gates * hidden, hidden}, fmt::format("It is ({} * hidden, hidden)", gates));
    for (const auto& [bias, name] : {std::pair(b_ih, "b_ih"), std::pair(b_hh, "b_hh")})
      if (bias) require_shape(bias, name, {gates * hidden}, fmt::format("It is ({} * hidden)", gates));
    of_input = linear(x, w_ih, b_ih);
    of_state = linear(h, w_hh, b_hh);
  }

  [[nodiscard]] Ref gate(const Ref& all, std::int64_t number) const { return slice(all, {.dim = -1, .start = number * hidden, .end = (number + 1) * hidden}); }
};

}  // namespace

std::vector<Ref> lstm_cell_body(std::span<const Ref> operands, const LstmCellOptions&) {
  const Ref& c = operands[2];
  const Cell cell(operands[0], operands[1], operands.subspan(3), 4);
  require_shape(c, "c", operands[1].shape(), "It has the shape of h");
  const Ref gates = add(cell.of_input, cell.of_state);
  const Ref in = sigmoid(cell.gate(gates, 0)), forget = sigmoid(cell.gate(gates, 1)), candidate = tanh(cell.gate(gates, 2)), out = sigmoid(cell.gate(gates, 3));
  const Ref next = add(mul(forget, c), mul(in, candidate));
  return {mul(out, tanh(next)), next};
}

std::vector<Ref> gru_cell_body(std::span<const Ref> operands, const GruCellOptions&) {
  const Ref& h = operands[1];
  const Cell cell(operands[0], h, operands.subspan(2), 3);
  auto both = [&](std::int64_t number) { return add(cell.gate(cell.of_input, number), cell.gate(cell.of_state, number)); };
  const Ref reset = sigmoid(both(0)), update = sigmoid(both(1));
  const Ref candidate = tanh(add(cell.gate(cell.of_input, 2), mul(reset, cell.gate(cell.of_state, 2))));
  return {add(candidate, mul(update, sub(h, candidate)))};
}

std::vector<Ref> rnn_cell_body(std::span<const Ref> operands, const RnnCellOptions& options) {
  require_choice("nonlinearity", options.nonlinearity, {"tanh", "relu"});
  const Cell cell(operands[0], operands[1], operands.subspan(2), 1);
  const Ref sum_of_both = add(cell.of_input, cell.of_state);
  return {options.nonlinearity == "tanh" ? tanh(sum_of_both) : relu(sum_of_both)};
}

}  // namespace cotan::graph
