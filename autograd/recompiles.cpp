#include "autograd/recompiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <utility>

#include "autograd/cache.h"
#include "autograd/execution.h"
#include "autograd/tape.h"
#include "graph/text/words.h"

namespace cotan {
namespace {

thread_local const SourceLine* forbidden = nullptr;  // the line that forbade to compile

// What a place compiled last.
struct Compilation {
  SourceLine line;
  std::uint64_t function = 0;
  std::vector<std::pair<std::string, std::string>> inputs;  // names and types
  std::vector<std::pair<std::string, std::int64_t>> modes;
  CompileOptions options;
  std::vector<std::uint64_t> words;
  std::vector<std::size_t> begins;  // of each node in the words
  std::vector<SourceLine> lines;    // of the nodes
  std::vector<int> numbers;         // of the nodes in the text form; -1 for inputs

  [[nodiscard]] std::span<const std::uint64_t> node(std::size_t i) const {
    const std::size_t end = i + 1 < begins.size() ? begins[i + 1] : words.size();
    return std::span(words).subspan(begins[i], end - begins[i]);
  }
};

std::string name_of_leaf(const Node& n) {
  if (const CellVersion* version = version_of(n)) return fmt::format("variable '{}'", version->cell->name);
  if (n.kind != Kind::leaf) return fmt::format("the value from {}", line_of(n).text());
  switch (n.as<LeafSpec>().role) {
    case LeafRole::scalar: return "a number";
    case LeafRole::random: return "a draw of random numbers";
    default: return "a tensor";
  }
}

Compilation describe(const Structure& structure, const CompileOptions& options, const Place& place) {
  Compilation c{place.line, place.function, {}, place.modes, options, structure.key.words, structure.begins, {}, {}};
  for (std::size_t i = 0; i < structure.inputs.size(); ++i) {
    const Edge& e = structure.inputs[i];
    const std::string given = place.name_of_input ? place.name_of_input(i) : "";
    c.inputs.emplace_back(given.empty() ? name_of_leaf(*e.node) : given, text_form::type_text(e.node->dtype_of(e.result), e.node->shape_of(e.result)));
  }
  int number = 0;
  for (const Node* n : structure.order) {
    c.lines.push_back(line_of(*n));
    c.numbers.push_back(n->operand_count > 0 ? number++ : -1);
  }
  return c;
}

std::string node_text(const Compilation& c, std::size_t i) {
  const std::string name = c.numbers[i] >= 0 ? fmt::format("%{}", c.numbers[i]) : fmt::format("input or constant {}", i);
  return c.lines[i].line > 0 ? fmt::format("{} ({})", name, c.lines[i].text()) : name;
}

// The first difference, the nearest to what the user wrote before what follows from it.
std::string difference(const Compilation& before, const Compilation& now) {
  for (std::size_t i = 0; i < std::min(before.modes.size(), now.modes.size()); ++i) {
    const auto& [what, then] = before.modes[i];
    if (now.modes[i].first == what && now.modes[i].second != then) return fmt::format("{}: {} -> {}", what, then, now.modes[i].second);
  }
  if (before.inputs.size() == now.inputs.size())
    for (std::size_t i = 0; i < now.inputs.size(); ++i)
      if (before.inputs[i].second != now.inputs[i].second)
        return fmt::format("{}: {} -> {}", now.inputs[i].first, before.inputs[i].second, now.inputs[i].second);
  const CompileOptions &a = before.options, &b = now.options;
  auto mode = [](const CompileOptions& o) { return o.mode == ExecutionMode::reference ? "reference" : "compiled"; };
  if (a.mode != b.mode) return fmt::format("mode: {} -> {}", mode(a), mode(b));
  if (a.threads != b.threads) return fmt::format("threads: {} -> {}", a.threads, b.threads);
  if (a.backends.target != b.backends.target) return fmt::format("machine: {} -> {}", a.backends.target.text(), b.backends.target.text());
  if (a.backends.reproducible != b.backends.reproducible)
    return fmt::format("reproducible: {} -> {}", a.backends.reproducible, b.backends.reproducible);
  if (a.passes != b.passes) return fmt::format("passes: '{}' -> '{}'", a.passes.text(), b.passes.text());
  if (a.promises != b.promises && before.words == now.words) return "other pieces of the graph must_fuse()";
  for (std::size_t i = 0; i < std::min(before.begins.size(), now.begins.size()); ++i)
    if (!std::ranges::equal(before.node(i), now.node(i))) return fmt::format("the graph differs at {}", node_text(now, i));
  if (before.begins.size() != now.begins.size()) return fmt::format("the graph has {} nodes, not {}", now.begins.size(), before.begins.size());
  if (before.words != now.words) return "other results are wanted of the graph";
  if (a.updates != b.updates) return "other variables are written";
  return "the compiled graph had been dropped from the cache, which was full";
}

class Account {
 public:
  void note(Compilation now) {
    std::lock_guard lock(mutex_);
    const auto before = std::find_if(places_.begin(), places_.end(), [&](const Compilation& c) {
      return c.function == now.function && c.line.line == now.line.line && std::string_view(c.line.file) == now.line.file;
    });
    const bool first = before == places_.end();
    const std::string reason = first ? "nothing was compiled here before" : difference(*before, now);
    if (forbidden != nullptr)
      fail(fmt::format("this would compile, which must_not_recompile() at {} forbids: {}", forbidden->text(), reason),
           "Run each shape and option once before the scope, or keep them the same inside it");
    if (!first) {
      recompiles_.push_back({now.line, reason});
      if (recompiles_.size() > most) recompiles_.pop_front();
      places_.erase(before);
    }
    places_.push_back(std::move(now));
    if (places_.size() > most) places_.pop_front();
  }
  std::vector<Recompile> recompiles() {
    std::lock_guard lock(mutex_);
    return {recompiles_.begin(), recompiles_.end()};
  }
  void clear() {
    std::lock_guard lock(mutex_);
    places_.clear();
    recompiles_.clear();
  }

 private:
  static constexpr std::size_t most = 256;
  std::mutex mutex_;
  std::deque<Compilation> places_;  // the one that compiled last at the end
  std::deque<Recompile> recompiles_;
};

Account& account() {
  static auto* the_account = new Account;  // never destroyed, as the cache
  return *the_account;
}

}  // namespace

void note_compilation(const Structure& structure, const CompileOptions& options, const Place& place) { account().note(describe(structure, options, place)); }

void forget_compilations() { account().clear(); }

std::vector<Recompile> explain_recompiles() { return account().recompiles(); }

MustNotRecompile::MustNotRecompile(const SourceLine& where) : outer_(forbidden), where_(where) { forbidden = &where_; }
MustNotRecompile::~MustNotRecompile() { forbidden = outer_; }

}  // namespace cotan
