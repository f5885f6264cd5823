#include "transferq/eval/interval.hpp"

#include <gtest/gtest.h>

namespace tq {
namespace {

// Newcombe, "Two-sided confidence intervals for the single proportion: comparison of seven
// methods", Statistics in Medicine 17 (1998), table I, method 3 (the score method without
// correction).
TEST(IntervalTest, EqualsPublishedValues) {
  struct Case {
    std::size_t successes, trials;
    double low, high;
  };
  for (const Case& c : {Case{81, 263, 0.2553, 0.3662}, Case{15, 148, 0.0624, 0.1605},
                        Case{0, 20, 0.0, 0.1611}, Case{1, 29, 0.0061, 0.1718}}) {
    const Proportion p = wilson(c.successes, c.trials);
    EXPECT_DOUBLE_EQ(p.value, static_cast<double>(c.successes) / static_cast<double>(c.trials));
    EXPECT_NEAR(p.low, c.low, 5e-5);
    EXPECT_NEAR(p.high, c.high, 5e-5);
  }
  EXPECT_EQ(wilson(3, 3).high, 1.0);
}

}  // namespace
}  // namespace tq
