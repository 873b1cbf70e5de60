#include <fmt/format.h>

#include "graph/text/text.h"
#include "tools/commands.h"
#include "tools/input.h"

namespace cotan::tools {

void show(const ShowOptions& options) {
  const Function f = read_function(options.file);
  fmt::print("{}", options.dot ? to_dot(f) : to_text(f));
}

}  // namespace cotan::tools
