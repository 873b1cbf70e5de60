#include "autograd/recorder.h"

#include <fmt/format.h>

#include "graph/builder.h"
#include "ops/error.h"

namespace cotan {

Recorder::Recorder(std::uint64_t first_state) : first_state_(first_state), first_generator_(Generator::next_number()) {}

void Recorder::draw(const Ref& leaf, const Generator& generator, std::uint64_t blocks) {
  if (generator.number() >= first_generator_) return;  // made by the function itself, so it gives the same numbers at each call
  drawn.emplace(leaf->as<LeafSpec>().identity, draws.size());
  draws.push_back({generator, blocks});
}

void Recorder::watch(std::string what, std::function<std::int64_t()> now) {
  const std::int64_t then = now();
  watches.push_back({std::move(what), std::move(now), then});
}

bool Recorder::is_captured(const TensorState& state) const { return !state.constant && (state.tape != Tape::current() || state.number < first_state_); }

Ref owned_number(std::function<double()> read, DType dtype) {
  Ref leaf = graph::scalar(read(), dtype);
  if (Recorder* recorder = Tape::current()->recorder) recorder->number(leaf, std::move(read));
  return leaf;
}

void require_not_recording(const char* what, const char* remedy) {
  if (Tape::current()->recorder != nullptr) fail(fmt::format("{} inside a compiled function", what), remedy);
}

}  // namespace cotan
