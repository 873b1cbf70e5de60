// Programs that keep numbers below the smallest normal one, for as long as the object lives: what tests of such numbers themselves ask for.
#pragma once

#include "graph/subnormals.h"

namespace cotan::testing {

class KeepSubnormals {
 public:
  KeepSubnormals() { set_flush_subnormals(false); }
  ~KeepSubnormals() { set_flush_subnormals(true); }
  KeepSubnormals(const KeepSubnormals&) = delete;
  KeepSubnormals& operator=(const KeepSubnormals&) = delete;
};

}  // namespace cotan::testing
