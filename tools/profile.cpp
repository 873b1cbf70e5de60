#include "autograd/profile/profile.h"

#include <fmt/format.h>

#include "autograd/profile/report.h"
#include "ops/error.h"
#include "tools/commands.h"
#include "tools/input.h"
#include "tools/inputs.h"
#include "training/models.h"

namespace cotan::tools {

void profile(const ProfileCommandOptions& options) {
  if (options.file.empty() == options.example.empty()) throw Error("", "neither a file nor an example, or both", "Give FILE, or --example NAME");
  ProfileOptions how;
  how.repetitions = options.repetitions;
  how.seconds = options.seconds;
  Profile p;
  if (!options.example.empty()) {
    const training::ModelEntry& entry = training::model(options.example);
    const training::Model model = entry.make();
    how.name = fmt::format("{} ({})", entry.name, entry.title);
    p = cotan::profile(model.compiled(), model.inputs, how);
  } else {
    const Function f = read_function(options.file);
    how.name = f.name;
    p = cotan::profile(on_tensors(f), random_inputs(f, options.seed), how);
  }
  fmt::print("{}", table(p));
  if (!options.html.empty()) write_page(p, options.html);
  if (!options.json.empty()) write_json(p, options.json);
  if (!options.trace.empty()) write_trace(p, options.trace);
}

}  // namespace cotan::tools
