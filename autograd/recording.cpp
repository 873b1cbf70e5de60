#include "autograd/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "autograd/dependence.h"
#include "autograd/execution.h"
#include "ops/error.h"

namespace cotan {
namespace {

class Recorded {
 public:
  Recorded(const Signature& signature, const SourceLine& where, std::uint64_t function) : where_(where), function_(function) { made_->signature = signature; }

  std::shared_ptr<Recording> run(const std::vector<Tensor>& arguments, const TensorFunction& body, std::shared_ptr<const Program>& program) {
    const RecordingTape recording(recorder_);
    call(arguments, body);
    const CallSite site("compiled function", where_);
    add_gradients();
    add_writes();
    const std::vector<Ref> recorded = std::exchange(roots_, with_assigned_values(tape_, roots_));
    structure_ = structure_of(roots_, [](const Node&) { return false; });
    bind();
    forget(recorded);
    note_nodes();
    made_->draws = std::move(recorder_.draws);
    made_->watches = std::move(recorder_.watches);
    made_->effects = std::move(recorder_.effects);
    made_->stepped = std::move(recorder_.stepped);
    compile(program);
    return std::move(made_);
  }

 private:
  void call(const std::vector<Tensor>& arguments, const TensorFunction& body) {
    std::vector<Tensor> stand_ins;
    for (const Tensor& a : arguments) {
      const Ref leaf = data_leaf(nullptr, a.dtype(), a.shape());
      made_->stand_ins.push_back(leaf->as<LeafSpec>().identity);
      stand_ins.push_back(Tensor::wrap(leaf, a.state()->line));
    }
    const std::vector<Tensor> results = body(stand_ins);
    const CallSite site("compiled function", where_);
    for (const Tensor& r : results) add_output(use(r.state()), r.state()->line, r.state()->detached, nullptr);
  }

  void add_output(const Ref& r, const SourceLine& line, bool detached, std::shared_ptr<Cell> gradient_of) {
    roots_.push_back(r);
    made_->outputs.push_back({{r.dtype(), r.shape()}, line, detached, nullptr, std::move(gradient_of)});
  }

  // Gradients that the function accumulated and no step in it consumed.
  void add_gradients() {
    for (const std::shared_ptr<Cell>& cell : recorder_.graded) {
      const bool known = std::any_of(made_->outputs.begin(), made_->outputs.end(), [&](const Output& o) { return o.gradient_of == cell; });
      const Tape::Gradient* gradient = known ? nullptr : tape_.gradient_of(*cell);
      if (gradient != nullptr) add_output(use(gradient->tensor.state()), gradient->tensor.state()->line, false, cell);
    }
  }

  void add_writes() {
    for (const Tape::Assignment& a : tape_.pending) {
      if (a.superseded) continue;
      roots_.push_back(a.next);
      made_->writes.push_back({a.cell, a.line});
    }
  }

  void bind() {
    for (std::size_t i = 0; i < structure_.inputs.size(); ++i) {
      const Node& n = *structure_.inputs[i].node;
      const auto& leaf = n.as<LeafSpec>();
      Source& source = made_->inputs.emplace_back();
      source.line = line_of(n);
      switch (leaf.role) {
        case LeafRole::data: bind_data(source, leaf); break;
        case LeafRole::variable:
          source.from = Source::From::cell;
          source.cell = version_of(n)->cell;
          for (std::size_t w = 0; w < made_->writes.size(); ++w)
            if (made_->writes[w].cell == source.cell) updates_.push_back({static_cast<int>(made_->outputs.size() + w), static_cast<int>(i)});
          break;
        case LeafRole::scalar:
          source.from = Source::From::number;
          source.number = leaf.scalar;
          if (const auto found = recorder_.numbers.find(leaf.identity); found != recorder_.numbers.end()) source.read = found->second;
          break;
        case LeafRole::random:
          source.from = Source::From::draw;
          source.random = {leaf.key, leaf.counter};
          source.index = Source::fixed;
          if (const auto found = recorder_.drawn.find(leaf.identity); found != recorder_.drawn.end()) source.index = found->second;
          break;
        default: throw InternalError(fmt::format("a {} leaf in a recorded function", name_of(leaf.role)));
      }
    }
  }

  void bind_data(Source& source, const LeafSpec& leaf) {
    const auto argument = std::find(made_->stand_ins.begin(), made_->stand_ins.end(), leaf.identity);
    if (argument != made_->stand_ins.end()) {
      source.index = static_cast<std::size_t>(argument - made_->stand_ins.begin());
      return;
    }
    source.from = Source::From::constant;
    source.storage = static_cast<const TensorData*>(leaf.payload.get())->storage;
    if (!source.storage)
      fail("a tensor that stands for an argument of another function is captured", "Pass it as an argument, or capture constant(x) if it never changes");
  }

