// What the parser of a function's block knows while it reads: which tensors have names, and how statements ask for them.
#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/node.h"
#include "graph/text/reader.h"

namespace cotan::text_form {

// The tensors that a statement may name.
class TensorScope {
 public:
  // Fails at `at` where the name or number is taken.
  void define(Reader& reader, const Token& at, std::string name, Ref value);
  void define(Reader& reader, const Token& at, std::uint64_t number, Ref value);

  // Reads %3, x or "any name".
  [[nodiscard]] Ref operand(Reader& reader) const;
  // Whether such a token stands `ahead`.
  [[nodiscard]] static bool begins_operand(const Reader& reader, std::size_t ahead = 0);

 private:
  std::unordered_map<std::string, Ref> names_;
  std::unordered_map<std::uint64_t, Ref> values_;
};

// The left side of a statement that has one result, and where it stands.
struct LeftSide {
  Token at;
  ResultType type;
};

// "f32[64,784]".
[[nodiscard]] ResultType read_type(Reader& reader);

// "{ t0 = exp(x); t0 / (1 + t0) }", with or without "map(x) " before it.
[[nodiscard]] Ref read_map(Reader& reader, const TensorScope& scope, const LeftSide& left);

// "{axis=1, reverse=true}", in the order of the text; absent: empty.
class AttributeReader {
 public:
  explicit AttributeReader(Reader& reader);

  // A given attribute, removed from the list; fails where it is missing or of another kind.
  [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t low, std::int64_t high);
  [[nodiscard]] std::uint64_t whole(std::string_view name);
  [[nodiscard]] bool boolean(std::string_view name);
  [[nodiscard]] std::string text(std::string_view name);
  // Whether it is there.
  [[nodiscard]] bool has(std::string_view name) const;
  // Null where it is missing.
  [[nodiscard]] const double* number(std::string_view name);
  // Fails where an attribute is left, naming those that there are.
  void finish(std::span<const std::string_view> known);
  // All of them as they stand.
  [[nodiscard]] Attributes all();

 private:
  struct Entry {
    Token at;
    std::string name;
    Attribute value;
    Number number;
    bool is_number = false, is_text = false, used = false;
    std::string text;
  };
  Entry read_entry();
  Entry& find(std::string_view name);
  Reader& reader_;
  Token begin_;
  std::vector<Entry> entries_;
};

}  // namespace cotan::text_form
