#include "tests/soak/children.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <vector>

namespace cotan::soak {
namespace {

using Clock = std::chrono::steady_clock;

struct Child {
  pid_t process = -1;
  int pipe = -1;
  std::uint64_t now = 0, end = 0;  // the seed it works at; what it was given
  Clock::time_point since;
  std::string rest;  // of a line that has not ended
  bool hangs = false;
};

[[noreturn]] void be_child(int pipe, std::uint64_t first, std::uint64_t end, const ChildWork& work) {
  const Report report(pipe);
  work.begin(first);
  for (std::uint64_t seed = first; seed < end; ++seed) {
    report.line('>', fmt::format("{}", seed));
    work.check(seed, report);
  }
  work.end(report);
  std::fflush(nullptr);
  _exit(0);
}

Child start(std::uint64_t first, std::uint64_t end, const std::vector<Child>& others, const ChildWork& work) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  std::fflush(nullptr);
  const pid_t process = fork();
  if (process < 0) throw std::runtime_error("no child");
  if (process == 0) {
    close(ends[0]);
    for (const Child& o : others) close(o.pipe);
    be_child(ends[1], first, end, work);
  }
  close(ends[1]);
  return {process, ends[0], first, end, Clock::now(), {}, false};
}

// The lines that have come whole.
void read_lines(Child& child, const char* text, std::size_t size, const std::function<void(char, const std::string&)>& told) {
  child.rest.append(text, size);
  std::size_t at = 0;
  for (std::size_t end; (end = child.rest.find('\n', at)) != std::string::npos; at = end + 1) {
    const char kind = child.rest[at];
    const std::string line = child.rest.substr(at + 1, end - at - 1);
    if (kind == '>') {
      child.now = std::stoull(line);
      child.since = Clock::now();
    } else {
      told(kind, line);
    }
  }
  child.rest.erase(0, at);
}

// How a child ended, if it did not end well.
std::string death_of(const Child& child, int status) {
  if (child.hangs) return fmt::format("seed {}: takes too long", child.now);
  if (WIFSIGNALED(status)) return fmt::format("seed {}: killed by signal {} ({})", child.now, WTERMSIG(status), strsignal(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) return fmt::format("seed {}: exit status {}", child.now, WEXITSTATUS(status));
  return {};
}

}  // namespace

void Report::line(char kind, std::string_view text) const {
  std::string out = fmt::format("{}{}", kind, text);
  std::replace(out.begin(), out.end(), '\n', ' ');
  out += '\n';
  for (std::size_t at = 0; at < out.size();) {
    const ssize_t wrote = write(pipe_, out.data() + at, out.size() - at);
    if (wrote <= 0) _exit(3);
    at += static_cast<std::size_t>(wrote);
  }
}

void in_children(const Share& share, const ChildWork& work, const std::function<void(char, const std::string&)>& told) {
  std::uint64_t next = share.first;
  const std::uint64_t last = share.first + share.count;
  std::vector<Child> children;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> left;  // of children that died
  const auto more = [&] { return !left.empty() || next < last; };
  while (more() || !children.empty()) {
    while (more() && children.size() < static_cast<std::size_t>(share.jobs)) {
      std::pair<std::uint64_t, std::uint64_t> seeds{next, std::min(last, (next / seeds_of_child + 1) * seeds_of_child)};
      if (left.empty()) {
        next = seeds.second;
      } else {
        seeds = left.back();
        left.pop_back();
      }
      children.push_back(start(seeds.first, seeds.second, children, work));
    }
    std::vector<pollfd> waiting;
    for (const Child& c : children) waiting.push_back({c.pipe, POLLIN, 0});
    poll(waiting.data(), waiting.size(), 1000);
    for (std::size_t i = children.size(); i-- > 0;) {
      Child& c = children[i];
      if (!c.hangs && Clock::now() - c.since > std::chrono::seconds(share.seconds)) {
        c.hangs = true;
        kill(c.process, SIGKILL);
      }
      if (waiting[i].revents == 0) continue;
      char text[65536];
      const ssize_t size = read(c.pipe, text, sizeof text);
      if (size > 0) {
        read_lines(c, text, static_cast<std::size_t>(size), told);
        continue;
      }
      int status = 0;
      waitpid(c.process, &status, 0);
      close(c.pipe);
      if (const std::string death = death_of(c, status); !death.empty()) {
        told('X', death);
        if (c.now + 1 < c.end) left.emplace_back(c.now + 1, c.end);
      }
      children.erase(children.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

}  // namespace cotan::soak
