#include "autograd/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "graph/builder.h"
#include "ops/error.h"

namespace cotan {

Recorder::Recorder(std::uint64_t first_state) : first_state_(first_state), first_generator_(Generator::next_number()) {}

void Recorder::draw(const Ref& leaf, const Generator& generator, std::uint64_t blocks) {
  if (generator.number() >= first_generator_) return;  // made by the function itself, so it gives the same numbers at each call
  drawn.emplace(leaf->as<LeafSpec>().identity, draws.size());
  draws.push_back({generator, blocks, leaf});
}

void Recorder::watch(std::string what, std::function<std::int64_t()> now) {
  const std::int64_t then = now();
  watches.push_back({std::move(what), std::move(now), then});
}

void Recorder::step(const Step& step) {
  const bool repeats = std::any_of(stepped.begin(), stepped.end(), [&](const Step& s) { return s.cell == step.cell && !s.may_repeat; });
  if (repeats)
    fail(fmt::format("variable '{}' is stepped twice in one compiled function, by an optimizer that counts its steps", step.cell->name),
         "Step once, and call the compiled function as often as there are steps");
  stepped.push_back(step);
}

bool Recorder::is_captured(const TensorState& state) const { return !state.constant && (state.tape != Tape::current() || state.number < first_state_); }

bool unchanged(std::span<const Recorder::Watch> watches) {
  return std::all_of(watches.begin(), watches.end(), [](const Recorder::Watch& w) { return w.now() == w.then; });
}

RecordingTape::RecordingTape(Recorder& recorder)
    : tape_(*Tape::current()),
      recorder_(std::exchange(tape_.recorder, &recorder)),
      gradients_(std::exchange(tape_.gradients, {})),
      assignments_(tape_.exchange_assignments({})),
      captured_(std::exchange(tape_.captured, nullptr)) {}

RecordingTape::~RecordingTape() {
  tape_.discard_assignments();
  tape_.exchange_assignments(std::move(assignments_));
  tape_.gradients = std::move(gradients_);
  tape_.recorder = recorder_;
  tape_.captured = captured_;
}

Ref owned_number(std::function<double()> read, DType dtype) {
  Ref leaf = graph::scalar(read(), dtype);
  if (Recorder* recorder = Tape::current()->recorder) recorder->number(leaf, std::move(read));
  return leaf;
}

void require_not_recording(const char* what, const char* remedy) {
  if (Tape::current()->recorder != nullptr) fail(fmt::format("{} inside a compiled function", what), remedy);
}

}  // namespace cotan
