// Counts the OpenMP parallel regions that this program starts. The program defines GOMP_parallel, through which a library compiled by GCC for OpenMP starts
// each of them, so its definition is found before the runtime's own; it counts and passes on. At the end of the program's tests, an environment fails if a
// region was started that no test expected.
#pragma once

namespace cotan::onednn::testing {

// Regions started since the program began, without those that forgive() covered.
[[nodiscard]] int openmp_teams();

// Takes `count` regions, which a test started on purpose, off the number.
void forgive(int count);

}  // namespace cotan::onednn::testing
