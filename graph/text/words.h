// The words of the text form: names, quoted strings, types and literals as they are printed, and which names must be quoted.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "ops/dtype.h"
#include "ops/shape.h"

namespace cotan::text_form {

// A word that stands for something in the grammar, so that a tensor of this name is quoted.
[[nodiscard]] bool is_reserved(std::string_view word);
// Characters that may begin, and that may continue, a name without quotes. A name may also begin with '#' if a digit follows.
[[nodiscard]] bool begins_name(char c);
[[nodiscard]] bool continues_name(char c);

// The name as it is, or quoted where it would not read back.
[[nodiscard]] std::string name_text(std::string_view name);

// A word of the text as errors quote it: where it is long, its beginning and "...".
[[nodiscard]] std::string shortened(std::string_view word, std::size_t most = 40);
// A name as errors quote it: as it would be written, shortened.
[[nodiscard]] std::string shown_name(std::string_view name);

// "f32[64,784]", "f32[]".
[[nodiscard]] std::string type_text(DType dtype, const Shape& shape);

// The shortest literal that reads back as these bits in this type: "1", "0.1", "-0", "inf", "nan", "nan(0x7ff8000000000001)", "true".
[[nodiscard]] std::string literal_of(double value, DType dtype);

// The candidate with the fewest edits to `word`, if that is few enough to be a slip of the pen; else "".
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace cotan::text_form
