// cotan_golden_tests runs the tests; cotan_golden_tests --cases writes the cases that PyTorch is to compute, as JSON lines.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/golden/golden_cases.h"

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--cases") {
    const auto write = [](const auto& c) {
      nlohmann::json line = cotan::testing::described(c);
      line["fingerprint"] = cotan::testing::fingerprint(line);
      std::cout << line.dump() << '\n';
    };
    for (const auto& c : cotan::testing::golden_cases()) write(c);
    for (const auto& c : cotan::testing::empty_cases()) write(c);
    return 0;
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
