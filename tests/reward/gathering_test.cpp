#include "transferq/reward/gathering.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "tests/engine/tiny_files.hpp"
#include "transferq/reward/outside.hpp"

namespace tq {
namespace {

using testing::expect_error;

std::vector<OutsideRow> rows(const std::vector<std::string>& responses) {
  std::vector<OutsideRow> out;
  for (const auto& r : responses) out.push_back({{}, r, true});
  return out;
}

// The response's length; "bad" has a failure of its own, "poison" spoils the whole call.
std::vector<Scored> lengths(Gathering::Rows call) {
  std::vector<Scored> out;
  bool spoilt = false;
  for (const OutsideRow* row : call) {
    out.push_back({static_cast<double>(row->response.size()), std::nullopt});
    if (row->response == "bad") out.back().failure = Failure{ErrorKind::io, "bad row"};
    spoilt = spoilt || row->response == "poison";
  }
  if (spoilt) {
    for (Scored& outcome : out) outcome.failure = Failure{ErrorKind::io, "spoilt", true};
  }
  return out;
}

// Threads whose requests are sure to be asked for while the first call is under way.
class Together {
 public:
  explicit Together(std::vector<std::vector<OutsideRow>> requests)
      : requests_(std::move(requests)), gathering_([this](Gathering::Rows call) {
          const std::size_t number = calls_++;
          sizes_.push_back(call.size());
          if (number == 0) {
            entered_.count_down();
            while (gathering_.waiting() < requests_.size()) std::this_thread::yield();
          }
          return lengths(call);
        }) {}

  // One result or message a request; the first is the one that others wait for.
  std::vector<std::string> run() {
    std::vector<std::string> said(requests_.size() + 1);
    const auto ask = [&](std::size_t i, const std::vector<OutsideRow>& request) {
      try {
        for (const double score : gathering_.score(request)) {
          said[i] += std::to_string(static_cast<int>(score)) + " ";
        }
      } catch (const Error& e) {
        said[i] = e.what();
      }
    };
    const auto first = rows({"first"});
    std::vector<std::jthread> threads;
    threads.emplace_back([&] { ask(0, first); });
    entered_.wait();
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      threads.emplace_back([&, i] { ask(i + 1, requests_[i]); });
    }
    threads.clear();
    return said;
  }
  const std::vector<std::size_t>& sizes() const { return sizes_; }

 private:
  std::vector<std::vector<OutsideRow>> requests_;
  std::latch entered_{1};
  std::size_t calls_ = 0;  // no lock: the calls must not overlap, and a sanitizer would see it
  std::vector<std::size_t> sizes_;
  Gathering gathering_;
};

TEST(Gathering, OneRequestIsOneCallAtOnce) {
  std::size_t calls = 0;
  Gathering gathering([&](Gathering::Rows call) {
    ++calls;
    return lengths(call);
  });
  EXPECT_EQ(gathering.score(rows({"a", "", "ccc"})), (std::vector<double>{1, 0, 3}));
  EXPECT_EQ(calls, 1u);
  EXPECT_TRUE(gathering.score({}).empty());
  EXPECT_EQ(calls, 1u);
}

TEST(Gathering, WhatIsAskedForMeanwhileGoesOutTogether) {
  Together together({rows({"a", "bb"}), rows({"ccc"}), rows({"dddd", "", "e"})});
  EXPECT_EQ(together.run(), (std::vector<std::string>{"5 ", "1 2 ", "3 ", "4 0 1 "}));
  EXPECT_EQ(together.sizes(), (std::vector<std::size_t>{1, 6}));
}

TEST(Gathering, ARowsOwnFailureReachesItsRequestAlone) {
  Together together({rows({"a", "bad"}), rows({"ccc"})});
  EXPECT_EQ(together.run(), (std::vector<std::string>{"5 ", "bad row", "3 "}));
  EXPECT_EQ(together.sizes(), (std::vector<std::size_t>{1, 3}));
}

TEST(Gathering, WhoSpoiltAJointCallIsFoundOut) {
  Together together({rows({"a"}), rows({"b", "poison"}), rows({"ccc"})});
  EXPECT_EQ(together.run(), (std::vector<std::string>{"5 ", "1 ", "spoilt", "3 "}));
  EXPECT_EQ(together.sizes().size(), 5u);  // the first, the joint one, and each on its own
}

TEST(Gathering, AThrownErrorReachesAllAndTheNextCallWorks) {
  bool broken = true;
  Gathering gathering([&](Gathering::Rows call) {
    if (broken) throw Error(ErrorKind::model, "broken");
    return lengths(call);
  });
  expect_error(ErrorKind::model, {"broken"}, [&] { gathering.score(rows({"a"})); });
  broken = false;
  EXPECT_EQ(gathering.score(rows({"a"})), std::vector<double>{1});
}

TEST(Gathering, AnotherNumberOfOutcomesIsRefused) {
  Gathering gathering([&](Gathering::Rows) { return std::vector<Scored>(1); });
  expect_error(ErrorKind::io, {"number of rows"}, [&] { gathering.score(rows({"a", "b"})); });
}

TEST(Gathering, ManyThreadsGetTheirOwnScores) {
  std::atomic<int> inside{0}, wrong{0};
  Gathering gathering([&](Gathering::Rows call) {
    if (++inside > 1) ++wrong;
    auto out = lengths(call);
    --inside;
    return out;
  });
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < 200; ++i) {
          const auto own = rows({std::string(t, 'x'), std::string(i, 'y')});
          const std::vector<double> expected{static_cast<double>(t), static_cast<double>(i)};
          if (gathering.score(own) != expected) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST(Excerpt, IsOneValidLineOf200Characters) {
  EXPECT_EQ(excerpt("short"), "short");
  EXPECT_EQ(excerpt("two\nlines\t\x7F"), "two lines  ");
  EXPECT_EQ(excerpt("\xFF"), "\xEF\xBF\xBD");
  EXPECT_EQ(excerpt(std::string(200, 'a')), std::string(200, 'a'));
  EXPECT_EQ(excerpt(std::string(201, 'a')), std::string(200, 'a') + "...");
  std::string wide;
  for (int i = 0; i < 300; ++i) wide += "\xC3\xA9";
  EXPECT_EQ(excerpt(wide), wide.substr(0, 400) + "...");
}

}  // namespace
}  // namespace tq
