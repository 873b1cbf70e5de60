#include "graph/composites/requirements.h"

#include <fmt/format.h>

#include <algorithm>

#include "ops/error.h"
#include "ops/options.h"

namespace cotan::graph {

void require_floating(const Ref& x, std::string_view what) {
  if (!is_floating(x.dtype())) fail(fmt::format("{} of type {}", what, name_of(x.dtype())), "Cast it to f32 first");
}

void require_floating_operand(std::string_view operation, const Ref& x) {
  if (!is_floating(x.dtype())) fail(fmt::format("{} of {}", operation, name_of(x.dtype())), "Cast it to f32 first");
}

void require_shape(const Ref& x, std::string_view what, const Shape& shape, std::string_view why) {
  if (x.shape() != shape) fail(fmt::format("{} of shape {}, not {}", what, x.shape().text(), shape.text()), std::string(why));
}

void require_broadcasts(const Ref& x, std::string_view what, const Shape& shape, std::string_view target) {
  bool fits = x.shape().rank() <= shape.rank();
  for (std::size_t d = 0; fits && d < x.shape().rank(); ++d) {
    const std::int64_t size = x.shape()[d], wanted = shape[shape.rank() - x.shape().rank() + d];
    fits = size == wanted || size == 1;
  }
  if (!fits)
    fail(fmt::format("{} of shape {} for {} of shape {}", what, x.shape().text(), target, shape.text()), fmt::format("Give one that broadcasts to {}", target));
}

void require_choice(std::string_view option, const std::string& given, std::initializer_list<std::string_view> choices) {
  if (std::find(choices.begin(), choices.end(), given) == choices.end())
    fail(fmt::format("{} \"{}\"", option, given), fmt::format("Choose \"{}\"", fmt::join(choices, "\", \"")));
}

}  // namespace cotan::graph
