#include "kv/base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kv/base/random.h"

namespace decree {
namespace {

TEST(HistogramTest, EmptyHasNothing) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.min(), 0);
  EXPECT_EQ(empty.max(), 0);
  EXPECT_EQ(empty.Percentile(99), 0);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (int i = 0; i < 32; ++i) histogram.Record(i);
  EXPECT_EQ(histogram.Percentile(0), 0);
  EXPECT_EQ(histogram.Percentile(50), 15);
  EXPECT_EQ(histogram.Percentile(100), 31);
  EXPECT_EQ(histogram.sum(), 31 * 16);
}

TEST(HistogramTest, PercentileIsWithinOneStepOfTheTrueValue) {
  Random random(7);
  Histogram histogram;
  std::vector<std::int64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<std::int64_t>(random.Next() >> (1 + random.Below(62))));
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {1.0, 25.0, 50.0, 90.0, 99.0, 99.9}) {
    const auto rank = static_cast<std::size_t>(percent / 100 * 20'000) - 1;
    const auto exact = static_cast<double>(values[rank]);
    const auto found = static_cast<double>(histogram.Percentile(percent));
    EXPECT_GE(found, exact);
    EXPECT_LE(found, exact * (1 + 1.0 / 32) + 1) << percent;
  }
  EXPECT_EQ(histogram.max(), values.back());
  EXPECT_EQ(histogram.min(), values.front());
  EXPECT_EQ(histogram.Percentile(100), values.back());
}

TEST(HistogramTest, TakesTheWholeRange) {
  Histogram histogram;
  histogram.Record(INT64_MAX);
  histogram.Record(-5);
  EXPECT_EQ(histogram.max(), INT64_MAX);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.Percentile(100), INT64_MAX);
}

TEST(HistogramTest, MergedIsAsIfRecordedInOne) {
  Histogram a;
  Histogram b;
  Histogram both;
  for (int i = 1; i <= 1000; ++i) {
    (i % 3 == 0 ? a : b).Record(i * 1000);
    both.Record(i * 1000);
  }
  a.Merge(b);
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.sum(), both.sum());
  EXPECT_EQ(a.Percentile(99), both.Percentile(99));
  EXPECT_EQ(a.min(), 1000);
  a.Clear();
  EXPECT_EQ(a.count(), 0u);
}

TEST(HistogramTest, CountUpToGrowsToTheCount) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.Record(i * 1'000'000);
  EXPECT_EQ(histogram.CountUpTo(0), 0u);
  EXPECT_NEAR(static_cast<double>(histogram.CountUpTo(50'000'000)), 50, 2);
  EXPECT_EQ(histogram.CountUpTo(INT64_MAX), 100u);
}

TEST(FormatDurationTest, ChoosesTheUnit) {
  EXPECT_EQ(FormatDuration(0), "0 ns");
  EXPECT_EQ(FormatDuration(950), "950 ns");
  EXPECT_EQ(FormatDuration(87'000), "87.0 us");
  EXPECT_EQ(FormatDuration(1'240'000), "1.24 ms");
  EXPECT_EQ(FormatDuration(3'500'000'000), "3.50 s");
}

}  // namespace
}  // namespace decree
