// Machines that tests compile for, whatever the one they run on: an expectation about what is compiled holds on each of them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <initializer_list>

#include "graph/executor.h"

namespace cotan::testing {

// A machine, and what failures call it.
struct DescribedMachine {
  const char* name;
  TargetMachine target;
};

inline constexpr DescribedMachine described_machines[] = {
    {"no generated code", {InstructionSet::none, 512 << 10}},
    {"a small AVX2 machine", {InstructionSet::avx2, 256 << 10}},
    {"Zen 4", {InstructionSet::avx512, 1 << 20}},
    {"a large Intel machine", {InstructionSet::avx512, 2 << 20}},
};

// Calls visit(options) with these options for each described machine and each number of threads.
template <class Visit>
void on_each_machine(CompileOptions options, std::initializer_list<int> threads, Visit&& visit) {
  for (const DescribedMachine& m : described_machines)
    for (const int n : threads) {
      SCOPED_TRACE(fmt::format("{}, {} threads", m.name, n));
      options.backends.target = m.target;
      options.threads = n;
      visit(std::as_const(options));
    }
}

// The same at one thread and at sixteen.
template <class Visit>
void on_each_machine(Visit&& visit) {
  on_each_machine({}, {1, 16}, visit);
}

}  // namespace cotan::testing
