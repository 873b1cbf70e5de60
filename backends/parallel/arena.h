// The one TBB arena: where helpers come from. No TBB in this header.
#pragma once

#include "backends/parallel/board.h"

namespace cotan::parallel {

// The process's board. Never destroyed, for workers may look at it while the process exits.
[[nodiscard]] Board& board();

// Asks the arena for up to `helpers` workers that call board().help(). Requests that have not been taken up count, so the queue never holds more than the
// arena has workers, however many calls end before a worker wakes. Never throws: with no help the caller does it all.
void summon(int helpers) noexcept;

}  // namespace cotan::parallel
