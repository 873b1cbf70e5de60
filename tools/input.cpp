#include "tools/input.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "graph/text/text.h"
#include "graph/verify.h"
#include "ops/error.h"
#include "tools/file.h"

namespace cotan::tools {

Function read_function(const std::string& file) {
  const std::string text = content_of(file, "Give a file with the text of a function");
  Function f = parse_function(text, file == "-" ? "standard input" : file);
  verify(f);
  return f;
}

const std::string& name_of_parameter(const Ref& parameter) { return parameter->as<LeafSpec>().name; }

std::size_t parameter_named(const Function& f, const std::string& name, const std::string& option) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < f.parameters.size(); ++i) {
    names.push_back(name_of_parameter(f.parameters[i]));
    if (names.back() == name) return i;
  }
  throw Error("", fmt::format("{} {}: the function has no parameter of this name", option, name),
              names.empty() ? "It has none" : fmt::format("It has {}", fmt::join(names, ", ")));
}

}  // namespace cotan::tools
