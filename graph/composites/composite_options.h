// The option structures of the composites, as composites.def declares them.
#pragma once

#include "ops/options.h"
#include "ops/row_macros.h"

namespace cotan {

#define OPTION(type, name, ...) type name = __VA_ARGS__;
#define COTAN_SELF(x) x
#define COMPOSITE(form_, name_, Options_, operands_, options_, ...) \
  struct Options_ {                                                 \
    COTAN_EACH(COTAN_SELF, COTAN_UNWRAP options_)                   \
    bool operator==(const Options_&) const = default;               \
  };
#include "graph/composites/composites.def"
#undef COMPOSITE
#undef COTAN_SELF
#undef OPTION

}  // namespace cotan
