#include "backends/loops/jit/program.h"

#include <algorithm>

namespace cotan::loops::jit {

const OpInfo& info(Op op) {
  static constexpr OpInfo rows[] = {
#define OPERATION(name, operands, result, memory, commutes) {operands, Result::result, memory, commutes},
#include "backends/loops/jit/operations.def"
  };
  return rows[static_cast<std::size_t>(op)];
}

int Program::record(Op op, int a, int b, int c, std::uint32_t number) {
  // A choice between the two that were compared is one instruction, for NaN and zeros of either sign too.
  if (op == Op::select && (*this)[a].op == Op::less) {
    const Instruction& compared = (*this)[a];
    if (compared.in[0] == b && compared.in[1] == c) return record(Op::less_of, b, c);
    if (compared.in[0] == c && compared.in[1] == b) return record(Op::greater_of, b, c);
  }
  const auto [at, fresh] = known_.try_emplace({op, a, b, c, number}, size());
  if (!fresh) return at->second;
  Instruction x{op, {a, b, c}, number, Level::call};
  if (op == Op::load || op == Op::load_mask) x.level = loads_[number].level;
  for (int operand : x.in)
    if (operand >= 0) x.level = std::max(x.level, (*this)[operand].level);
  instructions_.push_back(x);
  return at->second;
}

bool Program::adds() const {
  return std::any_of(stores_.begin(), stores_.end(), [](const Store& s) { return s.way != Way::write; });
}

void Program::remove_unread() {
  std::vector<int> moved(instructions_.size(), -1);
  for (const Store& s : stores_) moved[static_cast<std::size_t>(s.value)] = 0;
  for (std::size_t i = instructions_.size(); i-- > 0;)
    if (moved[i] == 0)
      for (int operand : instructions_[i].in)
        if (operand >= 0) moved[static_cast<std::size_t>(operand)] = 0;
  std::vector<Instruction> kept;
  for (std::size_t i = 0; i < moved.size(); ++i) {
    if (moved[i] < 0) continue;
    moved[i] = static_cast<int>(kept.size());
    kept.push_back(instructions_[i]);
    for (int& operand : kept.back().in)
      if (operand >= 0) operand = moved[static_cast<std::size_t>(operand)];
  }
  for (Store& s : stores_) s.value = moved[static_cast<std::size_t>(s.value)];
  instructions_ = std::move(kept);
  known_.clear();
}

}  // namespace cotan::loops::jit
