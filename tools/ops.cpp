#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ops/error.h"
#include "tools/commands.h"
#include "tools/op_page.h"

namespace cotan::tools {

void ops(const OpsOptions& options) {
  const std::vector<Op> all = all_ops();
  if (options.name.empty()) {
    fmt::print("{}", page_of(all));
    return;
  }
  std::vector<std::string> similar;
  for (const Op& op : all) {
    if (op.name == options.name) {
      fmt::print("{}", text_of(op));
      return;
    }
    if (op.name.find(options.name) != std::string::npos || (op.name.size() > 2 && options.name.find(op.name) != std::string::npos)) similar.push_back(op.name);
  }
  throw Error("", fmt::format("no operation has the name {}", options.name),
              similar.empty() ? "docs/ops.md lists all of them" : fmt::format("Similar names: {}", fmt::join(similar, ", ")));
}

}  // namespace cotan::tools
