#include <fmt/format.h>

#include <fstream>

#include "autograd/profile/report.h"
#include "ops/error.h"

namespace cotan {
namespace {

void write(const char* function, const std::string& text, const std::string& file, std::source_location where) {
  const CallSite site(function, where);
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (!out) fail(fmt::format("the file {} cannot be written", file), "Name one in a folder that exists and may be written to");
}

}  // namespace

void write_json(const Profile& profile, const std::string& file, std::source_location where) { write("write_json", json(profile), file, where); }
void write_trace(const Profile& profile, const std::string& file, std::source_location where) { write("write_trace", trace(profile), file, where); }
void write_page(const Profile& profile, const std::string& file, std::source_location where) { write("write_page", page(profile), file, where); }

}  // namespace cotan
