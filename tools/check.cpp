#include <fmt/format.h>

#include "autograd/profile/verify.h"
#include "tools/commands.h"
#include "tools/input.h"
#include "tools/inputs.h"

namespace cotan::tools {

bool check(const CheckOptions& options) {
  const Function f = read_function(options.file);
  Verification v = verify(on_tensors(f), random_inputs(f, options.seed), {.relative = options.relative, .absolute = options.absolute});
  for (std::size_t r = 0; r < v.outputs.size(); ++r)
    if (r < f.result_names.size() && !f.result_names[r].empty() && v.outputs.size() == f.results.size()) v.outputs[r].name = f.result_names[r];
  fmt::print("{}", v.text());
  return v.passed;
}

}  // namespace cotan::tools
