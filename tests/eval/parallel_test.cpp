#include "transferq/eval/parallel.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace tq {
namespace {

TEST(RunParallel, EveryIndexComesExactlyOnce) {
  for (const std::size_t workers : {1u, 3u, 20u}) {
    for (const std::size_t count : {0u, 1u, 7u, 100u}) {
      std::vector<std::atomic<int>> seen(count);
      run_parallel(count, workers, {},
                   [&](std::size_t) { return [&](std::size_t i) { ++seen[i]; }; });
      for (const auto& times : seen) EXPECT_EQ(times, 1);
    }
  }
}

TEST(RunParallel, MakeRunsOnceInEachWorkersThread) {
  std::mutex mutex;
  std::set<std::size_t> workers;
  std::atomic<int> made{0}, elsewhere{0};
  run_parallel(50, 4, {}, [&](std::size_t worker) {
    ++made;
    {
      const std::lock_guard lock(mutex);
      workers.insert(worker);
    }
    const auto thread = std::this_thread::get_id();
    return [&, thread](std::size_t) { elsewhere += std::this_thread::get_id() != thread; };
  });
  EXPECT_EQ(made, 4);
  EXPECT_EQ(workers, (std::set<std::size_t>{0, 1, 2, 3}));
  EXPECT_EQ(elsewhere, 0);
}

TEST(RunParallel, AnExceptionStopsTheOthersAndIsRethrown) {
  std::atomic<int> done{0};
  EXPECT_THROW(run_parallel(1'000'000, 3, {},
                            [&](std::size_t) {
                              return [&](std::size_t i) {
                                if (i == 5) throw std::out_of_range("five");
                                ++done;
                                std::this_thread::yield();
                              };
                            }),
               std::out_of_range);
  EXPECT_LT(done, 999'999);
}

TEST(RunParallel, AnExceptionWhileMakingAWorkerIsRethrownToo) {
  EXPECT_THROW(run_parallel(10, 2, {},
                            [](std::size_t worker) -> std::function<void(std::size_t)> {
                              if (worker == 1) throw std::length_error("no memory");
                              return [](std::size_t) {};
                            }),
               std::length_error);
}

TEST(RunParallel, OnlyTheFirstOfSeveralExceptionsIsRethrown) {
  EXPECT_THROW(run_parallel(8, 4, {},
                            [](std::size_t) {
                              return [](std::size_t) { throw std::out_of_range("each"); };
                            }),
               std::out_of_range);
}

TEST(RunParallel, AStopRequestReturnsEarly) {
  std::stop_source stop;
  std::atomic<int> done{0};
  run_parallel(1'000'000, 2, stop.get_token(), [&](std::size_t) {
    return [&](std::size_t) {
      if (++done == 10) stop.request_stop();
    };
  });
  EXPECT_GE(done, 10);
  EXPECT_LT(done, 1'000'000);
}

}  // namespace
}  // namespace tq
