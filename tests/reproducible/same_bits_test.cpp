// Reproducible mode: the same bits for any number of threads, compiled or not, from the cache or not, with checkpoints or without.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "graph/threads.h"
#include "tests/reproducible/models.h"

namespace cotan {
namespace {

struct Kind {
  const char* name;
  testing::SmallModel (*make)(bool checkpointed);
  int steps = 3;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class SameBits : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { set_reproducible(true); }
  void TearDown() override {
    set_reproducible(false);
    set_threads(0);
  }
};

struct Way {
  int threads = 1;
  bool compiled = false, checkpointed = false;
};

// The losses of some steps and the parameters after them, as bits.
std::vector<std::uint32_t> trained(const Kind& kind, const Way& way) {
  set_threads(way.threads);
  const testing::SmallModel model = kind.make(way.checkpointed);
  const auto step = compile([&model] { return model.step(); });
  std::vector<std::uint32_t> bits;
  auto append = [&bits](const Tensor& t) {
    const std::vector<float> values = t.to_vector();
    bits.resize(bits.size() + values.size());
    std::memcpy(bits.data() + bits.size() - values.size(), values.data(), values.size() * sizeof(float));
  };
  for (int i = 0; i < kind.steps; ++i) append(way.compiled ? step() : model.step());
  for (const Variable& v : model.parameters) append(v.value());
  return bits;
}

TEST_P(SameBits, AtAnyNumberOfThreadsInEveryWay) {
  const std::vector<std::uint32_t> expected = trained(GetParam(), {});
  for (const bool checkpointed : {false, true})
    for (const bool compiled : {false, true})
      for (const int threads : {1, 2, 4}) {
        clear_cache();
        for (const char* cache : {"cold", "warm"}) {
          const std::vector<std::uint32_t> found = trained(GetParam(), {threads, compiled, checkpointed});
          ASSERT_EQ(found.size(), expected.size());
          std::size_t different = 0, first = found.size();
          for (std::size_t i = found.size(); i-- > 0;)
            if (found[i] != expected[i]) first = i, ++different;
          EXPECT_EQ(different, 0U) << fmt::format("{} threads, {}, {} cache, {}: the first at {} of {}", threads, compiled ? "compiled" : "plain", cache,
                                                  checkpointed ? "checkpointed" : "kept", first, found.size());
        }
      }
}

INSTANTIATE_TEST_SUITE_P(Models, SameBits,
                         ::testing::Values(Kind{"two_layers", testing::two_layers}, Kind{"convolutions", testing::convolutions},
                                           Kind{"transformer_block", testing::transformer_block},
                                           Kind{"c1", [](bool checkpointed) { return testing::example("c1", checkpointed); }, 2},
                                           Kind{"cnn", [](bool checkpointed) { return testing::example("cnn", checkpointed); }, 2},
                                           Kind{"transformer", [](bool checkpointed) { return testing::example("transformer", checkpointed); }, 2}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cotan
