#include "tests/onednn/openmp_teams.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>

namespace {

std::atomic<int> teams{0};

using Region = void (*)(void*);
using Parallel = void (*)(Region, void*, unsigned, unsigned);

// Nothing at all may have started a region while all the tests of this program ran.
class NoTeam : public ::testing::Environment {
 public:
  void TearDown() override { EXPECT_EQ(teams.load(), 0) << "OpenMP parallel regions were started"; }
};

[[maybe_unused]] const ::testing::Environment* const no_team = ::testing::AddGlobalTestEnvironment(new NoTeam);

}  // namespace

extern "C" void GOMP_parallel(Region region, void* data, unsigned threads, unsigned flags) {
  ++teams;
  static const auto runtimes_own = reinterpret_cast<Parallel>(dlsym(RTLD_NEXT, "GOMP_parallel"));
  runtimes_own(region, data, threads, flags);
}

namespace cotan::onednn::testing {

int openmp_teams() { return teams.load(); }

void forgive(int count) { teams -= count; }

}  // namespace cotan::onednn::testing
