// The algebra of sums against the definition of a sum, on random sums of whole numbers: every rewrite is exact there.
#include "graph/sums/compose.h"

#include "tests/sums_algebra/helpers.h"

namespace cotan::testing {
namespace {

TEST(Tidy, KeepsTheValueOfRandomSums) {
  int cut = 0, dropped = 0, never = 0;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    const ValuedSum given = valued(random_sum(seed, {.entries_in_range = true}), "x");
    sums::OpenSum made = given.sum;
    const DirectTensor expected = value_of(given.sum, given.values);
    if (!sums::tidy(made)) {
      ++never;
      EXPECT_EQ(expected.values, DirectTensor(expected.shape).values) << seed << ": " << spec_text(given.sum.spec);
      continue;
    }
    cut += sums::points_of(made.spec) < sums::points_of(given.sum.spec);
    dropped += made.spec.guards.size() < given.sum.spec.guards.size();
    EXPECT_EQ(value_of(made, given.values).values, expected.values) << seed << ": " << spec_text(given.sum.spec) << "\nbecame " << spec_text(made.spec);
  }
  EXPECT_GT(cut, 500);
  EXPECT_GT(dropped, 300);
  EXPECT_GT(never, 20);
}

// A view: one factor, each entry of the output at most once, as transposes, slices, pads, reshapes and flips are.
DirectSum random_view(Random& random) {
  DirectSum s;
  const std::int64_t rank = random.integer(1, 3);
  Shape shape;
  Access read, write;
  for (std::int64_t d = 0; d < rank; ++d) {
    const int i = static_cast<int>(s.spec.domain.size());
    const std::int64_t size = random.integer(1, 4);
    s.spec.domain.push_back(size);
    switch (random.integer(0, 5)) {
      case 0: {  // digits: a dimension read or written as two
        const std::int64_t ones = random.integer(2, 3);
        s.spec.domain.push_back(ones);
        const IndexExpr both = ones * index_of(i) + index_of(i + 1);
        if (random.chance(0.5)) {
          read.push_back(both);
          write.push_back(index_of(i));
          write.push_back(index_of(i + 1));
        } else {
          write.push_back(both);
          read.push_back(index_of(i));
          read.push_back(index_of(i + 1));
        }
        break;
      }
      case 1: read.push_back(IndexExpr(size - 1) - index_of(i)), write.push_back(index_of(i)); break;
      case 2: read.push_back(index_of(i)), write.push_back(index_of(i) + IndexExpr(random.integer(-1, 2))); break;
      case 3: read.push_back(2 * index_of(i) + IndexExpr(random.integer(-1, 1))), write.push_back(index_of(i)); break;
      case 4: read.push_back(index_of(i)), write.push_back(2 * index_of(i) + IndexExpr(random.integer(0, 1))); break;
      default: read.push_back(index_of(i)), write.push_back(index_of(i)); break;
    }
  }
  random.shuffle(read);
  random.shuffle(write);
  Shape from;
  for (const Access* access : {&read, &write}) {
    Shape& to = access == &read ? from : s.shape;
    for (const IndexExpr& e : *access) to.push_back(std::max<std::int64_t>(1, range_of(e, s.spec.domain)->second + random.integer(0, 2)));
  }
  s.spec.output = write;
  s.spec.factors = {read};
  s.spec.coefficient = static_cast<double>(random.pick({1, 1, 2, -1}));
  s.factors.emplace_back(from, random_integers(random, from.elements()));
  for (int t = 0; t < 2; ++t) s.tables.emplace_back(Shape{4}, random_integers(random, 4, 0, 3));
  return s;
}

// Reads `inner` as its factor 0, beside up to one more.
struct Pair {
  ValuedSum reader, inner;
};
Pair random_pair(std::uint64_t seed, bool views) {
  Random random(seed);
  DirectSum v = views ? random_view(random) : random_sum(seed + 1000000, {.most_factors = 2, .entries_in_range = true});
  DirectSum r = views ? random_view(random) : DirectSum{};
  if (views) {  // the second view reads the first one as far as it fits
    const Shape made = v.shape;
    r.spec.factors[0].resize(std::min(made.rank(), r.spec.factors[0].size()));
    while (r.spec.factors[0].size() < made.rank()) r.spec.factors[0].push_back(random_expression(random, static_cast<int>(r.spec.domain.size())));
    r.factors[0] = DirectTensor(made);
  } else {
    r.shape = random_shape(random, 0, 2);
    std::vector<Shape> shapes{v.shape};
    if (random.chance(0.4)) shapes.push_back(random_shape(random));
    r.spec = random_spec(random, shapes, r.shape, {.entries_in_range = true});
    for (const Shape& shape : shapes) r.factors.emplace_back(shape, random_integers(random, shape.elements()));
    for (int t = 0; t < 2; ++t) r.tables.emplace_back(Shape{4}, random_integers(random, 4, 0, 3));
  }
  return {valued(r, "r"), valued(v, "v")};
}

void compare(bool views, std::uint64_t count, int least) {
  int made = 0;
  for (std::uint64_t seed = 0; seed < count; ++seed) {
    Pair pair = random_pair(seed, views);
    const auto after = sums::composed(pair.reader.sum, 0, pair.inner.sum);
    if (!after) continue;
    ++made;
    pair.reader.values[0].second = value_of(pair.inner.sum, pair.inner.values);
    const DirectTensor expected = value_of(pair.reader.sum, pair.reader.values);
    std::vector<std::pair<Ref, DirectTensor>> all = pair.inner.values;
    all.insert(all.end(), pair.reader.values.begin() + 1, pair.reader.values.end());
    EXPECT_EQ(value_of(*after, all).values, expected.values)
        << "seed " << seed << ": " << spec_text(pair.inner.sum.spec) << " -> " << pair.inner.sum.type.shape.text() << "\nread by "
        << spec_text(pair.reader.sum.spec) << "\nbecame " << spec_text(after->spec);
  }
  EXPECT_GT(made, least);
}

TEST(Composition, OfRandomSums) { compare(false, 6000, 2000); }

TEST(Composition, OfRandomViews) { compare(true, 6000, 3000); }

}  // namespace
}  // namespace cotan::testing
