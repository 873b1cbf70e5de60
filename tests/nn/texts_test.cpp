// Every layer's text against PyTorch's (make_texts.py stores them).
#include <gtest/gtest.h>

#include <set>

#include "tests/nn/stored_layers.h"

namespace cotan::testing {
namespace {

using nlohmann::json;

// A Sequential of modules of which nothing is known but that they are some.
struct Chain : nn::Module {
  Chain() : nn::Module(std::string("Sequential")) {}
};

nn::Module described(const json& layer) {
  if (layer.at("layer") != "Sequential") return model_of(layer, f32).module;
  const Chain all;
  for (std::size_t i = 0; i < layer.at("arguments").size(); ++i) all.register_module(std::to_string(i), described(layer.at("arguments")[i]));
  return all;
}

class StoredText : public ::testing::TestWithParam<std::size_t> {};

TEST_P(StoredText, IsPyTorchs) {
  const json& stored = stored_texts()[GetParam()];
  EXPECT_EQ(described(stored).text(), stored.at("text").get<std::string>()) << stored;
}

INSTANTIATE_TEST_SUITE_P(PyTorch, StoredText, ::testing::Range(std::size_t{0}, stored_texts().size()));

TEST(StoredTexts, AreOfEveryKind) {
  std::set<std::string> kinds, layers;
  for (const json& c : stored_texts()) kinds.insert(c.at("layer"));
  for (const json& c : stored_layers()) layers.insert(c.at("layer"));
  for (const std::string& kind : layers) EXPECT_TRUE(kinds.contains(kind)) << kind;
#define PLAIN(Name, ...) EXPECT_TRUE(kinds.contains(#Name)) << #Name;
#define NUMBERS PLAIN
#define OPTIONS PLAIN
#include "autograd/nn/operations.def"
#undef OPTIONS
#undef NUMBERS
#undef PLAIN
}

TEST(Texts, OfNestedLayersStandBelowEachOther) {
  EXPECT_EQ(nn::Sequential(nn::Sequential(nn::Linear(2, 3), nn::ReLU()), nn::Dropout({.p = 0.25})).text(),
            "Sequential(\n"
            "  (0): Sequential(\n"
            "    (0): Linear(in_features=2, out_features=3, bias=True)\n"
            "    (1): ReLU()\n"
            "  )\n"
            "  (1): Dropout(p=0.25, inplace=False)\n"
            ")");
  EXPECT_EQ(nn::Sequential().text(), "Sequential()");
}

// Rates and momenta that change are printed as they are.
TEST(Texts, FollowWhatIsSet) {
  const nn::Dropout dropout;
  dropout.set_p(0.25);
  EXPECT_EQ(dropout.text(), "Dropout(p=0.25, inplace=False)");
  const nn::BatchNorm1d norm(3);
  norm.set_momentum(0.5);
  EXPECT_EQ(norm.text(), "BatchNorm1d(3, eps=1e-05, momentum=0.5, affine=True, bias=True, track_running_stats=True)");
}

}  // namespace
}  // namespace cotan::testing
