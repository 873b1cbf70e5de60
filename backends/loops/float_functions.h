// The functions of float_functions.inl over Highway's vectors.
//
// Included once for each instruction set, like lanes.h.
#if defined(COTAN_LOOPS_FLOAT_FUNCTIONS) == defined(HWY_TARGET_TOGGLE)
#ifdef COTAN_LOOPS_FLOAT_FUNCTIONS
#undef COTAN_LOOPS_FLOAT_FUNCTIONS
#else
#define COTAN_LOOPS_FLOAT_FUNCTIONS
#endif

#include <cstdint>
#include <limits>

#include "backends/loops/lanes.h"
#include "backends/loops/polynomials.h"

HWY_BEFORE_NAMESPACE();
namespace cotan::loops::HWY_NAMESPACE {

#define LANES_INLINE HWY_INLINE
#include "backends/loops/float_functions.inl"
#undef LANES_INLINE

}  // namespace cotan::loops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
