// What the layers print of their options. Internal to the layers.
#pragma once

#include <string>
#include <utility>

#include "ops/attributes.h"
#include "ops/options.h"

namespace cotan::nn {

// "kernel_size=(3, 3), stride=2": numbers of dimensions in parentheses.
[[nodiscard]] std::string detail_text(const Attributes& attributes);

// Options as text: the first, and the others where they are not their defaults. Each field is a pair of its name and its member.
template <class Options, class First, class... Fields>
[[nodiscard]] std::string options_text(const Options& options, const First& first, const Fields&... fields) {
  [[maybe_unused]] const Options standard{};
  Attributes shown;
  shown.set(first.first, to_attribute(options.*first.second));
  ((options.*fields.second == standard.*fields.second ? void() : shown.set(fields.first, to_attribute(options.*fields.second))), ...);
  return detail_text(shown);
}

}  // namespace cotan::nn
