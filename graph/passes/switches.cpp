#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "graph/fusion/fusion.h"
#include "graph/passes/pass.h"
#include "ops/environment.h"
#include "ops/error.h"

namespace cotan {

PassSwitches::PassSwitches(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (item.empty()) continue;
    const bool on = item[0] == '+';
    const std::string_view name = item.substr(on || item[0] == '-' ? 1 : 0);
    std::vector<std::string_view> known{"all"};
    for (const Pass& p : pipeline()) known.push_back(p.name);
    for (const Fusion& f : fusions()) known.push_back(f.name);
    if (name.size() == item.size() || std::find(known.begin(), known.end(), name) == known.end())
      fail(fmt::format("a switch '{}' for no pass", item), fmt::format("Write + or - and one of {}", fmt::join(known, ", ")));
    switches_.emplace_back(name, on);
  }
}

bool PassSwitches::enabled(std::string_view name, bool standard) const {
  bool on = standard;
  for (const auto& [switched, to] : switches_)
    if (switched == name || switched == "all") on = to;
  return on;
}

std::optional<bool> PassSwitches::said(std::string_view name) const {
  std::optional<bool> on;
  for (const auto& [switched, to] : switches_)
    if (switched == name) on = to;
  return on;
}

PassSwitches PassSwitches::with(std::string_view name, bool on) const {
  PassSwitches more = *this;
  more.switches_.emplace_back(name, on);
  return more;
}

std::string PassSwitches::text() const {
  std::string out;
  for (const auto& [name, on] : switches_) out += fmt::format("{}{}{}", out.empty() ? "" : ",", on ? '+' : '-', name);
  return out;
}

const PassSwitches& standard_passes() {
  static const PassSwitches& switches = *new PassSwitches([] {
    const std::string text = environment("COTAN_PASSES");
    try {
      return PassSwitches(text);
    } catch (const Error& e) {
      refuse_environment("COTAN_PASSES", text, fmt::format("switches separated by commas. {}", e.remedy()));
    }
  }());
  return switches;
}

PassSwitches without_fusion() {
  std::string text;
  for (const Fusion& f : fusions())
    if (f.optional) text += fmt::format("{}-{}", text.empty() ? "" : ",", f.name);
  return PassSwitches(text);
}

}  // namespace cotan
