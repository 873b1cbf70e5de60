// What generated code computes for each element: a list of vector instructions, each reading earlier ones, and the stores of their results.
//
// Instructions are numbered in order; recording the same one twice gives the same number. Each has a level: how often its value changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "graph/target.h"
#include "ops/dtype.h"

namespace cotan::loops::jit {

enum class Op : std::uint8_t {
#define OPERATION(name, ...) name,
#include "backends/loops/jit/operations.def"
};

enum class Result : std::uint8_t { vector, mask };

// A row of operations.def.
struct OpInfo {
  int operands;
  Result result;
  int memory;
  bool commutes;
};
[[nodiscard]] const OpInfo& info(Op op);

// How often a value changes: never during a call of the code, from row to row, from column to column.
enum class Level : std::uint8_t { call, row, column };

// How the elements that a load reads lie: one for everything, one for each row, or one after the other.
struct Load {
  DType dtype = DType::f32;
  Level level = Level::column;
  bool operator==(const Load&) const = default;
};

// What a store does: it writes its value, or adds it, f32, to accumulators in float64 that lie at its address. The accumulators of columns may be written up to
// a vector beyond the last column.
enum class Way : std::uint8_t {
  write,
  add_columns,  // each column has an accumulator
  add_many,     // there are 32, for column i number i % 32
  add_few,      // there are 8, for column i number i % 8
};

struct Store {
  int value = -1;
  DType dtype = DType::f32;
  Way way = Way::write;
};

struct Instruction {
  Op op = Op::constant;
  int in[3] = {-1, -1, -1};
  std::uint32_t number = 0;  // a constant's bits, a load's position, a shift's count
  Level level = Level::call;
};

class Program {
 public:
  Program(std::vector<Load> loads, InstructionSet set) : set_(set), loads_(std::move(loads)) {}

  // For which instructions may be recorded that not all have.
  [[nodiscard]] InstructionSet instruction_set() const { return set_; }

  // The number of the instruction.
  int record(Op op, int a = -1, int b = -1, int c = -1, std::uint32_t number = 0);
  int record_constant(std::uint32_t bits) { return record(Op::constant, -1, -1, -1, bits); }
  // Values of boolean stores are masks. Of bf16 stores they are float32 that bf16 holds, of u8 int32 from 0 to 255.
  void store(int value, DType dtype, Way way = Way::write) { stores_.push_back({value, dtype, way}); }
  // Takes out what no store needs.
  void remove_unread();

  [[nodiscard]] const Instruction& operator[](int i) const { return instructions_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] int size() const { return static_cast<int>(instructions_.size()); }
  [[nodiscard]] bool is_mask(int i) const { return info((*this)[i].op).result == Result::mask; }
  [[nodiscard]] const std::vector<Load>& loads() const { return loads_; }
  [[nodiscard]] const std::vector<Store>& stores() const { return stores_; }
  // Whether a store adds.
  [[nodiscard]] bool adds() const;

 private:
  InstructionSet set_;
  std::vector<Load> loads_;
  std::vector<Store> stores_;
  std::vector<Instruction> instructions_;
  std::map<std::tuple<Op, int, int, int, std::uint32_t>, int> known_;
};

}  // namespace cotan::loops::jit
