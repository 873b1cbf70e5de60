#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <map>

#include "graph/builder.h"
#include "graph/composites/composites.h"
#include "graph/text/known_calls.h"
#include "graph/text/read_indexed.h"
#include "graph/text/text.h"
#include "graph/text/words.h"
#include "ops/elementwise.h"

namespace cotan::text_form {
namespace {

// How large a block is once the bodies that it calls stand in their calls' places. What works on bodies goes into them call by call, so both are bounded: a
// few lines that each call the line before twice would make a graph of any size.
struct Expansion {
  std::int64_t nodes = 0;
  int depth = 0;  // calls inside one another
};
constexpr Expansion largest_expansion{std::int64_t{1} << 20, 200};

struct Body {
  std::shared_ptr<const Function> function;
  Expansion size;
};
using BodyTable = std::map<std::string, Body, std::less<>>;

// The functions that stand for a kind of node, beside the rows of elementwise operations.
constexpr std::string_view kind_words[] = {"scan", "order", "check", "cast", "stop_gradient", "barrier", "iota", "random"};

// One block, "(x: f32[3]) { ... return ... }", statement by statement.
class BlockReader {
 public:
  BlockReader(Reader& reader, const BodyTable& bodies, bool body) : r_(reader), bodies_(bodies), body_(body) {}

  // What read() has read.
  [[nodiscard]] Expansion size() const { return size_; }

  Function read(std::string name) {
    Function f;
    f.name = std::move(name);
    r_.expect("(");
    while (!r_.is(")")) {
      if (!f.parameters.empty()) r_.expect(",");
      f.parameters.push_back(read_parameter());
    }
    r_.expect(")");
    r_.expect("{");
    while (r_.peek().kind == TokenKind::value) statement();
    if (!r_.is("return")) r_.expected("a statement, %0: f32[...] = ..., or 'return'");
    r_.take();
    while (!r_.is("}")) {
      if (!f.results.empty()) r_.expect(",");
      const bool named = r_.is("=", 1);
      f.result_names.push_back(named ? r_.name("the name of a result") : "");
      if (named) r_.expect("=");
      f.results.push_back(scope_.operand(r_));
    }
    r_.expect("}");
    return f;
  }

 private:
  Ref read_parameter() {
    const Token t = r_.peek();
    if ((r_.is("var") || r_.is("scalar") || r_.is("data")) && !r_.is(":", 1)) r_.take();  // a role is a remark: what the leaf was
    std::string name = r_.name("the name of a parameter");
    r_.expect(":");
    const ResultType type = read_type(r_);
    Ref p = graph::parameter(name, type.dtype, type.shape);
    scope_.define(r_, t, std::move(name), p);
    return p;
  }

  void statement() {
    const Token begin = r_.peek();
    ++size_.nodes;
    try {
      std::vector<Token> values;
      do {
        if (r_.peek().kind != TokenKind::value) r_.expected("a value, %0");
        values.push_back(r_.take());
      } while (r_.accept(","));
      r_.expect(":");
      std::vector<LeftSide> left;
      for (std::size_t k = 0; k < values.size(); ++k) {
        if (k > 0) r_.expect(",");
        left.push_back({r_.peek(), read_type(r_)});
      }
      std::vector<Ref> results;
      if (r_.is("[")) {
        if (left.size() > 1) r_.fail(begin, "an access of several results", "Give each its own statement");
        results.push_back(indexed(left[0]));
      } else {
        r_.expect("=");
        results = r_.is("call") ? call() : std::vector{plain(left)};
      }
      check_types(left, results);
      for (std::size_t k = 0; k < values.size(); ++k) scope_.define(r_, values[k], r_.whole(values[k]), results[k]);
    } catch (const ParseError&) {
      throw;
    } catch (const Error& e) {  // what the operation itself objects to
      constexpr std::size_t most = 300;  // they may quote an attribute
      r_.fail(begin, shortened(e.problem(), most), shortened(e.remedy(), most));
    }
  }

