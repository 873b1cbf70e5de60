#include "autograd/nn/module.h"

#include <cxxabi.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>
#include <unordered_set>

#include "autograd/evaluate.h"
#include "autograd/recorder.h"
#include "ops/error.h"

namespace cotan::nn {

struct Module::State {
  std::string kind;       // given by its constructor
  std::string type_name;  // of the C++ type it was registered as
  std::string detail;
  bool training = true;
  std::vector<std::pair<std::string, Variable>> parameters, buffers;
  std::vector<std::pair<std::string, std::shared_ptr<State>>> children;
  std::weak_ptr<State> parent;  // that registered it first
  std::string name;             // there
};

namespace {

// The last part of a type's name, without template arguments.
std::string short_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  std::string name = status == 0 ? demangled.get() : type.name();
  name = name.substr(0, name.find('<'));
  const std::size_t colons = name.rfind("::");
  return colons == std::string::npos ? name : name.substr(colons + 2);
}

std::string joined(const std::string& prefix, const std::string& name) { return prefix.empty() ? name : fmt::format("{}.{}", prefix, name); }

std::string indented(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "  ";
  }
  return out;
}

template <class T>
const T* find_name(const std::vector<std::pair<std::string, T>>& all, const std::string& name) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& entry) { return entry.first == name; });
  return found == all.end() ? nullptr : &found->second;
}

