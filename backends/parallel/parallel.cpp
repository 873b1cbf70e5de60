#include "backends/parallel/parallel.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/parallel/arena.h"
#include "ops/error.h"

namespace cotan::parallel {
namespace {

// The greatest number of chunks in a phase: more workers than that have nothing to do.
std::int64_t widest(std::span<const std::int64_t> chunks_of_phase) {
  constexpr std::int64_t kLimit = (std::int64_t{1} << 32) - 1;
  if (chunks_of_phase.size() >= static_cast<std::size_t>(kLimit)) throw InternalError(fmt::format("a walk of {} phases", chunks_of_phase.size()));
  std::int64_t most = 0, least = 0;
  for (const std::int64_t chunks : chunks_of_phase) {
    most = std::max(most, chunks);
    least = std::min(least, chunks);
  }
  if (least < 0 || most > kLimit) throw InternalError(fmt::format("a phase of {} chunks", least < 0 ? least : most));
  return most;
}

void run_serially(std::span<const std::int64_t> chunks_of_phase, const PhaseBody& body) {
  const InsideBody mark;
  for (std::size_t phase = 0; phase < chunks_of_phase.size(); ++phase) {
    for (std::int64_t chunk = 0; chunk < chunks_of_phase[phase]; ++chunk) body(static_cast<std::int64_t>(phase), chunk, 0);
  }
}

}  // namespace

void run_phases(std::span<const std::int64_t> chunks_of_phase, PhaseBody body, bool serial) {
  const std::int64_t most = widest(chunks_of_phase);
  if (!serial && !inside_body()) {
    const int team = static_cast<int>(std::min<std::int64_t>(most, worker_count()));
    if (team > 1 && board().run(chunks_of_phase, body, team, summon)) return;
  }
  run_serially(chunks_of_phase, body);
}

}  // namespace cotan::parallel