  Ref indexed(const LeftSide& left) {
    IndexedStatement s(r_, scope_);
    s.read_left();
    r_.expect("=");
    return reduction_named(r_.spelled(r_.peek())) ? s.read_reduce(left) : s.read_sum(left);
  }

  void check_types(const std::vector<LeftSide>& left, const std::vector<Ref>& results) {
    if (left.size() != results.size())
      r_.fail(left[0].at, fmt::format("{} results for {} name{}", results.size(), left.size(), left.size() == 1 ? "" : "s"), "Name every result");
    for (std::size_t k = 0; k < left.size(); ++k)
      if (results[k].dtype() != left[k].type.dtype || results[k].shape() != left[k].type.shape)
        r_.fail(left[k].at,
                fmt::format("the statement says {}, its right side is {}", type_text(left[k].type.dtype, left[k].type.shape),
                            type_text(results[k].dtype(), results[k].shape())),
                "Correct the type");
  }

  Ref plain(const std::vector<LeftSide>& left) {
    if (left.size() > 1) r_.fail(left[0].at, "several results of what gives one", "Only calls have several");
    if (r_.is("{") || (r_.is("map") && r_.is("(", 1))) return read_map(r_, scope_, left[0]);
    const Token t = r_.peek();
    if (t.kind != TokenKind::name || !r_.is("(", 1)) {
      const bool access = TensorScope::begins_operand(r_) && r_.is("[", 1);
      r_.expected("an operation, such as add(%0, %1), { exp(%0) } or call",
                  access ? "A sum has its indices on the left too: %0: f32[3][i] = x[i]" : "docs/ir.md lists the statements");
    }
    r_.take();
    const std::string_view name = r_.spelled(t);
    const std::vector<Ref> operands = operand_list();
    AttributeReader attributes(r_);
    if (const ElementwiseRow* row = find_elementwise(name); row != nullptr) return elementwise(*row, t, operands, attributes);
    return of_kind(name, t, operands, attributes, left[0]);
  }

  void need_operands(const Token& at, const std::vector<Ref>& operands, std::size_t count) {
    if (operands.size() != count)
      r_.fail(at, fmt::format("{} takes {} operand{}, not {}", r_.spelled(at), count, count == 1 ? "" : "s", operands.size()), "Correct the operands");
  }

  Ref elementwise(const ElementwiseRow& row, const Token& at, const std::vector<Ref>& operands, AttributeReader& attributes) {
    need_operands(at, operands, row.operands.size());
    std::vector<DType> types;
    for (const Ref& x : operands) {
      if (x.shape() != operands[0].shape())
        r_.fail(at, fmt::format("{} of shapes {} and {}", row.name, operands[0].shape().text(), x.shape().text()),
                "Broadcasts are statements of their own: %1: f32[64,128][i,j] = b[j]");
      types.push_back(x.dtype());
    }
    std::vector<double> parameters;
    std::vector<std::string_view> known;
    for (const ElementwiseRow::Parameter& p : row.parameters) {
      const double* given = attributes.number(p.name);
      parameters.push_back(given != nullptr ? *given : p.standard);
      known.push_back(p.name);
    }
    attributes.finish(known);
    const auto id = static_cast<ElementwiseId>(&row - elementwise_rows().data());
    return graph::map(formula_of(id, types, parameters), operands, operands[0].shape());
  }

  std::int64_t axis(AttributeReader& attributes, const Token& at, const Shape& shape) {
    if (shape.empty()) r_.fail(at, fmt::format("{} of a scalar", r_.spelled(at)), "It needs a dimension");
    return attributes.integer("axis", 0, static_cast<std::int64_t>(shape.rank()) - 1);
  }

