// Reads of variables whose assignments are pending, replaced by what is assigned.
#include "autograd/substitution.h"
#include "autograd/tape.h"

namespace cotan {
std::vector<Ref> with_assigned_values(const Tape& tape, std::span<const Ref> roots) {
  bool any = false;
  for (const Tape::Assignment& a : tape.pending) any |= static_cast<bool>(a.leaf);
  if (!any) return {roots.begin(), roots.end()};
  Substitution substitution;
  for (const Tape::Assignment& a : tape.pending)  // an assigned value reads only what was assigned before it
    if (a.leaf) substitution.replace(a.leaf, substitution(a.next));
  std::vector<Ref> result;
  for (const Ref& r : roots) result.push_back(substitution(r));
  return result;
}

}  // namespace cotan
