// cotan: graphs from the command line. See docs/ir.md for their text.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <functional>
#include <new>
#include <string>

#include "ops/error.h"
#include "tools/commands.h"

namespace {

using namespace cotan::tools;

// Exit statuses beside 0.
constexpr int fault = 1;      // of this program, or what `check` found
constexpr int bad_input = 2;  // a file or an argument

// One line, whatever the message holds.
void complain(std::string message) {
  for (char& c : message)
    if (c == '\n' || c == '\r') c = ' ';
  fmt::print(stderr, "cotan: {}\n", message);
}

void add_file(CLI::App& command, std::string& file) { command.add_option("FILE", file, "the text of a function; - is standard input")->required(); }

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Shows, differentiates and runs graphs given as text.", "cotan");
  app.require_subcommand(0, 1);
  std::function<void()> chosen;
  bool wants_version = false;
  app.add_flag("--version", wants_version, "what this program is made of, and the machine");

  ShowOptions show_options;
  CLI::App* show_command = app.add_subcommand("show", "reads a function, checks it and prints it");
  add_file(*show_command, show_options.file);
  show_command->add_flag("--dot", show_options.dot, "print a Graphviz digraph");
  show_command->callback([&] { chosen = [&] { show(show_options); }; });

  GradOptions grad_options;
  CLI::App* grad_command = app.add_subcommand("grad", "adds the gradients of a scalar result to a function and prints it");
  add_file(*grad_command, grad_options.file);
  grad_command->add_option("--wrt", grad_options.wrt, "parameters to differentiate by: w,b")->required()->delimiter(',');
  grad_command->add_option("--of", grad_options.of, "the result to differentiate; by default the first");
  grad_command->callback([&] { chosen = [&] { grad(grad_options); }; });

  RunOptions run_options;
  CLI::App* run_command = app.add_subcommand("run", "computes a function's results from .npy files");
  add_file(*run_command, run_options.file);
  run_command->add_option("--in", run_options.inputs, "NAME=FILE.npy for each parameter; a scalar may be NAME=NUMBER");
  run_command->add_option("--out", run_options.out, "the folder for the results: NAME.npy each")->required();
  run_command->add_option("--backend", run_options.backend, "default or reference")->check(CLI::IsMember({"default", "reference"}));
  run_command->add_option("--dtype", run_options.dtype, "f64: compute float32 in float64 (reference only)")->check(CLI::IsMember({"f64"}));
  run_command->callback([&] { chosen = [&] { run(run_options); }; });

  OptOptions opt_options;
  CLI::App* opt_command = app.add_subcommand("opt", "prints a function after the compiler's passes, and what is fused");
  add_file(*opt_command, opt_options.file);
  opt_command->add_option("--passes", opt_options.passes, "switches such as -fuse_kernels,-all, separated by commas");
  opt_command->add_flag("--explain", opt_options.explain, "also the groups, passes, kernels, and what was not done and why");
  opt_command->callback([&] { chosen = [&] { opt(opt_options); }; });

  ProfileCommandOptions profile_options;
  CLI::App* profile_command = app.add_subcommand("profile", "measures a function, or a model's training step, fused and unfused");
  profile_command->add_option("FILE", profile_options.file, "the text of a function; - is standard input");
  profile_command->add_option("--example", profile_options.example, "a model instead: c1, c1_1000, mlp, cnn, transformer, elementwise, norm");
  profile_command->add_option("--html", profile_options.html, "write a page for a browser");
  profile_command->add_option("--json", profile_options.json, "write the figures as JSON");
  profile_command->add_option("--trace", profile_options.trace, "write the timeline in Chrome's trace format");
  profile_command->add_option("--seed", profile_options.seed, "of the random inputs of FILE");
  profile_command->add_option("--repetitions", profile_options.repetitions, "of each of fused and unfused");
  profile_command->add_option("--seconds", profile_options.seconds, "stop repeating after about so long");
  profile_command->callback([&] { chosen = [&] { profile(profile_options); }; });

  CheckOptions check_options;
  bool agrees = true;
  CLI::App* check_command = app.add_subcommand("check", "compares fused, unfused and reference results on random inputs");
  add_file(*check_command, check_options.file);
  check_command->add_option("--seed", check_options.seed, "of the random inputs");
  check_command->add_option("--relative", check_options.relative, "the bound, relative to the largest value of a result");
  check_command->add_option("--absolute", check_options.absolute, "the bound in addition to that");
  check_command->callback([&] { chosen = [&] { agrees = check(check_options); }; });

  OpsOptions ops_options;
  CLI::App* ops_command = app.add_subcommand("ops", "describes an operation: formula, gradient, conventions, backends, errors");
  ops_command->add_option("NAME", ops_options.name, "the operation; without it all of them are printed, in Markdown");
  ops_command->callback([&] { chosen = [&] { ops(ops_options); }; });

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    complain(fmt::format("{}. See cotan --help", e.what()));
    return bad_input;
  }
  if (wants_version) {
    version();
  } else if (chosen) {
    chosen();
  } else {
    complain("no command. See cotan --help");
    return bad_input;
  }
  if (std::fflush(stdout) != 0) return bad_input;
  return agrees ? 0 : fault;
} catch (const cotan::Error& e) {
  complain(e.what());
  return bad_input;
} catch (const std::bad_alloc&) {
  complain("memory ended. Use smaller tensors, or allow the process more memory (ulimit -v)");
  return bad_input;
} catch (const std::exception& e) {
  fmt::print(stderr, "cotan: {}\n", e.what());
  return fault;
}