  // What gradients through the results would have needed.
  void forget(const std::vector<Ref>& recorded) {
    const Dependence dependence(tape_, topological(recorded));
    std::vector<const Node*> nodes;
    for (std::size_t i = 0; i < made_->outputs.size(); ++i) nodes.push_back(recorded[i].node());
    const auto forgotten = dependence.forgotten(nodes, where_);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      Output& output = made_->outputs[i];
      if (!output.detached && !(forgotten[i]->cells.empty() && forgotten[i]->leaves.empty())) output.forgotten = forgotten[i];
    }
  }

  void note_nodes() {
    int number = 0;
    for (const Node* n : structure_.order) {
      made_->lines.push_back(line_of(*n));
      made_->numbers.push_back(n->operand_count > 0 ? number++ : -1);
    }
    made_->key = structure_.key;
    made_->begins = structure_.begins;
  }

  void compile(std::shared_ptr<const Program>& program) {
    CompileOptions options = made_->signature.options;
    options.updates = updates_;
    Place place{where_, function_, [&](std::size_t i) { return name_of_input(i); }, {}};
    for (const Recorder::Watch& w : made_->watches) place.modes.emplace_back(w.what, w.then);
    place.modes.emplace_back("NoGrad", made_->signature.no_grad ? 1 : 0);
    bool hit = false;
    program = program_for(structure_, roots_, options, place, hit);
    made_->program = program;
    if (tape_.options.observer != nullptr) made_->graph = std::make_shared<const RecordedGraph>(tape_.weak_from_this(), structure_, roots_, options);
    auto report = std::make_shared<EvaluationReport>();
    report->ran = true;
    report->cache_hit = hit;
    report->nodes = structure_.order.size();
    report->phases = program->report().phases;
    report->temporary_bytes = program->report().temporary_bytes;
    report->assignments = made_->writes.size();
    report->in_place_updates = program->report().in_place_updates;
    describe(*report, program->report(), [&](int node) { return made_->lines[static_cast<std::size_t>(node)]; });
    made_->report = std::move(report);
  }

  [[nodiscard]] std::string name_of_input(std::size_t i) const {
    const Source& s = made_->inputs[i];
    return s.from == Source::From::argument ? fmt::format("argument {}", s.index) : "";
  }

  Tape& tape_ = *Tape::current();
  Recorder recorder_{tape_.states};
  std::shared_ptr<Recording> made_ = std::make_shared<Recording>();
  SourceLine where_;
  std::uint64_t function_;
  std::vector<Ref> roots_;  // outputs, then the values written
  Structure structure_;
  std::vector<Update> updates_;
};

std::string shown(const Recording& r, std::size_t node) {
  const std::string name = r.numbers[node] >= 0 ? fmt::format("%{}", r.numbers[node]) : fmt::format("input or constant {}", node);
  return r.lines[node].line > 0 ? fmt::format("{} ({})", name, r.lines[node].text()) : name;
}

std::span<const std::uint64_t> words_of(const Recording& r, std::size_t node) {
  const std::size_t end = node + 1 < r.begins.size() ? r.begins[node + 1] : r.key.words.size();
  return std::span(r.key.words).subspan(r.begins[node], end - r.begins[node]);
}

}  // namespace

std::shared_ptr<Recording> record_function(const Signature& signature, const std::vector<Tensor>& arguments, const TensorFunction& body,
                                           const SourceLine& where, std::uint64_t function, std::shared_ptr<const Program>& program) {
  return Recorded(signature, where, function).run(arguments, body, program);
}

std::string difference(const Recording& before, const Recording& now) {
  for (std::size_t i = 0; i < std::min(before.begins.size(), now.begins.size()); ++i)
    if (!std::ranges::equal(words_of(before, i), words_of(now, i)))
      return fmt::format("the graph differs at {}, which was {}", shown(now, i), shown(before, i));
  if (before.key != now.key) return fmt::format("the graph has {} nodes, and had {}", now.begins.size(), before.begins.size());
  for (std::size_t i = 0; i < now.inputs.size(); ++i) {
    const Source &a = before.inputs[i], &b = now.inputs[i];
    if (a.from != b.from || a.cell != b.cell || (a.from != Source::From::constant && a.index != b.index))
      return fmt::format("input {} of the graph is bound to something else", i);
    if (a.from == Source::From::number && !b.read && std::memcmp(&a.number, &b.number, sizeof a.number) != 0)
      return fmt::format("the number at {} was {} and is {}", b.line.text(), a.number, b.number);
    if (a.from == Source::From::constant && a.storage != b.storage && std::memcmp(a.storage->data(), b.storage->data(), a.storage->bytes()) != 0)
      return fmt::format("the tensor of {} bytes made or captured at {} has other values than before", a.storage->bytes(), b.line.text());
  }
  return "";
}

}  // namespace cotan
