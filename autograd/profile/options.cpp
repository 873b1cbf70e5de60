#include "autograd/profile/options.h"

#include <fmt/format.h>

namespace cotan {

ExecutionOptions present_options() {
  const ExecutionOptions now = set_execution_options({});
  set_execution_options(now);
  return now;
}

PassSwitches unfused_passes(const PassSwitches& passes) {
  const std::string text = passes.text();
  return PassSwitches(fmt::format("{}{}{}", text, text.empty() ? "" : ",", without_fusion().text()));
}

}  // namespace cotan
