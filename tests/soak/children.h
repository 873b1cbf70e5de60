// Seeds in child processes: one that crashes or hangs is reported by its seed, and the others go on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace cotan::soak {

// What a child tells its parent, a line each.
class Report {
 public:
  explicit Report(int pipe) : pipe_(pipe) {}
  // `kind` is one letter of the caller's.
  void line(char kind, std::string_view text) const;

 private:
  int pipe_;
};

// How seeds are shared out.
struct Share {
  std::uint64_t first = 0, count = 0;
  int jobs = 2;       // children at a time
  int seconds = 120;  // that a seed may take
};
// Seeds of one child: from a multiple of it to the next.
inline constexpr std::uint64_t seeds_of_child = 50;

struct ChildWork {
  std::function<void(std::uint64_t first)> begin;                       // in a new child, before the first seed
  std::function<void(std::uint64_t seed, const Report& report)> check;  // one seed
  std::function<void(const Report& report)> end;                        // after a block
};

// Runs all seeds. `told` gets each line; a child that died gives a line of the kind 'X': "seed 17: killed by signal 11 (Segmentation fault)". To be called
// while the process has one thread.
void in_children(const Share& share, const ChildWork& work, const std::function<void(char kind, const std::string& text)>& told);

}  // namespace cotan::soak
