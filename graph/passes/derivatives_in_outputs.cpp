// Derivatives that read what an activation gives in place of what it was given.
//
// relu's gradient asks whether x <= 0, and y = relu(x) answers that as well. A gradient that asks y leaves x to one reader, so that the product before it can
// end with the activation and x need not be stored at all.
#include <algorithm>
#include <array>

#include "graph/builder.h"
#include "graph/passes/passes.h"

namespace cotan::passes {
namespace {

// A comparison of x with a number that gives the same for y = f(x), NaN included: `x <= at`, `x < at`, `at <= x`, `at < x`, `x == at`.
struct Question {
  Atom atom;
  bool x_first;
  double at;
};

double parameter_of(const Formula& f, std::string_view name) { return f.attributes.get<double>(name); }

// What may be asked of y instead of x. The activations are monotonic, and exact on the side of `at` that decides.
std::vector<Question> questions_of(const Formula& f) {
  // x <= at and at < x, which decide where f is at least `at` and equals x above it.
  const auto above = [](double at) { return std::vector<Question>{{Atom::le, true, at}, {Atom::lt, false, at}}; };
  // at <= x and x < at: f is at most `at`, and equals x below it.
  const auto below = [](double at) { return std::vector<Question>{{Atom::le, false, at}, {Atom::lt, true, at}}; };
  const auto between = [&](double low, double high) {
    if (!(low < high)) return std::vector<Question>();
    std::vector<Question> both = above(low), more = below(high);
    both.insert(both.end(), more.begin(), more.end());
    return both;
  };
  if (f.row == "relu") return above(0);
  if (f.row == "leaky_relu" && parameter_of(f, "negative_slope") > 0) return above(0);  // a slope of 0 makes -inf NaN
  if (f.row == "relu6") return between(0, 6);
  if (f.row == "hardtanh") return between(parameter_of(f, "min_val"), parameter_of(f, "max_val"));
  if (f.row == "elu" && parameter_of(f, "alpha") >= 0) return above(0);
  return {};
}

// A reader's formula and which of its operands are x and the activation's result, -1 where it does not read that.
class Asking {
 public:
  Asking(const Formula& reader, int x, int y) : f_(reader), x_(x), y_(y) {}

  // Whether x is read for what y answers, and for nothing else.
  [[nodiscard]] bool only(const Formula& activation) const {
    const std::vector<Question> questions = questions_of(activation);
    for (std::size_t i = 0; i < f_.nodes.size(); ++i) {
      const FormulaNode& n = f_.nodes[i];
      if (n.atom == Atom::operand || n.atom == Atom::constant || (!is_x(n.a) && !is_x(n.b) && !is_x(n.c))) continue;
      const bool asked = std::ranges::any_of(questions, [&](const Question& q) {
        return n.atom == q.atom && (q.x_first ? is_x(n.a) && is_number(n.b, q.at) : is_x(n.b) && is_number(n.a, q.at));
      });
      if (!asked && !(activation.row == "elu" && is_slope_at_zero(static_cast<int>(i), parameter_of(activation, "alpha")))) return false;
    }
    return !is_x(static_cast<int>(f_.nodes.size()) - 1);
  }

 private:
  [[nodiscard]] const FormulaNode& at(int n) const { return f_.nodes[static_cast<std::size_t>(n)]; }
  [[nodiscard]] bool is_x(int n) const { return n >= 0 && at(n).atom == Atom::operand && at(n).a == x_; }
  [[nodiscard]] bool is_y(int n) const { return n >= 0 && at(n).atom == Atom::operand && at(n).a == y_; }
  [[nodiscard]] bool is_number(int n, double value) const { return at(n).atom == Atom::constant && at(n).literal == round_to(at(n).dtype, value); }

  // Whether x == 0 is asked to choose between alpha and y + alpha alone. Where y is 0, both are alpha: elu may have rounded to 0 beside x = 0.
  [[nodiscard]] bool is_slope_at_zero(int question, double alpha) const {
    const FormulaNode& q = at(question);
    if (q.atom != Atom::eq || !((is_x(q.a) && is_number(q.b, 0)) || (is_x(q.b) && is_number(q.a, 0)))) return false;
    if (question + 1 == static_cast<int>(f_.nodes.size())) return false;
    const auto sum = [&](int n) {
      return at(n).atom == Atom::add && ((is_y(at(n).a) && is_number(at(n).b, alpha)) || (is_y(at(n).b) && is_number(at(n).a, alpha)));
    };
    return std::ranges::all_of(f_.nodes, [&](const FormulaNode& n) {
      if (n.atom == Atom::operand || n.atom == Atom::constant || (n.a != question && n.b != question && n.c != question)) return true;
      return n.atom == Atom::where && n.a == question && is_number(n.b, alpha) && sum(n.c);
    });
  }

  const Formula& f_;
  int x_, y_;
};

int place_of(const Node& reader, const Edge& operand) {
  const auto operands = reader.operands();
  const auto found = std::ranges::find(operands, operand);
  return found == operands.end() ? -1 : static_cast<int>(found - operands.begin());
}

// For each activation's operand whose other readers only ask what its result answers: the activation.
std::unordered_map<Edge, Ref, RefHash> activations(const Function& function) {
  std::unordered_map<Edge, std::vector<Node*>, RefHash> readers;
  const std::vector<Node*> all = topological(function.results);
  for (Node* n : all)
    for (const Edge& e : n->operands())
      if (readers[e].empty() || readers[e].back() != n) readers[e].push_back(n);
  std::unordered_map<Edge, Ref, RefHash> found;
  for (Node* n : all) {
    if (n->kind != Kind::map || n->operand_count != 1) continue;
    const Edge x = n->operands()[0];
    if (questions_of(n->formula()).empty() || found.contains(x)) continue;
    if (std::ranges::any_of(function.results, [&](const Ref& r) { return r.edge() == x; })) continue;
    const auto answered = [&](const Node* reader) {
      if (reader == n) return true;
      return reader->kind == Kind::map && Asking(reader->formula(), place_of(*reader, x), place_of(*reader, Edge{n, 0})).only(n->formula());
    };
    if (readers[x].size() > 1 && std::ranges::all_of(readers[x], answered)) found.emplace(x, Ref(n));
  }
  return found;
}

}  // namespace

Function derivatives_in_outputs(const Function& function, PassContext& context) {
  const auto found = activations(function);
  if (found.empty()) return function;
  return transform(function, context, [&](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    if (node->kind != Kind::map) return {};
    std::vector<Ref> asked(operands.begin(), operands.end());
    bool changed = false;
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const auto activation = found.find(node->operands()[k]);
      if (activation == found.end() || activation->second == node) continue;
      const Ref x[] = {operands[k]};
      asked[k] = graph::rebuild(*activation->second.node(), x)[0];
      changed = true;
    }
    if (!changed) return {};
    const FormulaRef formula = make_formula(
        node->formula().operands, [&](std::span<const Ex> x) { return inlined(node->formula(), x); }, node->dtype);
    return {graph::map(formula, asked, node->shape)};
  });
}

}  // namespace cotan::passes
