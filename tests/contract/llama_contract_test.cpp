// The contract on llama.cpp, with a model the project writes itself: equal up to the rounding of
// another batch shape.
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <stop_token>
#include <thread>

#include "contract.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/engine/llama/tiny_model.hpp"

namespace tq::contract {
namespace {

Engine llama_engine(std::string name, std::size_t micro_batch) {
  return {std::move(name),
          [] {
            // One process a test: a file of its own, gone as soon as it is loaded.
            const auto path = std::filesystem::path(testing::TempDir()) /
                              ("tq_contract_" + std::to_string(getpid()) + ".gguf");
            llama::write_tiny_model(path, {.context = 1024});
            auto model = llama::load_model(path);
            std::filesystem::remove(path);
            return model;
          },
          1e-4, micro_batch};
}

// The evaluation takes seconds; however late the request comes, not all of it is done.
TEST(LlamaSession, ALongEvaluationStopsOnItsWay) {
  const auto path = std::filesystem::path(testing::TempDir()) /
                    ("tq_contract_long_" + std::to_string(getpid()) + ".gguf");
  llama::write_tiny_model(path, {.context = 20000});
  const auto model = llama::load_model(path);
  std::filesystem::remove(path);
  const auto session = model->open_session({.cells = 20000, .branches = 2, .threads = 1});
  const BranchId branch = session->open();
  std::stop_source stop;
  session->stop_on(stop.get_token());
  std::atomic<bool> begun{false};
  const std::jthread other([&] {
    while (!begun) std::this_thread::yield();
    stop.request_stop();
  });
  const Tokens prompt(19000, 70);
  begun = true;
  expect_refused(*session, {branch}, ErrorKind::interrupted,
                 [&] { feed(*session, branch, prompt); });
  session->stop_on({});
  const Tokens few{70, 71, 72};
  const auto fresh = model->open_session({.cells = 20, .branches = 1, .threads = 1});
  EXPECT_EQ(feed(*session, branch, few).argmax, feed(*fresh, fresh->open(), few).argmax);
}

INSTANTIATE_TEST_SUITE_P(Llama, SessionContract,
                         testing::Values(llama_engine("tiny", kMicroBatch),
                                         llama_engine("tiny_in_micro_batches", 3)),
                         contract_name);
INSTANTIATE_TEST_SUITE_P(Llama, BatcherContract, testing::Values(llama_engine("tiny", kMicroBatch)),
                         contract_name);

}  // namespace
}  // namespace tq::contract
