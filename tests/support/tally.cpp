#include "tests/support/tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "graph/fusion/fusion.h"
#include "graph/fusion/tiles.h"
#include "graph/passes/pass.h"
#include "graph/recognise.h"
#include "graph/sums/masks.h"
#include "graph/sums/placed.h"
#include "graph/views.h"

namespace cotan::testing {
namespace {

// ---- what stands just outside of a pass, in the graph that it leaves

bool is_sum(const Node& n, std::size_t factors) { return n.kind == Kind::sum && n.as<SumSpec>().factors.size() == factors; }
bool moves_entries(const Node& n) {
  if (!is_sum(n, 1)) return false;
  const SumForm form = recognise(n);
  return std::holds_alternative<ViewForm>(form) || std::holds_alternative<PlacedCopyForm>(form) || std::holds_alternative<GatherForm>(form);
}
bool reads(const Node& n, bool (*what)(const Node&)) {
  return std::ranges::any_of(n.operands(), [&](const Edge& e) { return what(*e.node); });
}
bool any_sum(const Node& n) { return n.kind == Kind::sum; }
bool is_relu(const Node& n) { return n.kind == Kind::map && n.formula().row == "relu"; }
bool is_cast(const Node& n) { return n.kind == Kind::cast; }

// Whether a map asks a question of what an activation was given.
bool asks_operand(const Node& n) {
  return n.kind == Kind::map && n.formula().row.empty() &&
         std::ranges::any_of(n.formula().nodes, [](const FormulaNode& f) { return f.atom == Atom::where; });
}

bool along_first(const Node& n) {
  if (!is_sum(n, 1) || n.operand_count != 1 || n.operand(0).shape().rank() == 0) return false;
  const auto& s = n.as<SumSpec>();
  const int i = s.factors[0][0].plain();
  return i >= 0 && std::ranges::none_of(s.output, [&](const IndexExpr& e) { return e.affine() && uses_index(e, i); });
}

bool is_blockable(const Node& n) { return is_sum(n, 2) && n.operand_count == 2 && !as_convolution(n.as<SumSpec>(), tensor_shapes(n)).empty(); }

bool of_constants(const Node& n) {
  return n.kind != Kind::leaf && n.operand_count > 0 && std::ranges::all_of(n.operands(), [](const Edge& e) {
           return e.node->kind == Kind::leaf ? e.node->as<LeafSpec>().role == LeafRole::iota : e.node->operand_count == 0;
         });
}

struct Outside {
  std::string_view pass;
  bool (*here)(const Node& n);
};

// A pass is refused where the graph that it leaves holds what it might have taken.
constexpr Outside outsides[] = {
    {"inline_calls", [](const Node& n) { return n.kind == Kind::call; }},
    {"simplify", [](const Node& n) { return n.kind == Kind::map && reads(n, [](const Node& m) { return m.kind == Kind::map; }); }},
    {"fold_views", [](const Node& n) { return n.kind == Kind::sum && reads(n, moves_entries); }},
    {"merge_sums", [](const Node& n) { return n.kind == Kind::sum && reads(n, any_sum); }},
    {"fold_constants", of_constants},
    {"masks",
     [](const Node& n) {
       const auto is_mask = [](const Node& s) {
         if (s.kind != Kind::sum) return false;
         const SumForm form = recognise(s);
         return std::holds_alternative<MaskForm>(form) || std::holds_alternative<ScatterForm>(form);
       };
       return is_mask(n);
     }},
    {"regroup", [](const Node& n) { return n.kind == Kind::sum && std::holds_alternative<GenericForm>(recognise(n)); }},
    {"place_in_order", [](const Node& n) { return is_sum(n, 1) && reads(n, [](const Node& m) { return sums::is_addition(m) && reads(m, moves_entries); }); }},
    {"place_casts", [](const Node& n) { return (is_cast(n) && reads(n, moves_entries)) || (moves_entries(n) && reads(n, is_cast)); }},
    {"derivatives_in_outputs", asks_operand},
    {"max_before_relu", [](const Node& n) { return n.kind == Kind::reduce && reads(n, is_relu); }},
    {"layouts", is_blockable},
    {"split_sums", along_first},
};

void count_passes(Function& now, PassContext& context, Tally& tally) {
  for (const Pass& pass : pipeline()) {
    if (!pass.needed && !context.options.passes.enabled(pass.name, pass.on)) continue;
    const Function next = pass.run(now, context);
    const std::string name = fmt::format("pass {}", pass.name);
    if (next.results != now.results) tally.taken(name);
    const auto outside = std::ranges::find(outsides, pass.name, &Outside::pass);
    if (outside != std::end(outsides) && std::ranges::any_of(topological(next.results), [&](const Node* n) { return outside->here(*n); })) tally.refused(name);
    now = next;
  }
}

// ---- recognitions

void count(Tally& tally, const std::string& name, bool taken) { taken ? tally.taken(name) : tally.refused(name); }

bool slides(const Access& access) {
  return std::ranges::any_of(access, [](const IndexExpr& e) { return e.affine() && e.terms.size() > 1; });
}

bool sums_over_something(const SumSpec& s) {
  for (int i = 0; i < static_cast<int>(s.domain.size()); ++i)
    if (std::ranges::none_of(s.output, [&](const IndexExpr& e) { return e.affine() && uses_index(e, i); })) return true;
  return false;
}

void count_product(const Node& n, Tally& tally) {
  const auto& s = n.as<SumSpec>();
  const TensorShapes shapes = tensor_shapes(n);
  if (sums_over_something(s)) count(tally, "recognise matmul", as_matmul(s, shapes).has_value());
  const bool windows = slides(s.output) || std::ranges::any_of(s.factors, slides);
  if (!windows) return;
  const std::vector<ConvolutionForm> forms = as_convolution(s, shapes);
  constexpr std::pair<const char*, ConvolutionOutput> directions[] = {{"recognise convolution", ConvolutionOutput::result},
                                                                      {"recognise backward-data convolution", ConvolutionOutput::source},
                                                                      {"recognise backward-weights convolution", ConvolutionOutput::weights}};
  for (const auto& [name, output] : directions) {
    const bool found = std::ranges::any_of(forms, [&, o = output](const ConvolutionForm& f) { return f.output == o; });
    if (found || forms.empty()) count(tally, name, found);
  }
}

void count_one_factor(const Node& n, Tally& tally) {
  const auto& s = n.as<SumSpec>();
  const bool tables = n.operand_count > 1;
  if (!tables) {
    const auto windows = as_pooling(s, tensor_shapes(n));
    if (slides(s.factors[0]) && sums_over_something(s)) count(tally, "recognise pooling", windows && !windows->gradient);
    if (slides(s.output) && s.domain.size() > s.factors[0].size()) count(tally, "recognise pooling's gradient", windows && windows->gradient);
    const SumForm form = recognise(n);
    if (std::holds_alternative<PlacedCopyForm>(form)) count(tally, "recognise placed copy", sums::placed_of(sums::opened(n)).has_value());
    if (!sums_over_something(s)) count(tally, "recognise view", std::holds_alternative<ViewForm>(form));
    if (sums_over_something(s)) count(tally, "recognise reduction", std::holds_alternative<ReductionForm>(form));
    return;
  }
  const SumForm form = recognise(n);
  count(tally, "recognise gather", std::holds_alternative<GatherForm>(form));
  count(tally, "recognise scatter", std::holds_alternative<ScatterForm>(form));
  if (n.operand_count == 2 && n.operand(1)->kind == Kind::reduce) count(tally, "recognise maximum's gradient", as_max_gradient(n).has_value());
  if (std::holds_alternative<ScatterForm>(form)) count(tally, "recognise mask", sums::as_mask(sums::opened(n)).has_value());
}

void count_recognitions(const Function& f, Tally& tally) {
  for (const Node* n : topological(f.results)) {
    if (n->kind == Kind::reduce && n->as<ReduceSpec>().reduction == Reduction::max && slides(n->as<ReduceSpec>().access))
      count(tally, "recognise max pooling", as_pooling(n->as<ReduceSpec>(), n->operand(0).shape()).has_value());
    if (n->kind == Kind::sum) {
      const auto& s = n->as<SumSpec>();
      if (s.factors.size() == 2 && n->operand_count == 2) count_product(*n, tally);
      if (s.factors.size() == 1) count_one_factor(*n, tally);
      if (s.factors.empty()) {
        count(tally, "recognise fill", std::holds_alternative<FillForm>(recognise(*n)));
        count(tally, "recognise mask", sums::as_mask(sums::opened(*n)).has_value());
      }
    }
    if (n->kind == Kind::leaf || (n->kind != Kind::sum && n->operand_count == 0)) continue;
    const std::string kind = n->operand_count == 0 ? "sum without operands" : std::string(name_of(n->kind));
    count(tally, fmt::format("tile of a {}", kind), can_be_cut(*n));
  }
}

// ---- claims

std::string claim_name(std::string_view backend, const Node& n) {
  if (n.kind == Kind::sum) {
    if (n.operand_count == 2 && n.as<SumSpec>().factors.size() == 1 && as_max_gradient(n)) return fmt::format("{} maximum's gradient", backend);
    return fmt::format("{} {}", backend, name_of(recognise(n)));
  }
  if (n.kind == Kind::call) return fmt::format("{} {}", backend, n.as<CallSpec>().name);
  return fmt::format("{} {}", backend, name_of(n.kind));
}

void count_claims(const Function& f, PassContext& context, Tally& tally) {
  for (Node* n : topological(f.results)) {
    if (n->kind == Kind::leaf || is_view(*n)) continue;
    for (std::size_t b = 0; b + 1 < backends().size(); ++b) {
      const Match& match = context.claims.match(Ref(n), b);
      const std::string name = claim_name(backends()[b]->name(), *n);
      if (std::holds_alternative<Claim>(match)) {
        tally.taken(name);
        break;
      }
      if (std::get<Reason>(match).code != ReasonCode::not_recognised) tally.refused(name);
    }
  }
}

// ---- fusions

// Nodes that read what another group makes, and cannot be cut with it.
bool cannot_be_cut(const Groups& groups, const Node& n) {
  if (groups.of(&n) < 0 || n.operand_count == 0) return false;
  const auto accesses = tile_accesses(n);
  for (std::size_t k = 0; k < n.operand_count; ++k) {
    const int made_by = groups.of(n.operands()[k].node);
    if ((!accesses || (*accesses)[k] == TileAccess::other) && made_by >= 0 && made_by != groups.of(&n)) return true;
  }
  return false;
}

void count_fusions(const Function& f, PassContext& context, Tally& tally) {
  Groups groups(f, context);
  std::vector<PassRecord> records;
  run_fusions(groups, records);
  for (const Group& g : groups.all())
    if (!g.nodes.empty() && !g.fusion.empty()) tally.taken(fmt::format("fusion {}", g.fusion));
  for (const Node* n : topological(f.results)) {
    if (context.options.passes.enabled("fuse_regions", true) && cannot_be_cut(groups, *n)) tally.refused("fusion fuse_regions");
    if (groups.of(n) < 0 || !is_sum(*n, 1) || n->operand_count != 1 || !std::holds_alternative<PlacedCopyForm>(recognise(*n))) continue;
    if (groups[groups.of(n)].fusion != "place_copies") tally.refused("fusion place_copies");
  }
  for (const MissReport& miss : groups.take_misses()) tally.refused(fmt::format("fusion {}", miss.what));
}

// The steps that follow products in their kernels: "oneDNN matmul 64x128x128 brgemm, then add, relu".
void count_tails(const ProgramReport& report, Tally& tally) {
  const auto count_name = [&](const std::string& name) {
    const std::size_t at = name.find(", then ");
    if (at == std::string::npos || !name.starts_with("oneDNN")) return;
    std::istringstream steps(name.substr(at + 7));
    for (std::string step; std::getline(steps, step, ',');) {
      step.erase(0, step.find_first_not_of(' '));
      step.erase(std::min(step.find(' '), step.size()));
      if (const std::vector<TallyName>& all = expected_names(); std::ranges::any_of(all, [&](const TallyName& n) { return n.name == "tail " + step; }))
        tally.taken("tail " + step);
    }
  };
  for (const KernelReport& k : report.kernels) {
    count_name(k.name);
    for (const std::string& part : k.parts) count_name(part);
  }
  for (const MissReport& miss : report.misses) tally.taken(fmt::format("reason {}", name_of(miss.reason.code)));
}

}  // namespace

const std::vector<TallyName>& expected_names() {
  static const std::vector<TallyName> all = [] {
    std::vector<TallyName> names;
    for (const Pass& p : pipeline())
      if (p.on) names.push_back({fmt::format("pass {}", p.name)});
    for (const Fusion& f : fusions()) names.push_back({fmt::format("fusion {}", f.name)});
    for (const char* name : {"matmul", "convolution", "backward-data convolution", "backward-weights convolution", "pooling", "pooling's gradient",
                             "max pooling", "maximum's gradient", "placed copy", "mask", "gather", "scatter"})
      names.push_back({fmt::format("recognise {}", name)});
    for (const char* name : {"sum", "sum without operands", "reduce", "call", "scan", "order"}) names.push_back({fmt::format("tile of a {}", name)});
    for (const char* name : {"linear", "relu", "leaky_relu", "elu", "tanh", "sigmoid", "exp", "sqrt", "square", "abs", "gelu", "silu", "clip", "add", "sub",
                             "mul", "div", "max", "min", "accumulate"})
      names.push_back({fmt::format("tail {}", name), false});
    return names;
  }();
  return all;
}

std::vector<std::string> Tally::lines() const {
  std::vector<std::string> lines;
  for (const auto& [name, c] : counts_) lines.push_back(fmt::format("{} {} {}", c.taken, c.refused, name));
  return lines;
}

void Tally::add_line(const std::string& line) {
  std::istringstream in(line);
  Counts c;
  std::string name;
  in >> c.taken >> c.refused;
  std::getline(in >> std::ws, name);
  counts_[name].taken += c.taken;
  counts_[name].refused += c.refused;
}

std::string Tally::text() const {
  std::string out = fmt::format("{:<52} {:>10} {:>10}\n", "", "taken", "refused");
  for (const auto& [name, c] : counts_) out += fmt::format("{:<52} {:>10} {:>10}\n", name, c.taken, c.refused);
  return out;
}

std::vector<std::string> Tally::missing() const {
  std::vector<std::string> missing;
  for (const TallyName& expected : expected_names()) {
    const auto found = counts_.find(expected.name);
    if (found == counts_.end() || found->second.taken == 0) missing.push_back(fmt::format("{}: never taken", expected.name));
    if (expected.refused && (found == counts_.end() || found->second.refused == 0)) missing.push_back(fmt::format("{}: never refused", expected.name));
  }
  return missing;
}

void count_graph(const Function& f, const CompileOptions& options, Tally& tally) {
  const std::vector<Node*> order = topological(f.results);
  Positions positions(order);
  Claims claims(options.backends);
  PassContext context{options, positions, claims};
  Function now = f;
  count_recognitions(now, tally);
  count_passes(now, context, tally);
  count_recognitions(now, tally);
  count_claims(now, context, tally);
  count_fusions(now, context, tally);
  // What regions take in would be the other fusions'.
  CompileOptions apart = options;
  apart.passes = apart.passes.with("fuse_regions", false);
  PassContext without_regions{apart, positions, claims};
  count_fusions(now, without_regions, tally);
  count_tails(compile_program(f, order, options)->report(), tally);
}

}  // namespace cotan::testing
