// What makes a formula legal, from the table of atoms: the parser asks while it reads, the verifier afterwards.
//
// A legal formula names its operands first, in order, each at most once; holds no node twice and none that the value does not need; and each atom has operands
// of the types that the table allows. make_formula gives nothing else, and the text form relies on it.
#pragma once

#include <string>

#include "ops/formula.h"

namespace cotan::text_form {

// Whether an atom of arity 1 or 2 takes operands of this type; and which, in words: "a number", "floating", "bool", "what is computed with".
[[nodiscard]] bool atom_takes(Atom atom, DType dtype);
[[nodiscard]] std::string_view atom_wants(Atom atom);
// The type of the atom's value for operands of this type.
[[nodiscard]] DType atom_gives(Atom atom, DType dtype);

// What is wrong with the formula, or "".
[[nodiscard]] std::string fault_of(const Formula& f);

}  // namespace cotan::text_form
