// The contract on llama.cpp, with a model the project writes itself: equal up to the rounding of
// another batch shape.
#include <unistd.h>

#include <filesystem>

#include "contract.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/engine/llama/tiny_model.hpp"

namespace tq::contract {
namespace {

Engine llama_engine() {
  return {"tiny",
          [] {
            // One process a test: a file of its own, gone as soon as it is loaded.
            const auto path = std::filesystem::path(testing::TempDir()) /
                              ("tq_contract_" + std::to_string(getpid()) + ".gguf");
            llama::write_tiny_model(path, {.context = 1024});
            auto model = llama::load_model(path);
            std::filesystem::remove(path);
            return model;
          },
          1e-4};
}

INSTANTIATE_TEST_SUITE_P(Llama, SessionContract, testing::Values(llama_engine()), contract_name);
INSTANTIATE_TEST_SUITE_P(Llama, BatcherContract, testing::Values(llama_engine()), contract_name);

}  // namespace
}  // namespace tq::contract
