// The parts of the page that do not depend on the profile: a style sheet and the scripts that draw the data. Internal to autograd/profile.
#pragma once

#include <string_view>

namespace cotan::page_parts {

extern const std::string_view style;     // colours for light and dark, and the layout of sections
extern const std::string_view common;    // numbers as text, elements, the pointer's notes, colours of kernels
extern const std::string_view tables;    // side by side, kernels, misses, passes
extern const std::string_view plots;     // the timeline and the roofline
extern const std::string_view layout;    // layers, order and places of boxes
extern const std::string_view graphs;    // the graphs before and after, drawn by the layout
extern const std::string_view sections;  // the body of the page

}  // namespace cotan::page_parts
