#include <fmt/format.h>

#include "autograd/profile/page/parts.h"
#include "autograd/profile/report.h"

namespace cotan {
namespace {

// Text between tags.
std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      default: out += c;
    }
  return out;
}

// JSON inside a script element: no text in it can end the element.
std::string inside_script(std::string_view json) {
  std::string out;
  for (char c : json)
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  return out;
}

}  // namespace

std::string page(const Profile& profile) {
  using namespace page_parts;
  std::string out = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n";
  out += fmt::format("<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n{}\n", escaped(profile.name), style, sections);
  out += fmt::format("<script id=\"data\" type=\"application/json\">{}</script>\n", inside_script(json(profile, true)));
  out += fmt::format("<script>\n'use strict';\n{}{}{}{}{}</script>\n</body>\n</html>\n", common, tables, plots, layout, graphs);
  return out;
}

}  // namespace cotan
