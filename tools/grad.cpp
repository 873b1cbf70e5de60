#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "autograd/differentiate.h"
#include "graph/text/text.h"
#include "graph/verify.h"
#include "ops/error.h"
#include "tools/commands.h"
#include "tools/input.h"

namespace cotan::tools {
namespace {

std::size_t result_named(const Function& f, const std::string& name) {
  if (f.results.empty()) throw Error("", "the function has no result to differentiate", "Return one");
  if (name.empty()) return 0;
  const auto found = std::find(f.result_names.begin(), f.result_names.end(), name);
  if (found == f.result_names.end())
    throw Error("", fmt::format("--of {}: the function has no result of this name", name), fmt::format("Its results: {}", fmt::join(f.result_names, ", ")));
  return static_cast<std::size_t>(found - f.result_names.begin());
}

}  // namespace

void grad(const GradOptions& options) {
  Function f = read_function(options.file);
  const Ref output = f.results[result_named(f, options.of)];
  if (!is_floating(output.dtype()) || output.shape().rank() != 0)
    throw Error("", fmt::format("the result to differentiate is {} of shape {}", name_of(output.dtype()), output.shape().text()),
                "Differentiate a floating scalar; --of names another result");
  std::vector<Ref> wrt;
  for (const std::string& name : options.wrt) {
    const Ref& p = f.parameters[parameter_named(f, name, "--wrt")];
    if (!is_floating(p.dtype()))
      throw Error("", fmt::format("--wrt {}: the parameter is {}", name, name_of(p.dtype())), "Differentiate by floating parameters");
    if (std::find(wrt.begin(), wrt.end(), p) != wrt.end()) throw Error("", fmt::format("--wrt {}: named twice", name), "Name each once");
    wrt.push_back(p);
  }
  const std::vector<Ref> gradient = gradients(output, wrt);
  f.result_names.resize(f.results.size());
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    f.results.push_back(gradient[i]);
    f.result_names.push_back(fmt::format("d_{}", options.wrt[i]));
  }
  verify(f);
  fmt::print("{}", to_text(f));
}

}  // namespace cotan::tools