  Ref of_kind(std::string_view name, const Token& at, const std::vector<Ref>& operands, AttributeReader& attributes, const LeftSide& left) {
    const auto done = [&](std::initializer_list<std::string_view> known) { attributes.finish(std::span(known.begin(), known.size())); };
    if (name == "scan") {
      need_operands(at, operands, 2);
      if (operands[0].shape() != operands[1].shape() || operands[0].dtype() != operands[1].dtype())
        r_.fail(at, "the operands of scan differ in type", "Broadcast or cast first");
      if (operands[0].dtype() == DType::boolean) r_.fail(at, "scan of bool", "Cast it to i32 first");
      const auto along = static_cast<int>(axis(attributes, at, operands[0].shape()));
      const bool reverse = attributes.boolean("reverse");
      done({"axis", "reverse"});
      return graph::scan(operands[0], operands[1], along, reverse);
    }
    if (name == "order") {
      need_operands(at, operands, 1);
      const auto along = static_cast<int>(axis(attributes, at, operands[0].shape()));
      const bool descending = attributes.boolean("descending");
      done({"axis", "descending"});
      return graph::order(operands[0], along, descending);
    }
    if (name == "check") {
      need_operands(at, operands, 1);
      if (kind_of(operands[0].dtype()) != DTypeKind::integer) r_.fail(at, fmt::format("check of {}", name_of(operands[0].dtype())), "Only integers index");
      const std::int64_t below = attributes.integer("below", 0, std::numeric_limits<std::int64_t>::max());
      std::string what = attributes.text("what");
      std::string remedy = attributes.has("remedy") ? attributes.text("remedy") : "";
      done({"below", "what", "remedy"});
      return graph::check(operands[0], below, std::move(what), std::move(remedy));
    }
    if (name == "cast" || name == "stop_gradient") {
      need_operands(at, operands, 1);
      done({});
      return name == "cast" ? graph::cast(operands[0], left.type.dtype) : graph::stop_gradient(operands[0]);
    }
    if (name == "barrier") {
      need_operands(at, operands, 2);
      done({});
      return graph::barrier(operands[0], operands[1]);
    }
    if (name == "iota") {
      need_operands(at, operands, 0);
      if (left.type.dtype == DType::boolean) r_.fail(at, "iota of bool", "Give i32 or a floating type");
      const auto along = static_cast<int>(axis(attributes, at, left.type.shape));
      done({"axis"});
      return graph::iota(left.type.dtype, left.type.shape, along);
    }
    if (name == "random") {
      need_operands(at, operands, 0);
      if (body_) r_.fail(at, "random numbers in a body", "Draw them in the function, and give them to the call");
      const std::uint64_t key = attributes.whole("key"), counter = attributes.whole("counter");
      done({"key", "counter"});
      return graph::random(key, counter, left.type.dtype, left.type.shape);
    }
    std::vector<std::string_view> known(std::begin(kind_words), std::end(kind_words));
    for (const ElementwiseRow& row : elementwise_rows()) known.push_back(row.name);
    const std::string_view near = nearest(name, known);
    r_.fail(at, fmt::format("no operation {}", shortened(name)),
            near.empty() ? "docs/ir.md lists the operations; a composite stands behind 'call'" : fmt::format("Did you mean {}?", near));
  }

  // (a, b, ...)
  std::vector<Ref> operand_list() {
    r_.expect("(");
    std::vector<Ref> operands;
    while (!r_.is(")")) {
      if (!operands.empty()) r_.expect(",");
      operands.push_back(scope_.operand(r_));
    }
    r_.expect(")");
    return operands;
  }

