// What an optimizer computes for one parameter, stated once and recorded at every step.
//
//     const Ex p = rule.parameter(), lr = rule.number(o.lr), momentum = rule.number(o.momentum), buffer = rule.state("momentum_buffer");
//     const Ex moved = rule.assign(buffer, [&] { return momentum * buffer + g(); });
//     rule.assign(p, [&] { return p - lr * moved; });
//
// Each assignment becomes one map node over the arrays and numbers that its formula reads. Numbers are operands read at run time, so that another learning rate
// or another step records the same structure. For the library: optimizers are built from it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"
#include "graph/node.h"
#include "ops/formula.h"

namespace cotan::optim {

// Which update of a parameter it is.
struct Moment {
  double step = 1;          // 1 for the parameter's first update
  bool fresh_state = true;  // some of its state has no value from an earlier update
};

// The formulas of an update, over symbols that are declared as they are needed. A symbol stands for a value inside the bodies of the same rule only.
class Rule {
 public:
  using Body = std::function<Ex()>;                             // a formula over symbols declared before
  using Timed = std::function<double(const Moment&)>;           // a number that depends on the step
  using Cells = std::vector<std::pair<std::string, Variable>>;  // a parameter's state by name

  // For parameters of this floating type.
  explicit Rule(DType dtype);

  // The parameter before the step.
  [[nodiscard]] Ex parameter() const { return Ex::node(0); }
  // The gradient as formulas read it: negated to climb, and with decay * parameter added where decay is not 0 (the gradient of a squared norm).
  [[nodiscard]] Body gradient(bool maximize, double decay);
  // A state before the step, shaped like the parameter; it starts as `initial` everywhere.
  [[nodiscard]] Ex state(std::string name, double initial = 0);
  // A number of the optimizer's: the same for all parameters, or one that depends on the step.
  [[nodiscard]] Ex number(double value);
  [[nodiscard]] Ex number(Timed value);
  // An intermediate value.
  Ex compute(const Body& body) { return add(none, body); }
  // The next value of the parameter or of a state.
  Ex assign(Ex target, const Body& body) { return add(target.id(), body); }

  // The names of the states.
  [[nodiscard]] std::vector<std::string> state_names() const;
  // The cells that are missing, each with its initial value.
  [[nodiscard]] Cells missing(const Variable& parameter, const Cells& cells) const;
  // Whether none is.
  [[nodiscard]] bool is_complete(const Cells& cells) const;
  // The number at a position, for an update.
  [[nodiscard]] double number_at(std::size_t position, const Moment& moment) const;
  // Reads the number at a position as it is now: what compiled functions call, long after the rule was replaced by one of equal formulas.
  using Reads = std::function<double(std::size_t)>;
  // The numbers that all parameters share as nodes: to be made once a step.
  [[nodiscard]] std::vector<Ref> shared_numbers(const Reads& read) const;
  // Records the update of a parameter and assigns the results to it and to its states.
  void record(const Variable& parameter, const Ref& gradient, const Cells& cells, const std::vector<Ref>& shared, const Reads& read,
              const SourceLine& where) const;
  // Whether a number depends on the step.
  [[nodiscard]] bool counts_steps() const;
  // Whether another rule differs in numbers only.
  [[nodiscard]] bool same_formulas(const Rule& other) const;

 private:
  static constexpr int none = -1;
  struct State {
    int symbol;
    std::string name;
    double initial;
  };
  struct Number {
    int symbol;
    double value;
    Timed timed;  // empty: the value
  };
  struct Step {
    int symbol;  // the result
    int target;  // the symbol of what is assigned, or none
    FormulaRef formula;
    std::vector<int> operands;  // symbols
  };
  Ex add(int target, const Body& body);
  Ex declare() { return Ex::node(symbols_++); }

  DType dtype_;
  int symbols_ = 2;  // 0 is the parameter, 1 its gradient
  std::vector<State> states_;
  std::vector<Number> numbers_;
  std::vector<Step> steps_;
};

}  // namespace cotan::optim
