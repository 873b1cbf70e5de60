#include "autograd/cells.h"

#include <algorithm>
#include <condition_variable>

namespace cotan {
namespace {

struct Monitor {
  std::mutex mutex;
  std::condition_variable ended;  // an evaluation that wrote cells
};

Monitor& monitor() {
  static auto* the_monitor = new Monitor;  // never destroyed: threads may outlive other statics
  return *the_monitor;
}

}  // namespace

std::unique_lock<std::mutex> lock_cell(const Cell& cell) {
  std::unique_lock lock(monitor().mutex);
  monitor().ended.wait(lock, [&] { return !cell.being_written; });
  return lock;
}

void CellsInUse::take(const std::vector<Cell*>& read, const std::vector<Cell*>& written) {
  auto free = [](const std::vector<Cell*>& cells) { return std::none_of(cells.begin(), cells.end(), [](const Cell* c) { return c->being_written; }); };
  lock_ = std::unique_lock(monitor().mutex);
  monitor().ended.wait(lock_, [&] { return free(read) && free(written); });
  written_ = written;
  for (Cell* c : written_) c->being_written = true;
}

CellsInUse::~CellsInUse() {
  if (written_.empty()) return;
  if (!lock_.owns_lock()) lock_.lock();
  for (Cell* c : written_) c->being_written = false;
  lock_.unlock();
  monitor().ended.notify_all();
}

}  // namespace cotan
