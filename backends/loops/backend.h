// The loops as a backend: the last one asked, it takes every node but calls.
#pragma once

#include "graph/backend.h"

namespace cotan::loops {

[[nodiscard]] const Backend& backend();

}  // namespace cotan::loops