std::string names_of(const auto& all) {
  std::vector<std::string> names;
  for (const auto& [name, value] : all)
    if (!name.empty()) names.push_back(name);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

Module::Module() : state_(std::make_shared<State>()) {}

Module::Module(std::string kind) : Module() { state_->kind = std::move(kind); }

void Module::set_detail(std::string detail) const { state_->detail = std::move(detail); }

// ---- building

void Module::require_name(const std::string& name) const {
  if (name.empty() || name.find('.') != std::string::npos)
    fail(fmt::format("'{}' as a name in a module", name), "Give a name that is not empty and has no dot: dots stand between the names of nested modules");
  if (find_name(state_->parameters, name) != nullptr || find_name(state_->buffers, name) != nullptr || find_name(state_->children, name) != nullptr)
    fail(fmt::format("the name '{}' for a second time in a module", name), "Each parameter, buffer and submodule of a module has a name of its own");
}

void Module::adopt(const std::string& name, const Module& module, const std::type_info& type, std::source_location where) const {
  const CallSite site("register_module", where);
  require_name(name);
  for (const auto& [below, m] : module.named_modules())
    if (m.is(*this)) fail(fmt::format("module '{}' contains the module that it is registered in", name), "Modules form a tree");
  State& child = *module.state_;
  child.type_name = short_name(type);
  if (child.parent.expired()) {
    child.parent = state_;
    child.name = name;
  }
  state_->children.emplace_back(name, module.state_);
}

Variable Module::register_parameter(const std::string& name, const Variable& shared, std::source_location where) const {
  const CallSite site("register_parameter", where);
  require_name(name);
  if (!is_floating(shared.dtype()))
    fail(fmt::format("parameter '{}' of {}", name, name_of(shared.dtype())), "Parameters are floating, since gradients flow to them; make it a buffer");
  state_->parameters.emplace_back(name, shared);
  return shared;
}

Variable Module::register_parameter(const std::string& name, const Tensor& initial, std::source_location where) const {
  const CallSite site("register_parameter", where);
  return register_parameter(name, Variable(name, initial), where);
}

Variable Module::register_buffer(const std::string& name, const Tensor& initial, std::source_location where) const {
  const CallSite site("register_buffer", where);
  require_name(name);
  Variable buffer(name, initial);
  buffer.requires_grad_(false);
  state_->buffers.emplace_back(name, buffer);
  return buffer;
}

// ---- what it holds

// Parents first, with a stack of its own; the children of each in order of registration, or backwards.
std::vector<std::pair<std::string, Module>> Module::walk(bool each_once, bool backwards) const {
  std::vector<std::pair<std::string, Module>> all;
  std::vector<std::pair<std::string, std::shared_ptr<State>>> stack = {{std::string(), state_}};
  std::unordered_set<const State*> seen;
  while (!stack.empty()) {
    const auto [name, state] = stack.back();
    stack.pop_back();
    if (each_once && !seen.insert(state.get()).second) continue;
    all.emplace_back(name, Module(state));
    const auto first = static_cast<std::ptrdiff_t>(stack.size());
    for (const auto& [child, below] : state->children) stack.emplace_back(joined(name, child), below);
    if (!backwards) std::reverse(stack.begin() + first, stack.end());  // what is pushed last comes first
  }
  return all;
}

std::vector<std::pair<std::string, Module>> Module::named_modules() const { return walk(true, false); }

namespace {

// The variables that `of` gives for each module, each once.
std::vector<std::pair<std::string, Variable>> collected(const std::vector<std::pair<std::string, Module>>& modules, const auto& of) {
  std::vector<std::pair<std::string, Variable>> all;
  std::unordered_set<const Cell*> seen;
  for (const auto& [prefix, module] : modules)
    for (const auto& [name, variable] : of(module))
      if (seen.insert(variable.cell().get()).second) all.emplace_back(joined(prefix, name), variable);
  return all;
}

}  // namespace

std::vector<std::pair<std::string, Variable>> Module::named_parameters() const {
  return collected(named_modules(), [](const Module& m) -> const auto& { return m.state_->parameters; });
}

std::vector<std::pair<std::string, Variable>> Module::named_buffers() const {
  return collected(named_modules(), [](const Module& m) -> const auto& { return m.state_->buffers; });
}

std::vector<Variable> Module::parameters() const {
  std::vector<Variable> all;
  for (auto& [name, variable] : named_parameters()) all.push_back(std::move(variable));
  return all;
}

std::vector<std::pair<std::string, Module>> Module::named_children() const {
  std::vector<std::pair<std::string, Module>> all;
  for (const auto& [name, child] : state_->children)
    if (std::none_of(all.begin(), all.end(), [&child = child](const auto& entry) { return entry.second.state_ == child; }))
      all.emplace_back(name, Module(child));
  return all;
}

Module Module::module(const std::string& name, std::source_location where) const {
  const CallSite site("module", where);
  std::shared_ptr<State> at = state_;
  for (std::size_t from = 0; from <= name.size() && !name.empty();) {
    const std::size_t dot = std::min(name.find('.', from), name.size());
    const std::shared_ptr<State>* child = find_name(at->children, name.substr(from, dot - from));
    if (child == nullptr) fail(fmt::format("no submodule '{}' in {}", name, kind()), fmt::format("There are: {}", names_of(named_modules())));
    at = *child;
    from = dot + 1;
  }
  return Module(at);
}

namespace {

// "a.b.weight" as "a.b" and "weight".
std::pair<std::string, std::string> taken_apart(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string::npos ? std::pair(std::string(), name) : std::pair(name.substr(0, dot), name.substr(dot + 1));
}

}  // namespace

Variable Module::parameter(const std::string& name, std::source_location where) const {
  const CallSite site("parameter", where);
  const auto [path, last] = taken_apart(name);
  const Variable* found = find_name(module(path).state_->parameters, last);
  if (found == nullptr) fail(fmt::format("no parameter '{}' in {}", name, kind()), fmt::format("There are: {}", names_of(named_parameters())));
  return *found;
}

Variable Module::buffer(const std::string& name, std::source_location where) const {
  const CallSite site("buffer", where);
  const auto [path, last] = taken_apart(name);
  const Variable* found = find_name(module(path).state_->buffers, last);
  if (found == nullptr) fail(fmt::format("no buffer '{}' in {}", name, kind()), fmt::format("There are: {}", names_of(named_buffers())));
  return *found;
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  for (const Variable& p : parameters()) count += p.shape().elements();
  return count;
}

std::string_view Module::own_kind() const { return state_->kind; }

std::string Module::kind() const {
  if (!state_->kind.empty()) return state_->kind;
  // A handle made from the state alone has lost its type, but was registered with one.
  return typeid(*this) == typeid(Module) && !state_->type_name.empty() ? state_->type_name : short_name(typeid(*this));
}

std::string Module::text() const {
  if (state_->children.empty()) return fmt::format("{}({})", kind(), state_->detail);
  std::string lines;
  if (!state_->detail.empty()) lines += fmt::format("\n  {}", state_->detail);
  for (const auto& [name, child] : state_->children) lines += fmt::format("\n  ({}): {}", name, indented(Module(child).text()));
  return fmt::format("{}({}\n)", kind(), lines);
}

std::ostream& operator<<(std::ostream& out, const Module& module) { return out << module.text(); }

// ---- all modules below it

void Module::apply(const std::function<void(const Module&)>& function) const {
  const auto modules = walk(true, true);  // read from its end: children first, in their order
  for (auto m = modules.rbegin(); m != modules.rend(); ++m) function(m->second);
}

void Module::train(bool on) const {
  const CallSite site("train", CallSite::current_line());
  require_not_recording("a change of training mode", "Change it before the call");
  for (const auto& [name, m] : named_modules()) m.state_->training = on;
}

bool Module::is_training() const {
  if (Recorder* recorder = Tape::current()->recorder)
    recorder->watch(fmt::format("training mode of {}", place()), [state = state_] { return state->training ? 1 : 0; });
  return state_->training;
}

void Module::requires_grad_(bool on) const {
  for (Variable& p : parameters()) p.requires_grad_(on);
}

void Module::zero_grad() const {
  for (const Variable& p : parameters()) p.zero_grad();
}

// ---- state

std::vector<std::pair<std::string, Variable>> Module::all_names() const {
  std::vector<std::pair<std::string, Variable>> all;
  for (const auto& [prefix, m] : walk(false, false)) {
    for (const auto& [name, variable] : m.state_->parameters) all.emplace_back(joined(prefix, name), variable);
    for (const auto& [name, variable] : m.state_->buffers) all.emplace_back(joined(prefix, name), variable);
  }
  return all;
}

StateDict Module::state(std::source_location where) const {
  const CallSite site("state", where);
  StateDict state;
  std::vector<Tensor> values;
  for (const auto& [name, variable] : all_names()) state.emplace(name, values.emplace_back(variable.value().detach()));
  if (!values.empty()) evaluate(values, where);
  return state;
}

LoadReport Module::load(const StateDict& state, const LoadOptions& options, std::source_location where) const {
  const CallSite site("load", where);
  const auto names = all_names();
  LoadReport report;
  std::vector<std::string> faults;
  std::map<std::string, Variable> known(names.begin(), names.end());
  for (const auto& [name, variable] : known)
    if (!state.contains(name)) report.missing.push_back(name);
  std::vector<Tensor> values;
  for (const auto& [name, tensor] : state) {
    const auto found = known.find(name);
    if (found == known.end()) {
      report.unexpected.push_back(name);
    } else if (!tensor.defined()) {
      faults.push_back(fmt::format("'{}' is an undefined tensor", name));
    } else if (tensor.shape() != found->second.shape() || tensor.dtype() != found->second.dtype()) {
      faults.push_back(fmt::format("'{}' is {} {}, not {} {}", name, name_of(tensor.dtype()), tensor.shape().text(), name_of(found->second.dtype()),
                                   found->second.shape().text()));
    } else {
      values.push_back(tensor);
    }
  }
  if (options.strict && !report.missing.empty()) faults.insert(faults.begin(), fmt::format("missing: {}", fmt::join(report.missing, ", ")));
  if (options.strict && !report.unexpected.empty()) faults.push_back(fmt::format("unexpected: {}", fmt::join(report.unexpected, ", ")));
  if (!faults.empty())
    fail(fmt::format("a state that does not fit {}: {}", kind(), fmt::join(faults, "; ")),
         "Give tensors of the names, shapes and types of state(); {.strict = false} accepts missing and unexpected names");
  evaluate(values, where);  // what can fail does so before anything is assigned
  for (const auto& [name, variable] : names)
    if (const auto value = state.find(name); value != state.end()) variable.assign(value->second);
  evaluate({}, where);
  return report;
}

// ---- errors

std::string Module::place() const {
  std::string path;
  for (std::shared_ptr<State> at = state_; at->parent.lock(); at = at->parent.lock()) path = path.empty() ? at->name : joined(at->name, path);
  return path.empty() ? kind() : fmt::format("{} ({})", path, kind());
}

namespace {

// An Error that names its module already: the innermost one does.
struct ErrorInModule : Error {
  using Error::Error;
};

}  // namespace

void Module::throw_here(const Error& error) const {
  if (dynamic_cast<const ErrorInModule*>(&error) != nullptr) throw;
  const std::string at = place();
  const bool own = error.function().empty() || error.function() == kind();
  throw ErrorInModule(own ? at : fmt::format("{} in {}", error.function(), at), error.problem(), error.remedy(), error.where());
}

}  // namespace cotan::nn
