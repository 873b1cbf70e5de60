// Recurrent networks over whole sequences: stacked, in both directions, as PyTorch has them.
//
//     nn::LSTM lstm(8, 16, {.num_layers = 2, .batch_first = true});
//     auto [output, state] = lstm(x);         // from zeros
//     auto [more, after] = lstm(next, state);
//
// Layer l has the parameters weight_ih_l{l} (gates * hidden, inputs), weight_hh_l{l} (gates * hidden, hidden), bias_ih_l{l} and bias_hh_l{l} (gates * hidden),
// the backward direction the same with "_reverse" at the end, all uniform in [-1 / sqrt(hidden), 1 / sqrt(hidden)) at first. A sequence is recorded step by
// step, so each length is a graph of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "autograd/nn/drop_rate.h"
#include "autograd/nn/module.h"
#include "autograd/random.h"

namespace cotan::nn {

// Options of the recurrent networks.
struct RecurrentOptions {
  std::int64_t num_layers = 1;                // each reads the outputs of the one before
  bool bias = true;                           // whether biases are added
  bool batch_first = false;                   // x and output are (batch, time, features) rather than (time, batch, features)
  double dropout = 0;                         // in training, the probability of an output of a layer but the last to become 0
  bool bidirectional = false;                 // a second network reads the sequence backwards; the outputs of both stand side by side
  DType dtype = f32;                          // of the parameters: f32 or f64
  Generator generator = default_generator();  // what initial values and dropout's masks are drawn from
};

// What recurrent networks have in common.
class Recurrent : public Module {
 public:
  // Sets the rate of dropout between layers, from the next call on; compiled functions read it at each call. Throws Error for a p that is not from 0 to 1, for
  // a network made without dropout, and inside a compiled function.
  void set_dropout(double p, std::source_location where = std::source_location::current()) const;

 protected:
  // The parameters of one layer in one direction.
  struct Weights {
    Variable w_ih;  // of the input
    Variable w_hh;  // of the state
    Variable b_ih;  // added to the input's part; undefined without bias
    Variable b_hh;  // added to the state's part; undefined without bias
  };
  // One step: moves the state on by an input; the first tensor of the state is the output.
  using Step = std::function<void(const Tensor& x, std::vector<Tensor>& state, const Weights& weights)>;
  // What a whole sequence gives.
  struct Outcome {
    Tensor output;              // of the last layer, for all times
    std::vector<Tensor> state;  // after the last time, part by part
  };

  // With weights of so many gates. Throws Error as LSTM's constructor does.
  Recurrent(const char* kind, std::int64_t gates, std::int64_t input_size, std::int64_t hidden_size, const RecurrentOptions& options,
            std::source_location where);
  // All layers over the whole of x. `initial` has a tensor for each part of the state, (layers * directions, [batch,] hidden); undefined ones are zeros.
  [[nodiscard]] Outcome over(const Tensor& x, const std::vector<Tensor>& initial, const Step& step) const;

 private:
  void describe() const;
  [[nodiscard]] std::vector<Tensor> initial_state(const Tensor& x, bool batched, std::int64_t batch, const Tensor& given) const;
  std::int64_t input_size_, hidden_size_;
  RecurrentOptions options_;
  std::optional<DropRate> drop_;  // none: made without dropout
  std::vector<Weights> weights_;  // layer by layer, both directions of each
};

// The state of an LSTM: (layers * directions, batch, hidden) each, without batch where x has none.
struct LSTMState {
  Tensor h = {};  // what the layers gave last
  Tensor c = {};  // their memory
};
// What an LSTM gives.
struct LSTMResult {
  Tensor output;    // h of the last layer for all times, directions side by side
  LSTMState state;  // after the last time
};

// Long short-term memory (Hochreiter and Schmidhuber 1997); gates in the order input, forget, cell, output.
class LSTM : public Recurrent {
 public:
  // Throws Error for sizes below 1 and for a dropout that is no probability.
  LSTM(std::int64_t input_size, std::int64_t hidden_size, const RecurrentOptions& options = {}, std::source_location where = std::source_location::current());
  // The network over x (time, batch, inputs), (batch, time, inputs) with batch_first, or (time, inputs), from a state or from zeros.
  // Throws Error for other shapes and for a sequence of no steps.
  LSTMResult operator()(const Operand& x, const LSTMState& state = {}) const;
};

// What a GRU gives.
struct GRUResult {
  Tensor output;  // h of the last layer for all times, directions side by side
  Tensor h;       // (layers * directions, batch, hidden) after the last time
};

// Gated recurrent units (Cho and others 2014); gates in the order reset, update, new.
class GRU : public Recurrent {
 public:
  // Throws Error for sizes below 1 and for a dropout that is no probability.
  GRU(std::int64_t input_size, std::int64_t hidden_size, const RecurrentOptions& options = {}, std::source_location where = std::source_location::current());
  // As LSTM's.
  GRUResult operator()(const Operand& x, const Tensor& h = {}) const;
};

}  // namespace cotan::nn
