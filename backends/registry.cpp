// The backends, in order of preference.
#include <array>

#include "backends/loops/backend.h"
#include "backends/loops/small_product.h"
#include "backends/onednn/backend.h"
#include "graph/backend.h"

namespace cotan {

std::span<const Backend* const> backends() {
  static const std::array<const Backend*, 3> all{&loops::small_products(), &onednn_backend(), &loops::backend()};
  return all;
}

std::string_view name_of(ReasonCode code) {
  constexpr std::string_view names[] = {"not recognised",
                                        "dtype",
                                        "layout",
                                        "primitive refused",
                                        "not reproducible",
                                        "not profitable",
                                        "a result is a view",
                                        "operand in use",
                                        "partner missing",
                                        "several readers",
                                        "needed by the gradient",
                                        "broadcast kind",
                                        "chain too long",
                                        "something between",
                                        "another domain"};
  return names[static_cast<std::size_t>(code)];
}

}  // namespace cotan
