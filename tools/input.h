// Functions given as text files.
#pragma once

#include <string>

#include "graph/node.h"

namespace cotan::tools {

// The function in the file, or on standard input for "-"; verified. Throws Error where it cannot be read or is no function.
[[nodiscard]] Function read_function(const std::string& file);

// The position of the parameter of this name; Error, naming those there are, if there is none. `option` is what named it: "--wrt".
[[nodiscard]] std::size_t parameter_named(const Function& f, const std::string& name, const std::string& option);
// The name of a parameter.
[[nodiscard]] const std::string& name_of_parameter(const Ref& parameter);

}  // namespace cotan::tools
