// What the layers print of their options: as Python does, so that a model's text is PyTorch's. Internal to the layers.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "graph/composites/composite_options.h"
#include "ops/options.h"

namespace cotan::nn {

// "True", "False".
[[nodiscard]] inline std::string shown(bool value) { return value ? "True" : "False"; }
[[nodiscard]] inline std::string shown(std::int64_t value) { return fmt::format("{}", value); }
[[nodiscard]] inline std::string shown(const Dim& dim) { return shown(dim.value); }
// The shortest text that reads back as the same number, with a point or an exponent: "1.0", "1e-05".
[[nodiscard]] inline std::string shown(double value) { return literal_text(value); }
// The value, or "None".
template <class T>
[[nodiscard]] std::string shown(const std::optional<T>& value) {
  return value ? shown(*value) : "None";
}
// "(3, 4)", "(3,)".
[[nodiscard]] std::string tuple_of(std::span<const std::int64_t> sizes);
// "(3, 3)" also where one number was given for all.
template <std::size_t N>
[[nodiscard]] std::string tuple_of(const Spatial<N>& sizes) {
  return tuple_of(std::span<const std::int64_t>(sizes.values));
}
// As it was given: "3" or "(3, 3)", "None" or "(None, 3)".
template <std::size_t N>
[[nodiscard]] std::string shown(const Spatial<N>& sizes) {
  return sizes.one_for_all ? shown(sizes[0]) : tuple_of(sizes);
}
template <std::size_t N>
[[nodiscard]] std::string shown(const OutputSize<N>& sizes) {
  if (sizes.one_for_all()) return shown(sizes[0]);
  std::string text;
  for (std::size_t i = 0; i < N; ++i) text += fmt::format("{}{}", i > 0 ? ", " : "", shown(sizes[i]));
  return fmt::format("({}{})", text, N == 1 ? "," : "");
}

// "kernel_size=3, stride=2": all of these options, each a pair of a name and a member. A stride of 0 shows as the kernel_size that it stands for.
template <class Options, class... Fields>
[[nodiscard]] std::string options_text(const Options& options, const Fields&... fields) {
  std::string text;
  const auto value = [](const auto& option) {
    if constexpr (std::is_same_v<Options, AvgPool1dOptions>)  // PyTorch's layer makes tuples of its numbers
      return tuple_of(option);
    else
      return shown(option);
  };
  const auto show = [&](const auto& field) {
    std::string of_field = value(options.*field.second);
    if constexpr (requires { options.kernel_size; })
      if (std::string_view(field.first) == "stride" && options.stride == decltype(options.stride)(0)) of_field = value(options.kernel_size);
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", field.first, of_field);
  };
  (show(fields), ...);
  return text;
}

}  // namespace cotan::nn
