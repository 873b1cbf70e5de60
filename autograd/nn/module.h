// Modules: what a model is made of, with its parameters, buffers and submodules by name.
//
//     struct Net : nn::Layer {
//       nn::Conv2d conv = register_module("conv", nn::Conv2d(1, 32, {.kernel_size = 5, .padding = 2}));
//       nn::Linear out = register_module("out", nn::Linear(32 * 28 * 28, 10));
//       Tensor forward(const Tensor& x) const override { return out(flatten(relu(conv(x)), {.start_dim = 1})); }
//     };
//     Net net;
//     optim::Adam adam(net.parameters());
//
// A Module holds state and nothing else; how it computes is its own affair: a Layer (layer.h) maps a tensor to a tensor, others define functions as they need.
// Names, shapes and results are PyTorch's, so that its state_dict can be loaded.
//
// Like a Tensor and a Variable, a Module is a handle: a copy is the same module, with the same parameters, mode and submodules. So submodules are ordinary
// members, Sequential takes temporaries, and nothing can dangle. An independent copy is a second object that loads the first one's state(). Handles are not
// assigned: the module that a member stands for would then be another than the registered one.
//
// Recording belongs to a thread; modules are not synchronised.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include "autograd/tensor.h"
#include "autograd/variable.h"

namespace cotan::nn {

// The values of a module's parameters and buffers by name, "layer1.0.weight" as in PyTorch.
using StateDict = std::map<std::string, Tensor>;

// How load() takes a state.
struct LoadOptions {
  bool strict = true;  // names that are missing or unexpected are an Error
};

// What load() found, in the order of names.
struct LoadReport {
  std::vector<std::string> missing;     // names of the module that the state has not
  std::vector<std::string> unexpected;  // names of the state that the module has not
};

// A part of a model: parameters, buffers and submodules by name. A handle; copies are one module.
class Module {
 public:
  // A module without anything in it.
  Module();
  Module(const Module&) = default;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  // ---- building

  // Makes `module` a submodule and returns it; its names begin with `name` and a dot. Throws Error for a name that is empty, has a dot or is taken,
  // and for a module that contains this one.
  template <std::derived_from<Module> M>
  M register_module(const std::string& name, M module, std::source_location where = std::source_location::current()) const {
    adopt(name, module, typeid(module), where);
    return module;
  }
  // A variable with this value that is a parameter: gradients flow to it and optimizers update it. Throws Error for a bad name and for a value that is not
  // floating.
  Variable register_parameter(const std::string& name, const Tensor& initial, std::source_location where = std::source_location::current()) const;
  // Makes a variable that exists a parameter, such as another module's, which both then share.
  Variable register_parameter(const std::string& name, const Variable& shared, std::source_location where = std::source_location::current()) const;
  // A variable with this value that belongs to the state but is no parameter: no gradient flows to it. Throws Error for a bad name.
  Variable register_buffer(const std::string& name, const Tensor& initial, std::source_location where = std::source_location::current()) const;

  // ---- what it holds

  // The parameters of this module and its submodules, in the order of registration, own ones first, each once.
  [[nodiscard]] std::vector<Variable> parameters() const;
  // The same with names.
  [[nodiscard]] std::vector<std::pair<std::string, Variable>> named_parameters() const;
  // Buffers with names, likewise.
  [[nodiscard]] std::vector<std::pair<std::string, Variable>> named_buffers() const;
  // The submodules registered here, each once, with names.
  [[nodiscard]] std::vector<std::pair<std::string, Module>> named_children() const;
  // This module (with the name "") and all below it, each once, parents first.
  [[nodiscard]] std::vector<std::pair<std::string, Module>> named_modules() const;
  // The parameter, buffer or submodule of that name, dots included. Throws Error where there is none; it lists those there are.
  [[nodiscard]] Variable parameter(const std::string& name, std::source_location where = std::source_location::current()) const;
  [[nodiscard]] Variable buffer(const std::string& name, std::source_location where = std::source_location::current()) const;
  [[nodiscard]] Module module(const std::string& name, std::source_location where = std::source_location::current()) const;
  // How many numbers the parameters hold together.
  [[nodiscard]] std::int64_t parameter_count() const;
  // The name of the module's type, "Conv2d".
  [[nodiscard]] std::string kind() const;
  // The module and all below it as PyTorch prints them.
  [[nodiscard]] std::string text() const;
  // Whether both are handles on one module.
  [[nodiscard]] bool is(const Module& other) const { return state_ == other.state_; }

  // ---- all modules below it

  // Calls a function with each submodule, then with this module, each once.
  void apply(const std::function<void(const Module&)>& function) const;
  // Training mode or not (it is, at first), for this module and all below it: dropout drops and batch norm uses the batch in training only.
  void train(bool on = true) const;
  // train(false).
  void eval() const { train(false); }
  // Whether this module is in training mode.
  [[nodiscard]] bool is_training() const;
  // Whether gradients flow to the parameters.
  void requires_grad_(bool on = true) const;
  // Discards the parameters' gradients.
  void zero_grad() const;

  // ---- state

  // All parameters and buffers, computed now. One that has several names stands under each.
  [[nodiscard]] StateDict state(std::source_location where = std::source_location::current()) const;
  // Gives parameters and buffers the values of a state, at once: the thread's pending assignments run as well. Throws one Error that lists every name that is
  // missing or unexpected (unless not strict) and every tensor of another shape or type; then nothing has changed.
  LoadReport load(const StateDict& state, const LoadOptions& options = {}, std::source_location where = std::source_location::current()) const;

 protected:
  // One that prints as `kind`, and whose inside is not the user's code: what goes wrong in there is reported with the line that calls it.
  explicit Module(std::string kind);
  // What text() puts between the parentheses, "1, 32, kernel_size=(5, 5)".
  void set_detail(std::string detail) const;
  // Runs a forward body: errors in it name the module, "layer1.0 (Conv2d)", and, in a module made with a kind, the caller's line.
  template <class Body>
  auto run(const SourceLine& line, Body&& body) const {
    const CallSite site(own_kind(), own_kind().empty() ? SourceLine() : line);
    try {
      return body();
    } catch (const Error& error) {
      throw_here(error);
    }
  }

 private:
  struct State;
  explicit Module(std::shared_ptr<State> state) : state_(std::move(state)) {}

  [[nodiscard]] std::string_view own_kind() const;  // "" where the type's name has to do
  [[noreturn]] void throw_here(const Error& error) const;

  [[nodiscard]] std::vector<std::pair<std::string, Module>> walk(bool each_once, bool backwards) const;
  // Parameters and buffers under every name that they have.
  [[nodiscard]] std::vector<std::pair<std::string, Variable>> all_names() const;
  void adopt(const std::string& name, const Module& module, const std::type_info& type, std::source_location where) const;
  void require_name(const std::string& name) const;
  [[nodiscard]] std::string place() const;
  std::shared_ptr<State> state_;
};

// module.text().
std::ostream& operator<<(std::ostream& out, const Module& module);

}  // namespace cotan::nn
