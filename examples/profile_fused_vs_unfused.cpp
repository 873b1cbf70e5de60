// What fusion gains on a training step, and where the time goes: C1's net, a convolutional net and a transformer block.
//
//     profile_fused_vs_unfused [folder [model...]]
//
// Prints a table for each and writes FOLDER/profile_MODEL.html, a page to open in a browser. The folder is the present one unless named; models are those of
// training/models.h, by default c1, cnn and transformer.
#include <cotan/cotan.h>
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "training/models.h"

using namespace cotan;

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : ".";
  std::vector<std::string> names(argv + std::min(argc, 2), argv + argc);
  if (names.empty()) names = {"c1", "cnn", "transformer"};
  try {
    for (const std::string& name : names) {
      const training::ModelEntry& entry = training::model(name);
      const training::Model model = entry.make();
      const Profile p = profile(model.compiled(), model.inputs, {.name = fmt::format("{} ({})", entry.name, entry.title)});
      const std::string file = fmt::format("{}/profile_{}.html", folder, name);
      write_page(p, file);
      fmt::print("{}\nThe page: {}\n\n", table(p), file);
      std::fflush(stdout);
    }
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
