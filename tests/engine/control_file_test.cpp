#include "transferq/engine/llama/control_file.hpp"

#include "tests/engine/tiny_files.hpp"
#include "transferq/engine/llama/head_file.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/engine/llama/tiny_model.hpp"

namespace tq {
namespace {

using testing::expect_error;

class ControlFileTest : public ::testing::Test {
 protected:
  testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "control.gguf";
};

TEST_F(ControlFileTest, ReadsWhatWasWritten) {
  ControlFile control;
  control.model_hint = "llama";
  control.directions = {{1, {0.5F, -1.25F}}, {7, {3e-20F, 4}}};
  for (const bool known : {false, true}) {
    if (known) {
      control.origin = ControlOrigin{"tiny.gguf",          "abc", "pca",   "last",
                                     "d\xC3\xA9j\xC3\xA0", "123", "0.1.0", 12};
    }
    write_control(path_, control);
    const ControlFile back = read_control(path_);
    EXPECT_EQ(back.model_hint, "llama");
    EXPECT_EQ(back.directions, control.directions);
    ASSERT_EQ(back.origin.has_value(), known);
    if (!known) continue;
    EXPECT_EQ(back.origin->base_name, "tiny.gguf");
    EXPECT_EQ(back.origin->base_identity, "abc");
    EXPECT_EQ(back.origin->method, "pca");
    EXPECT_EQ(back.origin->pooling, "last");
    EXPECT_EQ(back.origin->provenance, "d\xC3\xA9j\xC3\xA0");
    EXPECT_EQ(back.origin->data, "123");
    EXPECT_EQ(back.origin->program, "0.1.0");
    EXPECT_EQ(back.origin->pairs, 12u);
  }
}

TEST_F(ControlFileTest, ReadsThoseOfOtherPrograms) {
  llama::write_tiny_control_vector(path_, {.layers = 4});
  const ControlFile control = read_control(path_);
  EXPECT_EQ(control.model_hint, "llama");
  EXPECT_EQ(control.directions.size(), 3u);
  EXPECT_EQ(control.directions.at(3).size(), 32u);
  EXPECT_FALSE(control.origin);
}

TEST_F(ControlFileTest, RefusesWhatIsNone) {
  const auto refused = [&](const std::string& word) {
    expect_error(ErrorKind::model, {path_.string(), word}, [&] { read_control(path_); });
  };
  refused("no file");
  std::ofstream(path_) << "GGUF and no more";
  refused("not a whole GGUF");
  HeadFile head;
  head.weights = {1, 2};
  write_head(path_, head);
  refused("head.weight");
  llama::write_tiny_lora(path_, {});
  refused("lora");
  ControlFile control;
  control.directions[1] = {1, std::numeric_limits<float>::quiet_NaN()};
  write_control(path_, control);
  refused("not finite");
  // Names that no writer of ours gives: the bytes are changed in place.
  for (const auto& [name, word] : {std::pair("direction.1x", "direction.1x"),
                                   std::pair("direction.01", "two directions for layer 1")}) {
    control.directions = {{1, {1, 2}}, {10, {1, 2}}};
    write_control(path_, control);
    std::ifstream in(path_, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    bytes.replace(bytes.find("direction.10"), 12, name);
    std::ofstream(path_, std::ios::binary) << bytes;
    refused(word);
  }
}

TEST_F(ControlFileTest, WritesNothingThatIsNone) {
  expect_error(ErrorKind::usage, {"directions"}, [&] { write_control(path_, {}); });
  ControlFile control;
  control.directions[0] = {1, 2};
  expect_error(ErrorKind::usage, {"from 1"}, [&] { write_control(path_, control); });
  control.directions = {{1, {1, 2}}};
  expect_error(ErrorKind::io, {"no/such"}, [&] { write_control(folder_ / "no/such", control); });
}

TEST_F(ControlFileTest, OfAnotherModelIsRefused) {
  llama::write_tiny_model(folder_ / "tiny.gguf", {.layers = 2});
  const auto model = llama::load_model(folder_ / "tiny.gguf");
  const auto refused = [&](int layer, std::size_t width, const std::vector<std::string>& words) {
    ControlFile control;
    control.directions[layer] = std::vector<float>(width, 1.0F);
    write_control(path_, control);
    SessionOptions options;
    options.cells = 64;
    options.adapter.control_vector = path_.string();
    expect_error(ErrorKind::model, words, [&] { (void)model->open_session(options); });
  };
  refused(1, 31, {"control.gguf", "direction.1", "31", "width 32"});
  refused(1, 64, {"control.gguf", "direction.1", "64", "width 32"});
  refused(2, 32, {"control.gguf", "direction.2", "2 layers"});  // layers are 0 and 1
}

}  // namespace
}  // namespace tq
