// The option structures of the composites and the structures of named results, as composites.def declares them.
#pragma once

#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "ops/options.h"
#include "ops/row_macros.h"

namespace cotan {

#define OPTION(type, name, ...) type name = __VA_ARGS__;
#define COTAN_SELF(x) x
#define COMPOSITE(form_, name_, Options_, results_, operands_, options_, ...) \
  struct Options_ {                                                           \
    COTAN_EACH(COTAN_SELF, COTAN_UNWRAP options_)                             \
    bool operator==(const Options_&) const = default;                         \
  };
#include "graph/composites/composites.def"
#undef COMPOSITE
#undef COTAN_SELF
#undef OPTION

// T is Tensor or Ref.
#define COTAN_DECLARE_ONE
#define COTAN_DECLARE_MANY
#define COTAN_DECLARE_NAMED(Structure, ...)                        \
  template <class T>                                               \
  struct Structure {                                               \
    T __VA_ARGS__;                                                 \
    static constexpr std::size_t count = COTAN_COUNT(__VA_ARGS__); \
  };
#define COMPOSITE(form_, name_, Options_, results_, ...) COTAN_CAT(COTAN_DECLARE_, results_)
#include "graph/composites/composites.def"
#undef COMPOSITE
#undef COTAN_DECLARE_NAMED
#undef COTAN_DECLARE_MANY
#undef COTAN_DECLARE_ONE

// How many results of a composite are its user's; a call's body may have more, which only its gradient and backends read.
template <class Results, class T>
constexpr std::size_t public_results = [] {
  if constexpr (std::is_same_v<Results, T>)
    return std::size_t{1};
  else if constexpr (std::is_same_v<Results, std::vector<T>>)
    return std::numeric_limits<std::size_t>::max();
  else
    return Results::count;
}();

// A list of results as what the row gives: one, a structure, or all.
template <class Results, class T>
[[nodiscard]] Results results_as(std::vector<T> all) {
  if constexpr (std::is_same_v<Results, T>)
    return std::move(all.at(0));
  else if constexpr (std::is_same_v<Results, std::vector<T>>)
    return all;
  else
    return [&]<std::size_t... I>(std::index_sequence<I...>) { return Results{std::move(all.at(I))...}; }(std::make_index_sequence<Results::count>{});
}

}  // namespace cotan
