// Nodes: one for each content, told apart in full, freed without recursion and from any thread.
#include "graph/node.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

#include "graph/builder.h"
#include "ops/error.h"

namespace cotan {
namespace {

using namespace graph;

std::size_t live() { return NodeTable::current().live_nodes(); }

TEST(Interning, SameContentIsOneNode) {
  const Ref x = parameter("x", f32, {3, 4}), y = parameter("y", f32, {4, 5});
  EXPECT_EQ(x, parameter("x", f32, {3, 4}));
  EXPECT_EQ(add(x, x), add(x, x));
  EXPECT_EQ(matmul(x, y), matmul(x, y));
  EXPECT_EQ(graph::sum(x, {.dim = 1}), graph::sum(x, {.dim = -1}));
  EXPECT_EQ(graph::max(x, {.dim = 1}), graph::max(x, {.dim = 1}));
  EXPECT_EQ(scan(x, x, 0, false), scan(x, x, 0, false));
  EXPECT_EQ(order(x, 1, true), order(x, 1, true));
  EXPECT_EQ(cast(x, f64), cast(x, f64));
  EXPECT_EQ(iota(i32, {5}, 0), iota(i32, {5}, 0));
  EXPECT_EQ(fill(2, f32, {3}), fill(2, f32, {3}));
  EXPECT_EQ(stop_gradient(x), stop_gradient(x));
}

TEST(Interning, AnyDifferenceIsAnotherNode) {
  const Ref x = parameter("x", f32, {3, 4});
  const std::vector<Ref> all = {
      x,
      parameter("y", f32, {3, 4}),
      parameter("x", f64, {3, 4}),
      parameter("x", f32, {4, 3}),
      iota(f32, {3, 4}, 0),
      iota(f32, {3, 4}, 1),
      iota(f64, {3, 4}, 0),
      fill(1, f32, {3, 4}),
      fill(2, f32, {3, 4}),
      fill(-0.0, f32, {3, 4}),
      fill(0.0, f32, {3, 4}),
      graph::exp(x),
      graph::log(x),
      leaky_relu(x),
      leaky_relu(x, 0.2),
      graph::sum(x, {.dim = 0}),
      graph::sum(x, {.dim = 1}),
      graph::sum(x, {.dim = 0, .keepdim = true}),
      mean(x, {.dim = 0}),
      graph::max(x, {.dim = 0}),
      graph::min(x, {.dim = 0}),
      graph::max(x, {.dim = 1}),
      scan(x, x, 0, false),
      scan(x, x, 0, true),
      scan(x, x, 1, false),
      order(x, 0, false),
      order(x, 0, true),
      order(x, 1, false),
      cast(x, f64),
      cast(x, i32),
      stop_gradient(x),
      graph::sub(x, graph::exp(x)),
      graph::sub(graph::exp(x), x),
      check(cast(x, i32), 4, "index"),
      check(cast(x, i32), 5, "index"),
      check(cast(x, i32), 4, "target"),
  };
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) EXPECT_FALSE(all[i] == all[j]) << i << " and " << j << " are one node";
}

TEST(Interning, LeavesWithAnIdentityAreTheirOwn) {
  EXPECT_FALSE(scalar(1, f32) == scalar(1, f32));
  EXPECT_FALSE(random(1, 2, f32, {3}) == random(1, 2, f32, {3}));
  EXPECT_FALSE(leaf(LeafRole::data, "x", f32, {3}, nullptr) == leaf(LeafRole::data, "x", f32, {3}, nullptr));
  // The structure, by which compiled code is found again, is the same.
  EXPECT_EQ(scalar(1, f32)->structure, scalar(2, f32)->structure);
  EXPECT_EQ(leaf(LeafRole::data, "x", f32, {3}, nullptr)->structure, leaf(LeafRole::data, "x", f32, {3}, nullptr)->structure);
}

TEST(Interning, TheStructureDoesNotDependOnTheOrderOfCreation) {
  auto structure = [](bool first) {
    const Ref a = first ? parameter("a", f32, {2}) : Ref(), b = parameter("b", f32, {2});
    return graph::sub(graph::exp(parameter("a", f32, {2})), b)->structure;
  };
  EXPECT_EQ(structure(true), structure(false));
}

TEST(Interning, EqualHashesAreNotEnough) {
  // Parameters under thousands of names in a table that grows: buckets hold several nodes, and each is found again.
  std::vector<Ref> all;
  for (int i = 0; i < 5000; ++i) all.push_back(parameter(fmt::format("p{}", i), f32, {2}));
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(parameter(fmt::format("p{}", i), f32, {2}), all[static_cast<std::size_t>(i)]);
}

TEST(Lifetime, NodesDieWithTheirLastReference) {
  const std::size_t before = live();
  {
    const Ref x = parameter("x", f32, {3});
    const Ref y = graph::exp(x);
    EXPECT_EQ(live(), before + 2);
    { const Ref z = add(x, y); }
    EXPECT_EQ(live(), before + 2);
  }
  EXPECT_EQ(live(), before);
}

TEST(Lifetime, CopiesAndMovesCount) {
  const std::size_t before = live();
  Ref a = parameter("x", f32, {3});
  Ref b = a;
  Ref c = std::move(a);
  EXPECT_FALSE(a);  // NOLINT: moved from on purpose
  a = b;
  b = Ref();
  c = Ref();
  EXPECT_EQ(a->references.load(), 1);
  EXPECT_EQ(live(), before + 1);
  Ref& same = a;
  a = same;
  EXPECT_EQ(live(), before + 1);
  a = Ref();
  EXPECT_EQ(live(), before);
}

constexpr int long_chain = 200'000;

TEST(Lifetime, AChainOfAnyLengthIsRecordedWalkedAndFreed) {
  const std::size_t before = live();
  {
    Ref y = parameter("x", f32, {2});
    for (int i = 0; i < long_chain; ++i) y = graph::sin(y);
    EXPECT_EQ(live(), before + long_chain + 1);
    const Ref roots[] = {y};
    const std::vector<Node*> order = topological(roots);
    ASSERT_EQ(order.size(), static_cast<std::size_t>(long_chain) + 1);
    EXPECT_EQ(order.front()->kind, Kind::leaf);
    EXPECT_EQ(order.back(), y.node());
    for (std::size_t i = 1; i < order.size(); ++i) ASSERT_EQ(order[i]->operands()[0].node, order[i - 1]);
  }
  EXPECT_EQ(live(), before);
}

TEST(Lifetime, AChainThatForksAtEveryStepIsWalkedOnce) {
  const std::size_t before = live();
  {
    Ref y = parameter("x", f32, {});
    for (int i = 0; i < long_chain; ++i) y = add(y, y);  // 2^200000 paths
    const Ref roots[] = {y};
    EXPECT_EQ(topological(roots).size(), static_cast<std::size_t>(long_chain) + 1);
  }
  EXPECT_EQ(live(), before);
}

TEST(Lifetime, SubstitutingAtTheFootOfALongChainRebuildsIt) {
  const std::size_t before = live();
  {
    const Ref x = parameter("x", f32, {}), z = parameter("z", f32, {});
    Ref y = x, expected = z;
    for (int i = 0; i < long_chain; ++i) {
      y = graph::sin(y);
      expected = graph::sin(expected);
    }
    const Ref roots[] = {y};
    const std::pair<Ref, Ref> replacements[] = {{x, z}};
    EXPECT_EQ(substitute(roots, replacements)[0], expected);
  }
  EXPECT_EQ(live(), before);
}

TEST(Lifetime, ACallKeepsItsBodyAndLetsItGo) {
  const std::size_t before = live();
  {
    const Ref x = parameter("x", f32, {2});
    const Ref operands[] = {x};
    const auto body = [&] { return make_function("twice", operands, [](auto p) { return std::vector<Ref>{add(p[0], p[0]), graph::exp(p[0])}; }); };
    const std::vector<Ref> a = call("twice", {}, operands, body()), b = call("twice", {}, operands, body());
    ASSERT_EQ(a.size(), 2u);
    EXPECT_EQ(a, b) << "bodies with the same nodes make the same call";
    EXPECT_EQ(a[0].node(), a[1].node());
    EXPECT_FALSE(a[0] == a[1]);
    EXPECT_FALSE(a[0] == call("thrice", {}, operands, body())[0]);
    EXPECT_FALSE(a[0] == call("twice", {{"dim", std::int64_t{1}}}, operands, body())[0]);
    EXPECT_THROW(static_cast<void>(a[0]->extra_result(2)), InternalError);
  }
  EXPECT_EQ(live(), before);
}

TEST(Threads, ANodeMayBeReleasedOnAnother) {
  const std::size_t before = live();
  Ref y = parameter("x", f32, {2});
  for (int i = 0; i < long_chain; ++i) y = graph::sin(y);
  std::thread([taken = std::move(y)]() mutable { taken = Ref(); }).join();
  EXPECT_EQ(live(), before);
}

TEST(Threads, ANodeMayOutliveItsThread) {
  Ref kept;
  std::thread([&] { kept = graph::exp(parameter("x", f32, {2})); }).join();
  EXPECT_EQ(kept->kind, Kind::map);
  EXPECT_EQ(kept->operand(0).shape(), (Shape{2}));
  EXPECT_THROW(static_cast<void>(graph::exp(kept)), InternalError) << "another thread's node is no operand";
  kept = Ref();
}

TEST(Threads, EachRecordsInItsOwnTable) {
  const Ref here = parameter("x", f32, {2});
  std::thread([&] {
    const Ref there = parameter("x", f32, {2});
    EXPECT_FALSE(there == here);
    EXPECT_EQ(live(), 1u);
  }).join();
}

// Threads record equal graphs at once, drop references to nodes of the others, and end: specifications are shared, tables are not.
TEST(Threads, RecordAndReleaseAtTheSameTime) {
  const std::size_t before = live();
  constexpr int turns = 300;
  std::vector<Ref> given(turns);
  for (int i = 0; i < turns; ++i) given[static_cast<std::size_t>(i)] = leaky_relu(parameter("given", f32, {2}), 1.0 / (i + 2));
  auto work = [&](std::size_t from) {
    for (std::size_t i = from; i < given.size(); i += 2) {
      const Ref x = parameter("x", f32, {4, 4});
      const Ref y = matmul(leaky_relu(x, static_cast<double>(i)), graph::sum(x, {.dim = 0}));
      EXPECT_EQ(y, matmul(leaky_relu(x, static_cast<double>(i)), graph::sum(x, {.dim = 0})));
      given[i] = Ref();
    }
    EXPECT_EQ(live(), 0u);
  };
  std::thread a(work, 0), b(work, 1);
  // Meanwhile this thread finds again, or makes again, the nodes that the others release.
  for (int i = 0; i < turns; ++i) EXPECT_TRUE(leaky_relu(parameter("given", f32, {2}), 1.0 / (i + 2)));
  a.join();
  b.join();
  EXPECT_EQ(live(), before);
}

TEST(Origins, KeepEveryLineOnce) {
  const Ref x = parameter("x", f32, {2});
  auto at = [&](int line) {
    const CallSite site("f", SourceLine("a.cpp", line));
    return graph::exp(x);
  };
  const Ref y = at(3);
  EXPECT_EQ(at(7), y);
  EXPECT_EQ(at(3), y);
  const auto origins = NodeTable::current().origins_of(*y.node());
  ASSERT_EQ(origins.size(), 2u);
  EXPECT_EQ(origins[0].line, SourceLine("a.cpp", 3));
  EXPECT_EQ(origins[1].line, SourceLine("a.cpp", 7));
}

TEST(Origins, CarryTheScope) {
  const Ref x = parameter("x", f32, {2});
  const CallSite site("f", SourceLine("a.cpp", 3));
  const RecordingScope outer("encoder");
  Ref y;
  {
    const RecordingScope inner("linear1");
    y = graph::exp(x);
    EXPECT_EQ(RecordingScope::current(), "encoder.linear1");
  }
  EXPECT_EQ(RecordingScope::current(), "encoder");
  EXPECT_EQ(NodeTable::current().origins_of(*y.node())[0].scope, "encoder.linear1");
}

// Entries of dead nodes are used again: what stays is one origin for each live node.
TEST(Origins, OfDeadNodesAreForgotten) {
  const Ref x = parameter("x", f32, {2});
  const CallSite site("f", SourceLine("a.cpp", 3));
  for (int i = 0; i < 1000; ++i) {
    const Ref y = leaky_relu(x, i + 0.5);
    ASSERT_EQ(NodeTable::current().origins_of(*y.node()).size(), 1u);
  }
}

}  // namespace
}  // namespace cotan
