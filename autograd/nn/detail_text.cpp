#include "autograd/nn/detail_text.h"

namespace cotan::nn {

std::string tuple_of(std::span<const std::int64_t> sizes) { return fmt::format("({}{})", fmt::join(sizes, ", "), sizes.size() == 1 ? "," : ""); }

}  // namespace cotan::nn
