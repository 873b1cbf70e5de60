// The option structures of the rows, as sums.def and reductions.def declare them.
#pragma once

#include "ops/options.h"
#include "ops/row_macros.h"

namespace cotan {

#define OPTION(type, name, ...) type name = __VA_ARGS__;
#define SUM(name_, Options_, operands_, options_, ...) \
  struct Options_ {                                    \
    COTAN_EACH(COTAN_SELF, COTAN_UNWRAP options_)      \
    bool operator==(const Options_&) const = default;  \
  };
#define COTAN_SELF(x) x
#define REDUCE SUM
#include "ops/reductions.def"
#include "ops/sums.def"
#undef REDUCE
#undef COTAN_SELF
#undef SUM
#undef OPTION

}  // namespace cotan
