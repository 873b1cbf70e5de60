#include "ops/attributes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "ops/error.h"
#include "ops/hash.h"

namespace cotan {

void Attributes::set(std::string name, Attribute value) { list_.emplace_back(std::move(name), std::move(value)); }

const Attribute* Attributes::find(std::string_view name) const {
  for (const auto& [key, value] : list_)
    if (key == name) return &value;
  return nullptr;
}

const Attribute& Attributes::at(std::string_view name) const {
  const Attribute* found = find(name);
  if (found == nullptr) throw InternalError(fmt::format("no attribute '{}'", name));
  return *found;
}

std::uint64_t Attributes::hash() const {
  std::uint64_t h = list_.size();
  for (const auto& [name, value] : list_) {
    h = mix(mix(h, hash_of(name)), value.index());
    std::visit(
        [&](const auto& v) {
          using T = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
            for (std::int64_t x : v) h = mix(h, static_cast<std::uint64_t>(x));
          } else if constexpr (std::is_same_v<T, double>) {
            h = mix(h, hash_of(v));
          } else if constexpr (std::is_same_v<T, std::string>) {
            h = mix(h, hash_of(std::string_view(v)));
          } else if constexpr (!std::is_same_v<T, std::monostate>) {
            h = mix(h, static_cast<std::uint64_t>(v));
          }
        },
        value);
  }
  return h;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string literal_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string Attributes::text() const {
  if (list_.empty()) return "";
  std::string out = " {";
  for (std::size_t i = 0; i < list_.size(); ++i) {
    out += fmt::format("{}{}=", i > 0 ? ", " : "", list_[i].first);
    std::visit(
        [&](const auto& v) {
          using T = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
            out += fmt::format("[{}]", fmt::join(v, ","));
          } else if constexpr (std::is_same_v<T, double>) {
            out += literal_text(v);
          } else if constexpr (std::is_same_v<T, std::monostate>) {
            out += "none";
          } else if constexpr (std::is_same_v<T, std::string>) {
            out += quoted(v);
          } else {
            out += fmt::format("{}", v);
          }
        },
        list_[i].second);
  }
  return out + "}";
}

}  // namespace cotan
