// What all optimizers have in common: groups of parameters with options of their own, the step, and the state that a checkpoint needs.
//
//     optim::SGD sgd({w, b}, {.lr = 0.1, .momentum = 0.9});
//     sgd.add_param_group({embedding}, {.lr = 0.01});
//     loss.backward();
//     sgd.step();
//
// Names, arguments, defaults and formulas are PyTorch's (torch.optim, the defaults for CPUs). Every number that an optimizer owns is read at run time: steps
// and other numbers compile nothing anew. What may compile anew is what changes the formulas: another set of parameters with gradients, or an option that turns
// a term on or off (such as momentum 0). State is held in variables of the parameter's type, which the step updates in place together with the parameters.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/evaluate.h"
#include "autograd/variable.h"

namespace cotan::optim {

class Rule;

// What step() leaves behind.
struct StepOptions {
  bool keep_gradients = false;  // grad() can be read afterwards
  bool retain = false;          // tensors that the step computes keep their history
};

// An optimizer of any kind. Not copied: two would share state without knowing it.
class Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Assigns the new values and evaluates: gradients, updates and every tensor that the program still holds of the step, in one graph. Consumes the gradients.
  // Parameters without a gradient are left alone. Throws Error where none has one; where the evaluation throws, parameters and state are as before.
  EvaluationReport step(const StepOptions& options = {}, std::source_location where = std::source_location::current());
  // Discards all gradients of the parameters.
  void zero_grad();

  // All parameters, group by group.
  [[nodiscard]] std::vector<Variable> parameters() const;
  // The number of groups; the constructor makes group 0.
  [[nodiscard]] std::size_t group_count() const;

  // The learning rate of a group. Throws Error where there is no such group.
  [[nodiscard]] virtual double lr(std::size_t group = 0, std::source_location where = std::source_location::current()) const = 0;
  // Sets the learning rate of the next steps, of one group or of all. Throws Error for a negative or infinite one.
  virtual void set_lr(double lr, std::size_t group, std::source_location where = std::source_location::current()) = 0;
  void set_lr(double lr, std::source_location where = std::source_location::current());

  // All that the next steps depend on beside the parameters and the options given to the constructor, computed now: "param_groups.G.lr" of each group, and of
  // each parameter that has been updated, counted over all groups, "state.I.step" (how often) and its states under PyTorch's names, such as
  // "state.I.exp_avg". Numbers are f64 scalars, states are shaped and typed like the parameter.
  [[nodiscard]] std::map<std::string, Tensor> state(std::source_location where = std::source_location::current()) const;
  // Goes on from what state() gave: with the same options, parameters and gradients, steps give the same bits. Parameters that the state does not name start
  // anew. Throws Error, and changes nothing, where a name is unknown or missing, or a tensor has another shape or type.
  void load_state(const std::map<std::string, Tensor>& state, std::source_location where = std::source_location::current());

 protected:
  Optimizer();
  // Appends a group, its options checked already.
  void add_group(std::vector<Variable> parameters);
  // The rule of a group changed.
  void forget_rules(std::size_t group);
  // Throws Error where there is no such group.
  void require_group(std::size_t group) const;
  // States the update of a group's parameters.
  virtual void define_group(std::size_t group, Rule& rule) const = 0;

 private:
  struct Groups;
  std::shared_ptr<Groups> groups_;  // shared with compiled functions that step
};

// An optimizer whose groups have options of this type: what a concrete optimizer derives from.
template <class Options>
class OptimizerWith : public Optimizer {
 public:
  // Adds parameters with options of their own; what is not given has the class's default, not group 0's value. Throws Error for no parameters, for one that is
  // undefined, not floating, or in a group already, and for an option out of range.
  void add_param_group(std::vector<Variable> parameters, const Options& options, std::source_location where = std::source_location::current()) {
    const CallSite site("add_param_group", where);
    add(std::move(parameters), options);
  }
  // The options of a group. Throws Error where there is no such group.
  [[nodiscard]] const Options& options(std::size_t group = 0, std::source_location where = std::source_location::current()) const {
    const CallSite site("options", where);
    require_group(group);
    return options_[group];
  }
  // Sets the options of a group for the next steps. Throws Error as the constructor does.
  void set_options(const Options& options, std::size_t group = 0, std::source_location where = std::source_location::current()) {
    const CallSite site("set_options", where);
    require_group(group);
    set(options, group);
  }

  // As in Optimizer.
  [[nodiscard]] double lr(std::size_t group = 0, std::source_location where = std::source_location::current()) const override {
    const CallSite site("lr", where);
    require_group(group);
    return options_[group].lr;
  }
  using Optimizer::set_lr;
  // As in Optimizer.
  void set_lr(double lr, std::size_t group, std::source_location where = std::source_location::current()) override {
    const CallSite site("set_lr", where);
    require_group(group);
    Options changed = options_[group];
    changed.lr = lr;
    set(changed, group);
  }

 protected:
  // A group, under the caller's call site.
  void add(std::vector<Variable> parameters, const Options& options) {
    check(options);
    add_group(std::move(parameters));
    options_.push_back(options);
  }
  // Throws Error for an option out of range.
  virtual void check(const Options& options) const = 0;
  // States the update in the rule.
  virtual void define(const Options& options, Rule& rule) const = 0;

  // As in Optimizer.
  void define_group(std::size_t group, Rule& rule) const override { define(options_[group], rule); }

 private:
  void set(const Options& options, std::size_t group) {
    check(options);
    options_[group] = options;
    forget_rules(group);
  }
  std::vector<Options> options_;  // by group
};

// Throws Error unless 0 <= value <= limit, or < limit where `open`; an infinite limit admits every finite number. `option` is the name.
void require_range(std::string_view option, double value, double limit, bool open = false);
// The same without an upper limit.
void require_not_negative(std::string_view option, double value);

}  // namespace cotan::optim
