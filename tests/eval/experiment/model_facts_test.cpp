// The fields of a policy that a header has, and those it leaves out.
#include "transferq/eval/experiment/model_facts.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/core/sha256.hpp"

namespace tq {
namespace {

using nlohmann::ordered_json;

TEST(ModelFacts, APolicyInFieldsOfItsOwn) {
  testing::TinyModels tiny;
  const auto path = tiny.file();
  const auto model = llama::load_model(path);
  const std::string name = path.filename().string();
  EXPECT_EQ(
      policy_facts(Policy(model, Format::raw)),
      ordered_json(
          {{"name", name}, {"file", name}, {"format", "raw"}, {"digest", model->identity()}}));
  std::ofstream(tiny / "a.gguf") << "adapter";
  std::ofstream(tiny / "c.gguf") << "vector";
  const Adapter adapter{(tiny / "a.gguf").string(), 0.5, (tiny / "c.gguf").string(), -2};
  EXPECT_EQ(policy_facts(Policy(model, Format::chat, adapter, "Be kind, \"always\"")),
            ordered_json(
                {{"name", name},
                 {"file", name},
                 {"format", "chat"},
                 {"system", "Be kind, \"always\""},
                 {"lora", {{"file", "a.gguf"}, {"scale", 0.5}, {"digest", sha256("adapter")}}},
                 {"control", {{"file", "c.gguf"}, {"scale", -2.0}, {"digest", sha256("vector")}}},
                 {"digest", model->identity()}}));
}

}  // namespace
}  // namespace tq
