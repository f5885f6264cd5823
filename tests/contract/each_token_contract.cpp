// What every session returns for each token of a feed: states and likelihoods.
#include <algorithm>

#include "contract.hpp"
#include "transferq/core/logspace.hpp"

namespace tq::contract {

TEST_P(SessionContract, EveryTokenOfAFeedMayReturnItsStateAndLikelihood) {
  const Tokens prefix = some(1, 3), x = some(2, 5), y = some(3, 1);
  for (const std::size_t outputs : {0, 3, 64}) {  // fewer, and more, than a call returns
    SessionOptions options{
        .cells = 200, .branches = 4, .outputs = outputs, .threads = 1, .cache = CacheType::f32};
    const auto s = model_->open_session(options);
    const BranchId a = s->open(), b = s->open(), c = s->open();
    feed(*s, a, prefix, Want::nothing);
    feed(*s, b, prefix, Want::nothing);
    const auto out = s->forward(std::vector<Feed>{{a, x, Want::states | Want::likelihood},
                                                  {b, x, kAll},
                                                  {c, y, Want::states | Want::likelihood}});
    EXPECT_TRUE(out[0].logits.empty() && out[0].hidden.empty());
    ASSERT_EQ(out[0].states.size(), x.size() * model_->hidden_size());
    ASSERT_EQ(out[0].likelihood.size(), x.size() - 1);
    EXPECT_EQ(out[2].states.size(), model_->hidden_size());
    EXPECT_TRUE(out[2].likelihood.empty());
    expect_right(out[1], prefix + x, "beside such a feed");
    EXPECT_TRUE(out[1].states.empty() && out[1].likelihood.empty());
    const double tolerance = GetParam().tolerance;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Output one = alone(prefix + Tokens(x.begin(), x.begin() + static_cast<long>(i) + 1));
      for (std::size_t j = 0; j < model_->hidden_size(); ++j) {
        ASSERT_NEAR(out[0].states[i * model_->hidden_size() + j], one.hidden[j], tolerance);
      }
      if (i + 1 == x.size()) continue;
      const double expected = log_softmax(one.logits)[static_cast<std::size_t>(x[i + 1])];
      // The engines sum in single and in double precision.
      ASSERT_NEAR(out[0].likelihood[i], expected, tolerance + 1e-12);
    }
  }
}

}  // namespace tq::contract
