// What recording a function for compile() notes beside the graph. Internal to autograd.
//
// A compiled function is recorded once and then run without its C++ code. What that code reads from objects of the library at each call is noted here while
// it runs for the first time: numbers that an optimizer owns, draws from generators, modes that decided which way the code went, and what remains to be done
// when the graph has run.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "autograd/random.h"
#include "autograd/tape.h"

namespace cotan {

class Recorder {
 public:
  // Something that decided how the function was recorded: with another value it has to be recorded again.
  struct Watch {
    std::string what;                   // "training mode of Dropout"
    std::function<std::int64_t()> now;  // reads the value
    std::int64_t then = 0;              // as recorded
  };
  // Numbers that a generator gave: the next call takes as many.
  struct Draw {
    Generator generator;
    std::uint64_t blocks = 0;
    Ref leaf;  // that reads them
  };

  // A cell whose gradient a step consumed.
  struct Step {
    std::shared_ptr<Cell> cell;
    bool may_repeat = false;  // another step of it in the same run reads the same numbers and states
  };

  explicit Recorder(std::uint64_t first_state);

  // The leaf's number is to be read at each call.
  void number(const Ref& leaf, std::function<double()> read) { numbers.emplace(leaf->as<LeafSpec>().identity, std::move(read)); }
  // The leaf reads what the generator just gave.
  void draw(const Ref& leaf, const Generator& generator, std::uint64_t blocks);
  void watch(std::string what, std::function<std::int64_t()> now);
  // Throws Error for a cell that was stepped before by one that may not repeat.
  void step(const Step& step);
  // Done after each run that succeeds, in order.
  void afterwards(std::function<void()> action) { effects.push_back(std::move(action)); }
  // Whether the tensor was made before the function began.
  [[nodiscard]] bool is_captured(const TensorState& state) const;

  std::unordered_map<std::uint64_t, std::function<double()>> numbers;  // by the leaf's identity
  std::unordered_map<std::uint64_t, std::size_t> drawn;                // likewise: which draw
  std::vector<Draw> draws;
  std::vector<Watch> watches;
  std::vector<std::function<void()>> effects;
  std::vector<std::shared_ptr<Cell>> graded;  // to whose gradients something was added
  std::vector<Step> stepped;
  bool backward = false;  // whether backward() was called

 private:
  std::uint64_t first_state_;
  std::uint64_t first_generator_;
};

// Whether what was watched is as it was.
[[nodiscard]] bool unchanged(std::span<const Recorder::Watch> watches);

// While one lives, what the thread records is the recorder's alone: assignments stay pending and end with it, gradients begin anew, and nothing is evaluated.
// What was there before comes back.
class RecordingTape {
 public:
  explicit RecordingTape(Recorder& recorder);
  ~RecordingTape();
  RecordingTape(const RecordingTape&) = delete;
  RecordingTape& operator=(const RecordingTape&) = delete;

 private:
  Tape& tape_;
  Recorder* recorder_;
  std::unordered_map<std::uint64_t, Tape::Gradient> gradients_;
  std::vector<Tape::Assignment> assignments_;
  Tape::Captured* captured_;
};

// A rank-0 leaf of a number that an optimizer or a module owns. It never folds, whatever its value, and compiled functions read it at each call.
[[nodiscard]] Ref owned_number(std::function<double()> read, DType dtype);

// Throws Error where a function is being recorded for compile(): `what` cannot be part of one.
void require_not_recording(const char* what, const char* remedy);

}  // namespace cotan
