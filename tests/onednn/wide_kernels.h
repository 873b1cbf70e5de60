// What the library lacks where it works without AVX-512.
#pragma once

#include <gtest/gtest.h>

#include <oneapi/dnnl/dnnl.hpp>

#include "backends/onednn/primitive.h"

namespace cotan::onednn::testing {

// Whether the library works with AVX-512, for which it has every primitive that these tests ask for.
inline bool has_wide_kernels() {
  constexpr auto wide = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wide) == wide;
}
// Whether the primitive was made. With AVX-512 it has to be; without, the refusal has to be for want of a kernel.
inline bool was_made(const Made& made) {
  if (made) return true;
  EXPECT_FALSE(has_wide_kernels()) << made.reason;
  EXPECT_TRUE(made.refusal == Refusal::slow_reference || made.refusal == Refusal::library_refused) << made.reason;
  return false;
}

}  // namespace cotan::onednn::testing
