// Loop nests over a domain with affine forms of their indices: what sums and reductions are walked with.
//
// A nest has levels, the outermost first. A condition 0 <= form < below on the indices is met once at the deepest level that it depends on, by shortening that
// level's range; no point is tested. Forms may also contain entries of tables, each read once at the deepest level that its position depends on; a condition
// that depends on an entry of its own level is tested for each of that level's turns.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "graph/kernel.h"
#include "ops/index_expr.h"

namespace cotan::loops {

// constant + the sum of steps[level] * index of that level + the sum of coefficient * entry.
struct Form {
  std::int64_t constant = 0;
  std::vector<std::int64_t> steps;                    // for each level
  std::vector<std::pair<int, std::int64_t>> entries;  // (entry, coefficient)
};

struct Condition {
  Form form;
  std::int64_t below = 0;
  bool by_range = true;  // met by shortening its level's range
};

// An entry of a table: where it is read. Out of the table, the point counts for nothing.
struct Entry {
  int table = 0;
  std::vector<Form> at;  // for each dimension of the table
};

struct Level {
  std::int64_t extent = 1;
  std::vector<Condition> conditions;
  std::vector<int> entries;  // those that are read at this level, in order
};

struct Nest {
  std::vector<Level> levels;
  std::vector<Entry> entries;
  bool empty = false;  // a condition without any index fails, or an extent is 0

  // The form of an expression, given the level of each index of the domain (-1: an index of size one). Adds entries as needed, not yet at a level.
  [[nodiscard]] Form form_of(const IndexExpr& e, std::span<const int> level_of);
  // Puts 0 <= form < below at its level, or at `level` if that is deeper, unless it always holds.
  void require(const Form& form, std::int64_t below, int level = 0);
  // Puts the entries at their levels: after all forms were made, before require().
  void place_entries();

  // The deepest level that a form depends on, -1 for a constant.
  [[nodiscard]] int depth_of(const Form& form) const;
  [[nodiscard]] int depth_of_entry(int entry) const;
};

// Where a walk stands: the index of each level and the entries read so far.
struct Position {
  std::vector<std::int64_t> index;
  std::vector<std::int64_t> entries;

  // The form without the term of one level.
  [[nodiscard]] std::int64_t value_without(const Form& form, std::size_t level) const;
  // The form; levels deeper than it depends on do not matter.
  [[nodiscard]] std::int64_t value(const Form& form) const;
};

// The part of [first, last) where every condition of the level that is met by range holds.
[[nodiscard]] std::pair<std::int64_t, std::int64_t> clipped(const Level& level, std::size_t number, const Position& at, std::int64_t first, std::int64_t last);

// The part of [first, last) of i where 0 <= base + step * i < below.
[[nodiscard]] std::pair<std::int64_t, std::int64_t> clipped(std::int64_t base, std::int64_t step, std::int64_t below, std::int64_t first, std::int64_t last);

// An integer tensor of any integer type and strides.
class TableReader {
 public:
  explicit TableReader(const View& view) : view_(view) {}
  [[nodiscard]] std::optional<std::int64_t> read(const void* first, const std::vector<Form>& at, const Position& position) const;

 private:
  View view_;
};

}  // namespace cotan::loops
