#include "autograd/nn/detail_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cotan::nn {
namespace {

struct Printer {
  std::string operator()(std::monostate) const { return "none"; }
  std::string operator()(const std::vector<std::int64_t>& v) const { return v.size() == 1 ? fmt::format("{}", v[0]) : fmt::format("({})", fmt::join(v, ", ")); }
  std::string operator()(const auto& v) const { return fmt::format("{}", v); }
};

}  // namespace

std::string detail_text(const Attributes& attributes) {
  std::string text;
  for (const auto& [name, value] : attributes) text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, std::visit(Printer(), value));
  return text;
}

}  // namespace cotan::nn
