#include "autograd/optim/rule.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/recorder.h"
#include "autograd/tape.h"
#include "graph/builder.h"
#include "ops/error.h"

namespace cotan::optim {
namespace {

using namespace formula_language;

const Variable* find(const Rule::Cells& cells, const std::string& name) {
  const auto found = std::find_if(cells.begin(), cells.end(), [&](const auto& cell) { return cell.first == name; });
  return found != cells.end() ? &found->second : nullptr;
}

// Variables whose value is there at once: making one is no evaluation.
Variable filled(const Variable& like, const std::string& name, double value) {
  const auto count = static_cast<std::size_t>(like.shape().elements());
  const Shape& shape = like.shape();
  const Tensor initial = like.dtype() == DType::f32 ? Tensor::from(std::vector<float>(count, static_cast<float>(value)), shape)
                                                    : Tensor::from(std::vector<double>(count, value), shape);
  Variable made(fmt::format("{}.{}", like.name(), name), initial);
  made.requires_grad_(false);
  return made;
}

}  // namespace

Rule::Rule(DType dtype) : dtype_(dtype) {}

Rule::Body Rule::gradient(bool maximize, double decay) {
  const Ex p = parameter(), given = Ex::node(1);
  const Ex weight = decay != 0 ? number(decay) : Ex(0);
  return [=] {
    const Ex g = maximize ? -given : given;
    return weight.is_literal() ? g : g + weight * p;
  };
}

Ex Rule::state(std::string name, double initial) {
  const Ex symbol = declare();
  states_.push_back({symbol.id(), std::move(name), initial});
  return symbol;
}

Ex Rule::number(double value) {
  const Ex symbol = declare();
  numbers_.push_back({symbol.id(), value, {}});
  return symbol;
}

Ex Rule::number(Timed value) {
  const Ex symbol = declare();
  numbers_.push_back({symbol.id(), 0, std::move(value)});
  return symbol;
}

Ex Rule::add(int target, const Body& body) {
  // First over all symbols, operand k being symbol k, then over those that the formula turns out to read.
  const std::vector<DType> all(static_cast<std::size_t>(symbols_), dtype_);
  const FormulaRef wide = make_formula(
      all,
      [&](std::span<const Ex> x) {
        for (int k = 0; k < symbols_; ++k)
          if (x[static_cast<std::size_t>(k)].id() != k) throw InternalError("a rule's symbols are not its operands' expressions");
        return body();
      },
      dtype_);
  std::vector<int> read;
  for (const FormulaNode& n : wide->nodes)
    if (n.atom == Atom::operand) read.push_back(n.a);
  FormulaRef formula = make_formula(
      std::vector<DType>(read.size(), dtype_),
      [&](std::span<const Ex> x) {
        std::vector<Ex> in(all.size(), Ex(0));
        for (std::size_t k = 0; k < read.size(); ++k) in[static_cast<std::size_t>(read[k])] = x[k];
        return inlined(*wide, in);
      },
      dtype_);
  const Ex symbol = declare();
  steps_.push_back({symbol.id(), target, std::move(formula), std::move(read)});
  return symbol;
}

std::vector<std::string> Rule::state_names() const {
  std::vector<std::string> names;
  for (const State& s : states_) names.push_back(s.name);
  return names;
}

Rule::Cells Rule::missing(const Variable& parameter, const Cells& cells) const {
  Cells made;
  for (const State& s : states_)
    if (find(cells, s.name) == nullptr) made.emplace_back(s.name, filled(parameter, s.name, s.initial));
  return made;
}

bool Rule::is_complete(const Cells& cells) const {
  return std::all_of(states_.begin(), states_.end(), [&](const State& s) { return find(cells, s.name) != nullptr; });
}

double Rule::number_at(std::size_t position, const Moment& moment) const {
  const Number& n = numbers_[position];
  return n.timed ? n.timed(moment) : n.value;
}

std::vector<Ref> Rule::shared_numbers(const Reads& read) const {
  std::vector<Ref> made(static_cast<std::size_t>(symbols_));
  for (std::size_t i = 0; i < numbers_.size(); ++i)
    if (!numbers_[i].timed) made[static_cast<std::size_t>(numbers_[i].symbol)] = owned_number([read, i] { return read(i); }, dtype_);
  return made;
}

bool Rule::counts_steps() const {
  return std::any_of(numbers_.begin(), numbers_.end(), [](const Number& n) { return static_cast<bool>(n.timed); });
}

bool Rule::same_formulas(const Rule& other) const {
  auto same_state = [](const State& a, const State& b) { return a.symbol == b.symbol && a.name == b.name; };
  auto same_number = [](const Number& a, const Number& b) { return a.symbol == b.symbol && static_cast<bool>(a.timed) == static_cast<bool>(b.timed); };
  auto same_step = [](const Step& a, const Step& b) {  // formulas are interned
    return a.symbol == b.symbol && a.target == b.target && a.formula == b.formula && a.operands == b.operands;
  };
  return dtype_ == other.dtype_ && std::ranges::equal(states_, other.states_, same_state) && std::ranges::equal(numbers_, other.numbers_, same_number) &&
         std::ranges::equal(steps_, other.steps_, same_step);
}

void Rule::record(const Variable& parameter, const Ref& gradient, const Cells& cells, const std::vector<Ref>& shared, const Reads& read,
                  const SourceLine& where) const {
  Tape& tape = *Tape::current();
  std::vector<Ref> values = shared;
  auto value = [&](int symbol) -> Ref& { return values[static_cast<std::size_t>(symbol)]; };
  value(0) = tape.read(parameter.cell());
  value(1) = gradient;
  const Shape& shape = value(0).shape();
  auto cell_of = [&](const State& s) -> const std::shared_ptr<Cell>& { return find(cells, s.name)->cell(); };
  for (const State& s : states_) value(s.symbol) = tape.read(cell_of(s));
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    const Number& n = numbers_[i];
    value(n.symbol) = graph::broadcast(n.timed ? owned_number([read, i] { return read(i); }, dtype_) : value(n.symbol), shape);
  }
  for (const Step& step : steps_) {
    std::vector<Ref> operands;
    for (const int symbol : step.operands) operands.push_back(value(symbol));
    value(step.symbol) = graph::map(step.formula, operands, shape);
  }
  // Assigned last: all of them read the values before the step.
  for (const Step& step : steps_) {
    if (step.target == none) continue;
    const auto state = std::find_if(states_.begin(), states_.end(), [&](const State& s) { return s.symbol == step.target; });
    tape.assign(state != states_.end() ? cell_of(*state) : parameter.cell(), value(step.symbol), where);
  }
}

}  // namespace cotan::optim
