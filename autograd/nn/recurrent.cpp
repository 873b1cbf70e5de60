#include "autograd/nn/recurrent.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/nn/detail_text.h"
#include "autograd/nn/layer.h"
#include "autograd/nn/parameters.h"
#include "autograd/ops.h"
#include "ops/error.h"

namespace cotan::nn {
namespace {

// The options, once they are known to make sense.
RecurrentOptions checked(const char* kind, const RecurrentOptions& o, std::source_location where) {
  const CallSite site(kind, where);
  static_cast<void>(positive(kind, "num_layers", o.num_layers, where));
  return o;
}

}  // namespace

Recurrent::Recurrent(const char* kind, std::int64_t gates, std::int64_t input_size, std::int64_t hidden_size, const RecurrentOptions& o,
                     std::source_location where)
    : Module(std::string(kind)),
      input_size_(positive(kind, "input_size", input_size, where)),
      hidden_size_(positive(kind, "hidden_size", hidden_size, where)),
      options_(checked(kind, o, where)),
      drop_(owned_rate(kind, o.dropout, o.generator, where)) {
  const std::int64_t rows = gates * hidden_size;
  const ParameterOptions p{o.dtype, o.generator, where};
  for (std::int64_t layer = 0; layer < o.num_layers; ++layer)
    for (const char* direction : {"", "_reverse"}) {
      if (*direction != 0 && !o.bidirectional) continue;
      const std::int64_t inputs = layer == 0 ? input_size : hidden_size * (o.bidirectional ? 2 : 1);
      const auto make = [&](const char* name, const Shape& shape) {
        return uniform_parameter(*this, fmt::format("{}_l{}{}", name, layer, direction), shape, hidden_size, p);
      };
      Weights& w = weights_.emplace_back();
      w.w_ih = make("weight_ih", {rows, inputs});
      w.w_hh = make("weight_hh", {rows, hidden_size});
      if (!o.bias) continue;
      w.b_ih = make("bias_ih", {rows});
      w.b_hh = make("bias_hh", {rows});
    }
  describe();
}

void Recurrent::describe() const {
  const RecurrentOptions& o = options_;
  std::string detail = fmt::format("{}, {}", input_size_, hidden_size_);
  if (o.num_layers != 1) detail += fmt::format(", num_layers={}", o.num_layers);
  if (!o.bias) detail += ", bias=False";
  if (o.batch_first) detail += ", batch_first=True";
  if (drop_) detail += fmt::format(", dropout={}", shown(drop_->p()));
  if (o.bidirectional) detail += ", bidirectional=True";
  set_detail(std::move(detail));
}

void Recurrent::set_dropout(double p, std::source_location where) const {
  set_owned_rate(drop_, p, where);
  describe();
}

// A part of the initial state for each layer and direction.
std::vector<Tensor> Recurrent::initial_state(const Tensor& x, bool batched, std::int64_t batch, const Tensor& given) const {
  const auto count = static_cast<std::int64_t>(weights_.size());
  const Shape one = batched ? Shape{batch, hidden_size_} : Shape{hidden_size_};
  if (!given.defined()) return std::vector<Tensor>(weights_.size(), zeros(one, x.dtype()));
  Shape all = one;
  all.insert(0, count);
  if (given.shape() != all)
    fail(fmt::format("an initial state of shape {}", given.shape().text()),
         fmt::format("Give {}: (layers * directions, {}hidden), also with batch_first", all.text(), batched ? "batch, " : ""));
  return unbind(given, {.dim = 0});
}

Recurrent::Outcome Recurrent::over(const Tensor& x, const std::vector<Tensor>& initial, const Step& step) const {
  const bool batched = x.shape().rank() == 3;
  if ((x.shape().rank() != 2 && !batched) || x.shape().back() != input_size_)
    fail(fmt::format("x of shape {}", x.shape().text()),
         fmt::format("Give an x of shape ({}, {}), or of two dimensions without a batch", options_.batch_first ? "batch, time" : "time, batch", input_size_));
  const std::int64_t time_dim = batched && options_.batch_first ? 1 : 0;
  if (x.shape()[static_cast<std::size_t>(time_dim)] == 0) fail("a sequence of no steps", "Give one step at least");
  std::vector<std::vector<Tensor>> states;  // part by part
  for (const Tensor& given : initial) states.push_back(initial_state(x, batched, batched ? x.shape()[static_cast<std::size_t>(1 - time_dim)] : 0, given));

  std::vector<Tensor> steps = unbind(x, {.dim = time_dim});
  const std::size_t directions = options_.bidirectional ? 2 : 1;
  for (std::size_t first = 0; first < weights_.size(); first += directions) {
    if (first > 0 && drop_ && is_training())
      for (Tensor& s : steps) s = (*drop_)(s);
    std::vector<std::vector<Tensor>> outputs;  // by direction, each in the order of time
    for (std::size_t network = first; network < first + directions; ++network) {
      std::vector<Tensor> state, out;
      out.reserve(steps.size());
      for (const auto& part : states) state.push_back(part[network]);
      const bool backwards = network > first;
      if (backwards) std::reverse(steps.begin(), steps.end());
      for (const Tensor& s : steps) {
        step(s, state, weights_[network]);
        out.push_back(state[0]);
      }
      if (backwards) {
        std::reverse(steps.begin(), steps.end());
        std::reverse(out.begin(), out.end());
      }
      for (std::size_t part = 0; part < states.size(); ++part) states[part][network] = state[part];
      outputs.push_back(std::move(out));
    }
    for (std::size_t t = 0; t < steps.size(); ++t) steps[t] = directions == 1 ? outputs[0][t] : concat({outputs[0][t], outputs[1][t]}, {.dim = -1});
  }
  Outcome outcome{stack(steps, {.dim = time_dim}), {}};
  for (const auto& part : states) outcome.state.push_back(stack(part, {.dim = 0}));
  return outcome;
}

LSTM::LSTM(std::int64_t input_size, std::int64_t hidden_size, const RecurrentOptions& options, std::source_location where)
    : Recurrent("LSTM", 4, input_size, hidden_size, options, where) {}

LSTMResult LSTM::operator()(const Operand& x, const LSTMState& state) const {
  return run(x.line(), [&] {
    const auto [output, after] = over(as_tensor(x), {state.h, state.c}, [](const Tensor& input, std::vector<Tensor>& s, const Weights& w) {
      const auto [h, c] = lstm_cell(input, s[0], s[1], w.w_ih, w.w_hh, operand_of(w.b_ih), operand_of(w.b_hh));
      s = {h, c};
    });
    return LSTMResult{output, {after[0], after[1]}};
  });
}

GRU::GRU(std::int64_t input_size, std::int64_t hidden_size, const RecurrentOptions& options, std::source_location where)
    : Recurrent("GRU", 3, input_size, hidden_size, options, where) {}

GRUResult GRU::operator()(const Operand& x, const Tensor& h) const {
  return run(x.line(), [&] {
    const auto [output, after] = over(as_tensor(x), {h}, [](const Tensor& input, std::vector<Tensor>& s, const Weights& w) {
      s = {gru_cell(input, s[0], w.w_ih, w.w_hh, operand_of(w.b_ih), operand_of(w.b_hh))};
    });
    return GRUResult{output, after[0]};
  });
}

}  // namespace cotan::nn
