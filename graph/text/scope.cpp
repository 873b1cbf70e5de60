#include "graph/text/scope.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "graph/text/words.h"

namespace cotan::text_form {
namespace {

constexpr std::int64_t largest_size = std::int64_t{1} << 46;
constexpr std::size_t most_attributes = 64;

}  // namespace

void TensorScope::define(Reader& reader, const Token& at, std::string name, Ref value) {
  auto [it, fresh] = names_.emplace(std::move(name), std::move(value));
  if (!fresh) reader.fail(at, fmt::format("a second parameter {}", shown_name(it->first)), "Give each its own name");
}

void TensorScope::define(Reader& reader, const Token& at, std::uint64_t number, Ref value) {
  if (!values_.emplace(number, std::move(value)).second) reader.fail(at, fmt::format("%{} has a value already", number), "Give each statement its own number");
}

bool TensorScope::begins_operand(const Reader& reader, std::size_t ahead) {
  const Token& t = reader.peek(ahead);
  return t.kind == TokenKind::value || t.kind == TokenKind::string || (t.kind == TokenKind::name && !is_reserved(reader.spelled(t)));
}

Ref TensorScope::operand(Reader& reader) const {
  const Token t = reader.peek();
  if (t.kind == TokenKind::value) {
    auto found = values_.find(reader.whole(reader.take()));
    if (found == values_.end()) reader.fail(t, fmt::format("{} has no value here", reader.shown(t)), "Define it in a statement above");
    return found->second;
  }
  const std::string name = reader.name("a tensor: %number or a parameter's name");
  auto found = names_.find(name);
  if (found != names_.end()) return found->second;
  std::vector<std::string_view> known;
  for (const auto& [k, v] : names_) known.push_back(k);
  std::sort(known.begin(), known.end());
  const std::string_view near = nearest(name, known);
  reader.fail(t, fmt::format("no parameter {}", shown_name(name)),
              near.empty() ? "Name it among the function's parameters" : fmt::format("Did you mean {}?", shown_name(near)));
}

ResultType read_type(Reader& reader) {
  const Token t = reader.peek();
  const auto dtype = t.kind == TokenKind::name ? dtype_named(reader.spelled(t)) : std::nullopt;
  if (!dtype) reader.expected("an element type", "It is f32, f64, bf16, i32, i64, u8, u32 or bool, then the sizes: f32[64,784]");
  reader.take();
  reader.expect("[");
  ResultType type{*dtype, {}};
  std::int64_t elements = 1;
  while (!reader.is("]")) {
    if (type.shape.rank() > 0) reader.expect(",");
    if (type.shape.rank() == Shape::max_rank) reader.fail(t, "a tensor of more than 8 dimensions", "Merge dimensions");
    const std::int64_t size = reader.integer("a size", 0, largest_size);
    if (size > 0 && elements > largest_size / size) reader.fail(t, "the tensor is too large", fmt::format("A tensor has at most {} elements", largest_size));
    elements *= size > 0 ? size : 1;
    type.shape.push_back(size);
  }
  reader.expect("]");
  return type;
}

// ---- attributes

AttributeReader::AttributeReader(Reader& reader) : reader_(reader), begin_(reader.peek()) {
  if (!reader_.accept("{")) return;
  while (!reader_.is("}")) {
    if (!entries_.empty()) reader_.expect(",");
    Entry e = read_entry();
    if (entries_.size() == most_attributes) reader_.fail(e.at, fmt::format("more than {} attributes", most_attributes), "No operation has so many");
    for (const Entry& other : entries_)
      if (other.name == e.name) reader_.fail(e.at, fmt::format("a second attribute {}", shortened(e.name)), "Give each once");
    entries_.push_back(std::move(e));
  }
  reader_.expect("}");
}

AttributeReader::Entry AttributeReader::read_entry() {
  Entry e;
  e.at = reader_.peek();
  if (e.at.kind != TokenKind::name) reader_.expected("the name of an attribute");
  e.name = reader_.spelled(reader_.take());
  reader_.expect("=");
  if (reader_.peek().kind == TokenKind::string) {
    e.is_text = true;
    e.text = reader_.unquoted(reader_.take());
  } else if (reader_.accept("[")) {
    std::vector<std::int64_t> list;
    while (!reader_.is("]")) {
      if (!list.empty()) reader_.expect(",");
      list.push_back(reader_.integer("a whole number", std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()));
    }
    reader_.expect("]");
    e.value = std::move(list);
  } else if (reader_.accept("true")) {
    e.value = true;
  } else if (reader_.accept("false")) {
    e.value = false;
  } else if (reader_.accept("none")) {
    e.value = std::monostate{};
  } else if (begins_number(reader_)) {
    e.number = read_number(reader_);
    e.is_number = true;
    if (e.number.fits_int64)
      e.value = e.number.integer;
    else
      e.value = e.number.value;
  } else {
    reader_.expected("the value of an attribute: a number, a list of numbers, true, false, none or a quoted text");
  }
  return e;
}

AttributeReader::Entry& AttributeReader::find(std::string_view name) {
  for (Entry& e : entries_)
    if (e.name == name) {
      e.used = true;
      return e;
    }
  reader_.fail(begin_, fmt::format("the attribute {} is missing", name), fmt::format("Write {{{}=...}}", name));
}

std::int64_t AttributeReader::integer(std::string_view name, std::int64_t low, std::int64_t high) {
  const Entry& e = find(name);
  if (!e.number.fits_int64 || e.number.integer < low || e.number.integer > high)
    reader_.fail(e.at, fmt::format("the attribute {} does not fit", name), fmt::format("It is a whole number from {} to {}", low, high));
  return e.number.integer;
}

std::uint64_t AttributeReader::whole(std::string_view name) {
  const Entry& e = find(name);
  if (!e.number.whole || e.number.negative) reader_.fail(e.at, fmt::format("the attribute {} does not fit", name), "It is a whole number of 64 bits");
  return e.number.magnitude;
}

bool AttributeReader::boolean(std::string_view name) {
  const Entry& e = find(name);
  if (!std::holds_alternative<bool>(e.value)) reader_.fail(e.at, fmt::format("the attribute {} does not fit", name), "It is true or false");
  return std::get<bool>(e.value);
}

std::string AttributeReader::text(std::string_view name) {
  const Entry& e = find(name);
  if (!e.is_text) reader_.fail(e.at, fmt::format("the attribute {} does not fit", name), "It is a text in quotes");
  return e.text;
}

bool AttributeReader::has(std::string_view name) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.name == name; });
}

const double* AttributeReader::number(std::string_view name) {
  for (Entry& e : entries_) {
    if (e.name != name) continue;
    if (!e.is_number) reader_.fail(e.at, fmt::format("the attribute {} does not fit", name), "It is a number");
    e.used = true;
    return &e.number.value;
  }
  return nullptr;
}

void AttributeReader::finish(std::span<const std::string_view> known) {
  for (const Entry& e : entries_)
    if (!e.used)
      reader_.fail(e.at, fmt::format("an attribute {} is not known here", shortened(e.name)),
                   known.empty() ? "There are none" : fmt::format("There are: {}", fmt::join(known, ", ")));
}

Attributes AttributeReader::all() {
  Attributes attributes;
  for (Entry& e : entries_) {
    attributes.set(std::move(e.name), e.is_text ? Attribute(std::move(e.text)) : std::move(e.value));
  }
  entries_.clear();
  return attributes;
}

}  // namespace cotan::text_form
