// Named attributes of operations and calls: {dim=1, keepdim=true, stride=[2,2]}.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace cotan {

// std::monostate: not given.
using Attribute = std::variant<std::monostate, bool, std::int64_t, double, std::vector<std::int64_t>, std::string>;

// Attributes in the order in which the row declares them.
class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<std::string, Attribute>> list) : list_(list) {}

  void set(std::string name, Attribute value);
  // Null where there is none of that name.
  [[nodiscard]] const Attribute* find(std::string_view name) const;
  // The attribute of that name and type; a fault where it is missing.
  template <class T>
  [[nodiscard]] const T& get(std::string_view name) const {
    return std::get<T>(at(name));
  }

  [[nodiscard]] bool empty() const { return list_.empty(); }
  [[nodiscard]] auto begin() const { return list_.begin(); }
  [[nodiscard]] auto end() const { return list_.end(); }
  [[nodiscard]] std::uint64_t hash() const;
  bool operator==(const Attributes&) const = default;

  // " {dim=1, keepdim=true}", or "" when empty. A double always shows a point or an exponent, so that the text says its type.
  [[nodiscard]] std::string text() const;

 private:
  [[nodiscard]] const Attribute& at(std::string_view name) const;
  std::vector<std::pair<std::string, Attribute>> list_;
};

// Quotes around, with \" \\ \n \t and \xHH for control characters.
[[nodiscard]] std::string quoted(std::string_view text);

// The shortest text that reads back as the same double, with a point or an exponent; "inf", "-inf" and "nan" as such.
[[nodiscard]] std::string literal_text(double value);

}  // namespace cotan