  std::vector<Ref> call() {
    r_.take();
    const Token at = r_.peek();
    std::string name = r_.name("the name of a composite");
    const std::vector<Ref> operands = operand_list();
    AttributeReader attributes(r_);
    if (!r_.accept("using")) return recorded(name, at, operands, attributes.all());
    const Token at_body = r_.peek();
    const std::string label = r_.name("the name of a body");
    auto found = bodies_.find(label);
    if (found == bodies_.end()) {
      std::vector<std::string_view> known;
      for (const auto& [k, v] : bodies_) known.push_back(k);
      const std::string_view near = nearest(label, known);
      r_.fail(at_body, fmt::format("no body {}", shown_name(label)),
              near.empty() ? "Write it above, before its first use" : fmt::format("Did you mean {}?", shown_name(near)));
    }
    const Function& body = *found->second.function;
    enter(found->second.size, at);
    if (body.parameters.size() != operands.size())
      r_.fail(at, fmt::format("{} operands for a body of {} parameters", operands.size(), body.parameters.size()), "Correct the operands");
    for (std::size_t k = 0; k < operands.size(); ++k)
      if (operands[k].shape() != body.parameters[k].shape() || operands[k].dtype() != body.parameters[k].dtype())
        r_.fail(at,
                fmt::format("operand {} is {}, the body takes {}", k, type_text(operands[k].dtype(), operands[k].shape()),
                            type_text(body.parameters[k].dtype(), body.parameters[k].shape())),
                "Correct the operand or the body");
    if (body.results.empty()) r_.fail(at, "a body without results", "Return a value from it");
    std::vector<Ref> results = graph::call(name, attributes.all(), operands, found->second.function);
    if (!is_as_named(results[0]))
      r_.fail(at_body, fmt::format("a body or attributes that are not {}'s", name), "Give the call a name that the library does not have");
    return results;
  }

  // A call of a body so large.
  void enter(const Expansion& body, const Token& at) {
    size_.nodes += body.nodes;
    size_.depth = std::max(size_.depth, body.depth + 1);
    if (size_.depth > largest_expansion.depth)
      r_.fail(at, fmt::format("more than {} bodies inside one another", largest_expansion.depth), "Write the innermost ones out");
    if (size_.nodes > largest_expansion.nodes)
      r_.fail(at, fmt::format("more than {} nodes, with bodies in the places of their calls", largest_expansion.nodes), "Call bodies less often");
  }

  // A composite of the table, its body made anew.
  std::vector<Ref> recorded(const std::string& name, const Token& at, const std::vector<Ref>& operands, const Attributes& attributes) {
    const CompositeRow* row = find_composite(name);
    if (row == nullptr) {
      std::vector<std::string_view> known;
      for (const CompositeRow& other : composite_rows()) known.push_back(other.name);
      const std::string_view near = nearest(name, known);
      r_.fail(at, fmt::format("no composite {}", shown_name(name)),
              near.empty() ? "Write its body before the function, and `using` the body's name after the call" : fmt::format("Did you mean {}?", near));
    }
    std::vector<Ref> results = row->record(operands, attributes);
    if (results[0]->kind == Kind::call) {
      enter({static_cast<std::int64_t>(topological(results[0]->as<CallSpec>().body->results).size()), 0}, at);
      for (const auto& [given, value] : attributes)
        if (results[0]->as<CallSpec>().attributes.find(given) == nullptr)
          r_.fail(at, fmt::format("{} has no attribute {}", name, shortened(given)),
                  fmt::format("It is {}{}", name, results[0]->as<CallSpec>().attributes.text()));
    }
    return results;
  }

  Reader& r_;
  const BodyTable& bodies_;
  const bool body_;
  TensorScope scope_;
  Expansion size_;
};

}  // namespace

Function parse(std::string_view text, std::string_view file) {
  Reader reader(text, file);
  BodyTable bodies;
  while (reader.accept("body")) {
    const Token at = reader.peek();
    std::string label = reader.name("the name of a body");
    BlockReader block(reader, bodies, true);
    auto body = std::make_shared<const Function>(block.read(label));
    if (!bodies.emplace(std::move(label), Body{std::move(body), block.size()}).second) reader.fail(at, "a second body of this name", "Give each its own name");
  }
  if (!reader.accept("func")) reader.expected("'func' or 'body'");
  std::string name = reader.is("(") ? "" : reader.name("the name of the function");
  Function f = BlockReader(reader, bodies, false).read(std::move(name));
  if (reader.peek().kind != TokenKind::end) reader.expected("the end of the text", "A text holds one function, its bodies before it");
  return f;
}

}  // namespace cotan::text_form

namespace cotan {

Function parse_function(std::string_view text, std::string_view file_name) { return text_form::parse(text, file_name); }

}  // namespace cotan
