// What a function's C++ code does, run once on stand-ins for its arguments, and recorded again wherever the function is called. Internal to autograd.
//
// compile() calls its function for traces alone. A recording that is compiled and a call inside another function, or by whose arguments gradients may be
// asked, are replays of one: the same nodes on the arguments at hand, the same reads and assignments of variables, fresh draws, numbers as they are now.
//
// Nodes belong to a thread, and so does a trace.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "autograd/function.h"
#include "autograd/recorder.h"
#include "autograd/substitution.h"

namespace cotan {

// One run of a function, on one thread.
class Trace {
 public:
  // Calls `body` on stand-ins for such arguments. A backward() in it reaches those that lead to gradients. Throws Error for what the function may not do.
  Trace(const std::vector<Tensor>& arguments, const TensorFunction& body, const SourceLine& where);

  // Whether the body would do the same for these arguments, here and now.
  [[nodiscard]] bool fits(const std::vector<Tensor>& arguments) const;
  // Whether its thread is gone, so that it fits nothing any more.
  [[nodiscard]] bool is_orphan() const { return tape_.expired(); }

  // Does again what the body did; where nothing records, a step of an optimizer runs. `first`: the trace was made for this, and its draws are this one's.
  // Throws Error for a gradient that a step inside would leave out.
  [[nodiscard]] std::vector<Tensor> replay(const std::vector<Tensor>& arguments, bool first, const SourceLine& where) const;

 private:
  struct Result {
    Ref ref;
    SourceLine line;  // that recorded it
    bool detached = false;
  };
  struct Gradient {
    std::shared_ptr<Cell> cell;  // null: of an argument
    std::size_t argument = 0;
    Ref ref;
    SourceLine line;
  };
  struct Number {
    Ref leaf;
    std::function<double()> read;
  };
  void note(const std::vector<Tensor>& results, Recorder& recorder);
  void note_leaves(const Recorder& recorder);
  void replace_leaves(Substitution& here, bool first) const;
  void accumulate(const Gradient& g, const Ref& value, const std::vector<Tensor>& arguments) const;

  std::weak_ptr<Tape> tape_;
  bool no_grad_;
  std::vector<bool> leads_to_gradients_;  // of each argument
  bool backward_ = false;                 // whether that mattered
  std::vector<Ref> stand_ins_;            // data leaves without a value
  std::vector<Result> results_;
  std::vector<Gradient> gradients_;  // that the body accumulated and no step in it consumed
  std::vector<Tape::Assignment> assignments_;
  std::vector<Ref> variables_;  // leaves of cells as they were before
  std::vector<Number> numbers_;
  std::vector<Recorder::Draw> draws_;
  std::vector<Recorder::Watch> watches_;
  std::vector<std::function<void()>> effects_;
  std::vector<Recorder::Step> stepped_;
};

// Whether a gradient could be asked by something behind the tensor: then its history must not be lost.
[[nodiscard]] bool leads_to_gradients(const Tensor& t);

// Throws Error where one of these cells has a gradient here, which a step inside the function would not see.
void require_no_outer_gradients(std::span<const Recorder::Step> stepped);

}  // namespace cotan
