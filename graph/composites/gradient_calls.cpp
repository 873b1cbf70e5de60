#include "graph/composites/gradient_calls.h"

namespace cotan {
namespace {

constinit MakeGradientCall maker = nullptr;

}  // namespace

MakeGradientCall gradient_calls() { return maker; }
void set_gradient_calls(MakeGradientCall make) { maker = make; }

}  // namespace cotan
