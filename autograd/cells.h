// Which evaluations may use which cells at the same time. Internal to autograd.
//
// One mutex guards the storage, version and last_write of all cells. It is held only to look at them or to change them; while an evaluation computes the next
// value of a cell, the cell is marked as being written, and whoever wants it waits. A thread takes all the cells it wants at once or none, so nobody holds some
// while waiting for others.
#pragma once

#include <mutex>
#include <vector>

#include "autograd/tape.h"

namespace cotan {

// The lock on all cells' fields, taken once nobody writes this cell.
[[nodiscard]] std::unique_lock<std::mutex> lock_cell(const Cell& cell);

// The cells that one evaluation reads and writes. Those written are its own until it ends; those read can be looked at until release().
class CellsInUse {
 public:
  CellsInUse() = default;
  CellsInUse(const CellsInUse&) = delete;
  CellsInUse& operator=(const CellsInUse&) = delete;
  ~CellsInUse();

  // Waits until nobody writes any of them, marks those to be written, and holds the lock on all cells' fields.
  void take(const std::vector<Cell*>& read, const std::vector<Cell*>& written);
  // Gives up the lock. Those written stay this evaluation's.
  void release() { lock_.unlock(); }
  // Holds the lock again, to change the cells written; the end gives it up.
  void lock_again() { lock_.lock(); }

 private:
  std::unique_lock<std::mutex> lock_;
  std::vector<Cell*> written_;
};

}  // namespace cotan
