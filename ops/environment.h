// The environment's switches, read in one way: a value that is not allowed is an Error that names the variable, the value and what is allowed.
#pragma once

#include <string>

namespace cotan {

// The variable's value; "" where it is not set.
[[nodiscard]] std::string environment(const char* name);

// Whether a text switches on: "1" does, "0" and "" do not. Any other one is an Error that names the variable.
[[nodiscard]] bool parse_switch(const char* name, const std::string& text);

// What the variable switches.
[[nodiscard]] inline bool environment_switch(const char* name) { return parse_switch(name, environment(name)); }

// The Error for a variable whose value is not allowed. `allowed` continues "Set it to".
[[noreturn]] void refuse_environment(const char* name, const std::string& value, const std::string& allowed);

}  // namespace cotan
