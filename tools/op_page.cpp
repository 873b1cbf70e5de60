#include "tools/op_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "tools/op_facts.h"

namespace cotan::tools {
namespace {

// Graphs of more lines than this are folded on the page.
constexpr std::ptrdiff_t most_lines = 14;

constexpr std::string_view head = R"(<!-- Made by the command `cotan ops`; tests/tools/ops_page_test.cpp says how to make it again. Do not edit. -->
# Operations

Every operation of Cotan. The page is generated: formulas and descriptions come from the tables of operations (`ops/*.def`, `graph/composites/*.def`), graphs,
gradients and messages from recording, differentiating and misusing each operation. `cotan ops NAME` shows one of them on a terminal.

{index}
## How to read it

**Signatures.** Names and arguments are PyTorch's. What stands in braces are options, given as designated initialisers: `sum(x, {{.dim = 1, .keepdim = true}})`.
An operand with `= {{}}` may be left out. Operands are tensors or C++ numbers, which take the type of the tensors beside them. Elementwise operations broadcast as
NumPy does; types never mix without a cast. Elementwise operations are the functions of their names in `torch`, `torch.special` or `torch.nn.functional`, where
`log_sigmoid` is `logsigmoid`, and `gelu_tanh` is `gelu` with `approximate="tanh"`; the other operations show what they are in PyTorch.

**Graphs.** The text form of graphs is explained in [ir.md](ir.md). Each graph shows an example: the operation on small operands, then its gradient as the library
generated it. `g` is the cotangent of the result, the gradient that arrives from behind; `d_x` is what goes on to `x`. A sum is shown by its index expressions:
`a[i,k] * b[k,j]` adds over `k`; positions out of range count for nothing. Nobody wrote these gradients: a formula is differentiated symbolically, a
sum by exchanging two accesses ([design.md](design.md)). The gradient is a graph of the same kind and has a gradient again.

**Conventions** are the derivatives at points where there is none, or more than one: kinks and ties. What holds for NaN, infinities and integers is in
[ir.md](ir.md#semantics).

**Runs on** says what computes the operation for large f32 operands, and then its gradients, all asked for together (those of the first result where there
are several). `oneDNN (matmul)` is a primitive of oneDNN, `loops (map)` a kernel of Cotan's own, and `views` cost nothing. oneDNN stands where it is asked
first; the loops compute instead where its library has no optimized implementation for the processor, where operands lie in memory in a way that it cannot
read, and where they cost less. Types other than f32 always run on the loops.

**Refuses** lists mistakes and what is said of them, between the operation's name and the line of the program that called it.

**Accuracy.** The tests hold elementwise values in float64 within 4 units in the last place of the C++ standard library, at random points and at every edge of
the format, and formulas evaluated in float32 within 16; derivatives within 1e-8 of differences; sums, reductions and composites with their gradients and
Hessian-vector products, in float64, within 1e-9 of PyTorch's numbers. Compiled programs are held to the reference, relative to the largest entry, within 1e-5
(f32) and 1e-12 (f64); single elementwise operations with their gradients within 5e-5 and 1e-13, edges included. The greatest errors of exp, tanh, erf and
their like in f32, in units in the last place, are listed in [performance.md](performance.md#functions-of-float32).
)";

std::string title_of(std::string_view family) {
  std::string title(family);
  std::ranges::replace(title, '_', ' ');
  if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') title[0] = static_cast<char>(title[0] - 'a' + 'A');
  return title;
}

std::string signature_of(const Op& op) {
  std::vector<std::string> arguments;
  for (std::size_t k = 0; k < op.operands.size(); ++k)
    arguments.push_back(fmt::format("{} {}{}", op.takes_list ? "std::vector<Tensor>" : "Tensor", op.operands[k], op.optional[k] ? " = {}" : ""));
  std::vector<std::string> options;
  for (const OpOption& o : op.options) options.push_back(fmt::format("{} {} = {}", o.type, o.name, o.standard));
  if (op.table == OpTable::elementwise)
    arguments.insert(arguments.end(), options.begin(), options.end());
  else if (!options.empty())
    arguments.push_back(fmt::format("{{{}}}", fmt::join(options, ", ")));
  return fmt::format("{} {}({})", op.result_type, op.name, fmt::join(arguments, ", "));
}

// Code inside a line of Markdown, whatever it holds.
std::string code(std::string_view text) {
  if (text.find('`') == std::string_view::npos) return fmt::format("`{}`", text);
  return fmt::format("`` {} ``", text);
}

// Text as Markdown that shows it as it is: a star beside a letter may be emphasis, and a < before one a tag.
std::string prose(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i], before = i > 0 ? text[i - 1] : ' ', after = i + 1 < text.size() ? text[i + 1] : ' ';
    const bool starred = c == '*' && (before != ' ' || after != ' ');
    const bool tag = c == '<' && after != ' ' && after != '=';
    if (starred || tag || c == '&' || c == '\\' || c == '`' || c == '~') out += '\\';
    out += c;
  }
  return out;
}

// Text as HTML.
std::string as_html(std::string_view text) {
  std::string out;
  for (char c : text) out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

// As items of a list.
std::string list_of(std::span<const OpRefusal> refusals, std::string_view indent) {
  std::vector<std::string> items;
  for (const OpRefusal& r : refusals) items.push_back(fmt::format("{}- {} — {}", indent, code(r.problem), prose(r.remedy)));
  return fmt::format("{}", fmt::join(items, "\n"));
}

// Writes sections of one operation: as Markdown, or plainly for a terminal.
class Section {
 public:
  Section(const Op& op, bool markdown) : op_(op), markdown_(markdown) {}

  std::string text() {
    add_head();
    if (op_.table == OpTable::elementwise) add_formula();
    add_example();
    add_conventions();
    add_runs();
    add_refusals();
    add_oracle();
    return std::move(out_);
  }

 private:
  void line(std::string_view text) { out_ += fmt::format("{}\n", text); }
  void item(std::string_view name, std::string_view text) { line(fmt::format("- {}: {}", markdown_ ? fmt::format("**{}**", name) : std::string(name), text)); }
  [[nodiscard]] std::string shown(std::string_view text) const { return markdown_ ? prose(text) : std::string(text); }
  [[nodiscard]] std::string quoted(std::string_view text) const { return markdown_ ? code(text) : std::string(text); }
  void block(std::string_view language, std::string_view text) {
    if (markdown_)
      line(fmt::format("```{}\n{}\n```", language, text));
    else
      line(text);
  }

  // The description, which begins with a capital where it begins with a word.
  [[nodiscard]] std::string sentence() const {
    std::string text = op_.description;
    const std::string_view word = std::string_view(text).substr(0, text.find_first_not_of("abcdefghijklmnopqrstuvwxyz"));
    const bool is_word =
        word == "a" || (word.size() > 1 && (word.size() == text.size() || std::string_view(" ,;-").find(text[word.size()]) != std::string_view::npos));
    if (is_word && std::ranges::find(op_.operands, word) == op_.operands.end()) text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text;
  }

  void add_head() {
    if (markdown_) line(fmt::format("### {}\n", op_.name));
    block("cpp", signature_of(op_));
    line(fmt::format("\n{}.", shown(sentence())));
    if (!op_.results.empty()) line(fmt::format("\nThe result is a structure of {}.", fmt::join(op_.results, ", ")));
    if (op_.table == OpTable::call)
      line(fmt::format("\nRecorded as one call of the name {}, which a backend may take as a whole; its body is what it means.", quoted(op_.name)));
    line("");
  }

  void add_formula() {
    block("text", fmt::format("{}({}){} = {}", op_.name, fmt::join(op_.operands, ", "), op_.cases[0].attributes.text(), formula_of(op_)));
    line("");
  }

  void add_example() {
    OpExample example = example_of(op_);
    while (example.text.ends_with('\n')) example.text.pop_back();
    std::string about = example.differentiable ? "with its gradient" : "which has no gradient";
    if (!example.constant.empty()) about += fmt::format("; no gradient reaches {}", fmt::join(example.constant, ", "));
    const std::string options = example.attributes.text();
    const std::string title = fmt::format("An example{}, {}", options.empty() ? "" : " with" + options, about);
    if (markdown_ && std::ranges::count(example.text, '\n') >= most_lines) {
      line(fmt::format("<details><summary>{}</summary>\n", as_html(title)));
      block("text", example.text);
      line("\n</details>\n");
      return;
    }
    line(fmt::format("{}:\n", shown(title)));
    block("text", example.text);
    line("");
  }

  void add_conventions() {
    if (op_.row == nullptr) return;
    std::vector<std::string> ranges;
    for (std::size_t k = 0; k < op_.operands.size(); ++k)
      ranges.push_back(fmt::format("{} from {} to {}", op_.operands[k], op_.row->samples[k].low, op_.row->samples[k].high));
    item("Types", fmt::format("{}", fmt::join(types_of(op_), ", ")));
    std::vector<std::string> conventions;
    for (const OpConvention& c : op_.conventions)
      conventions.push_back(c.where.empty() ? fmt::format("{} where both operands are equal", quoted(c.derivatives))
                                            : fmt::format("{} at {} = {}", quoted(c.derivatives), fmt::join(op_.operands, " = "), quoted(c.where)));
    if (!conventions.empty()) item("Conventions", fmt::format("derivative{} {}", op_.operands.size() > 1 ? "s" : "", fmt::join(conventions, ", ")));
    item("Tested", fmt::format("{}, and at the edges of the format", fmt::join(ranges, ", ")));
  }

  void add_runs() {
    const OpRuns runs = large_runs_of(op_);
    std::string text = runs.value;
    const bool alike = std::ranges::all_of(runs.gradients, [&](const auto& g) { return g.second == runs.gradients[0].second; });
    if (!runs.gradients.empty() && alike) text += fmt::format("; gradient{}: {}", runs.gradients.size() > 1 ? "s" : "", runs.gradients[0].second);
    if (!alike)
      for (const auto& [name, steps] : runs.gradients) text += fmt::format("; d_{}: {}", name, steps);
    item("Runs on", text);
  }

  void add_refusals() {
    const std::vector<OpRefusal> refusals = refusals_of(op_);
    if (markdown_ && refusals.size() > 1) {
      line(fmt::format("- **Refuses**:\n{}", list_of(refusals, "  ")));
      return;
    }
    for (const OpRefusal& r : refusals) item("Refuses", fmt::format("{} — {}", quoted(r.problem), shown(r.remedy)));
  }

  void add_oracle() { item(op_.row != nullptr ? "The same in C++" : "The same in PyTorch", quoted(op_.oracle)); }

  const Op& op_;
  bool markdown_;
  std::string out_;
};

}  // namespace

std::string page_of(std::span<const Op> ops) {
  std::vector<std::string> families;
  for (const Op& op : ops)
    if (std::ranges::find(families, op.family) == families.end()) families.push_back(op.family);
  std::string index, sections;
  for (const std::string& family : families) {
    std::vector<std::string> links;
    sections += fmt::format("\n## {} ({}.def)\n", title_of(family), family);
    if (family == "elementwise")
      sections +=
          fmt::format("\nElementwise operations refuse types that they do not list, bf16, operands of two types, and shapes that do not broadcast:\n\n{}\n",
                      list_of(elementwise_refusals(), ""));
    for (const Op& op : ops) {
      if (op.family != family) continue;
      links.push_back(fmt::format("[{0}](#{0})", op.name));
      sections += '\n' + Section(op, true).text();
    }
    index += fmt::format("**{}** — {}\n\n", title_of(family), fmt::join(links, " · "));
  }
  index.pop_back();
  return fmt::format(head, fmt::arg("index", index)) + sections;
}

std::string text_of(const Op& op) { return Section(op, false).text(); }

}  // namespace cotan::tools
