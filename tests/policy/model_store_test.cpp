#include "transferq/policy/model_store.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/policy/catalog.hpp"

namespace tq {
namespace {

using testing::expect_error;

class ModelStoreTest : public ::testing::Test {
 protected:
  Policy read(const std::string& list, const std::string& fallback = "") {
    return store_.policy(list, "--baseline", Format::raw, fallback);
  }

  testing::TinyModels tiny_;
  const std::string model_ = tiny_.file().string();
  ModelStore store_;
};

TEST_F(ModelStoreTest, AFileIsLoadedOnceHoweverItIsWritten) {
  const auto path = std::filesystem::path(model_);
  const auto roundabout = path.parent_path() / "." / path.filename();
  EXPECT_EQ(store_.model(model_), store_.model(roundabout.string()));
}

TEST_F(ModelStoreTest, APlainFileIsAPolicyWithoutExtras) {
  const Policy policy = read(model_);
  EXPECT_EQ(policy.adapter(), Adapter{});
  EXPECT_EQ(policy.system(), "");
  EXPECT_EQ(policy.format(), Format::raw);
}

TEST_F(ModelStoreTest, AllKeysReachThePolicy) {
  const Policy policy = read(model_ +
                             ",system=Be kind\\, always,lora=L.gguf,lora-scale=0.5,control=C.gguf,"
                             "control-scale=-2");
  EXPECT_EQ(policy.system(), "Be kind, always");
  EXPECT_EQ(policy.adapter(), (Adapter{"L.gguf", 0.5, "C.gguf", -2.0}));
}

TEST_F(ModelStoreTest, AListWithoutAModelUsesTheFallback) {
  EXPECT_EQ(read("system=Be kind", model_).shared_model(), store_.model(model_));
  expect_error(ErrorKind::usage, {"--baseline", "names no model"}, [&] { read("system=Be kind"); });
}

TEST_F(ModelStoreTest, AnUnknownKeyOffersTheNearest) {
  expect_error(ErrorKind::usage, {"--baseline", "'sytem'", "did you mean 'system'?"},
               [&] { read(model_ + ",sytem=Be kind"); });
  expect_error(ErrorKind::usage, {"lora-scale=much", "not a number"},
               [&] { read(model_ + ",lora=a,lora-scale=much"); });
  for (const std::string scale : {"nan", "inf", "-inf"}) {
    expect_error(ErrorKind::usage, {"control-scale=" + scale, "finite"},
                 [&] { read(model_ + ",control=a,control-scale=" + scale); });
  }
}

TEST_F(ModelStoreTest, MissingAndBrokenFilesAreClearErrors) {
  expect_error(ErrorKind::model, {"/no/such.gguf", "check the path"},
               [&] { read("/no/such.gguf"); });
  const auto broken = tiny_ / "broken.gguf";
  const std::string whole = testing::read_all(model_);
  std::ofstream(broken, std::ios::binary) << whole.substr(0, whole.size() / 2);
  expect_error(ErrorKind::model, {broken.string(), "whole"}, [&] { read(broken.string()); });
  const auto text = tiny_ / "text.gguf";
  std::ofstream(text) << "This is no model.";
  expect_error(ErrorKind::model, {text.string()}, [&] { read(text.string()); });
}

TEST_F(ModelStoreTest, AMissingAdapterIsAnErrorWhenASessionOpens) {
  for (const std::string key : {"lora", "control"}) {
    const Policy policy = read(model_ + "," + key + "=/no/such.gguf");
    SessionOptions options = testing::session_of(64, 1);
    options.adapter = policy.adapter();
    for (int i = 0; i < 2; ++i) {  // and it stays one
      expect_error(ErrorKind::model, {"/no/such.gguf", "no "},
                   [&] { (void)policy.model().open_session(options); });
    }
  }
}

// Sets a variable for the life of the object.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(Catalog, ModelsLieInTheUsersCache) {
  const Variable home("HOME", "/h");
  {
    const Variable none("TQ_MODELS_DIR", ""), cache("XDG_CACHE_HOME", "");
    EXPECT_EQ(models_folder(), "/h/.cache/transferq/models");
  }
  const Variable cache("XDG_CACHE_HOME", "/c");
  {
    const Variable none("TQ_MODELS_DIR", "");
    EXPECT_EQ(models_folder(), "/c/transferq/models");
  }
  const Variable own("TQ_MODELS_DIR", "/m");
  EXPECT_EQ(models_folder(), "/m");
}

TEST(Catalog, AKnownNameIsItsFile) {
  const testing::TemporaryFolder folder;
  const Variable own("TQ_MODELS_DIR", folder.path().string());
  const auto file = folder / std::string(catalog().front().file);
  expect_error(ErrorKind::model, {"smollm2", file.string(), "make demo"},
               [] { find_model("smollm2"); });
  expect_error(ErrorKind::model, {"tq models --make smollm2-f32"},
               [] { find_model("smollm2-f32"); });
  std::ofstream(file) << "x";
  EXPECT_EQ(find_model("smollm2"), file);
}

TEST(Catalog, AFolderOfAKnownNameDoesNotHideIt) {
  const testing::TemporaryFolder folder, elsewhere;
  const Variable own("TQ_MODELS_DIR", folder.path().string());
  const auto file = folder / std::string(catalog().front().file);
  std::ofstream(file) << "x";
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(elsewhere.path());
  std::filesystem::create_directory("smollm2");
  std::filesystem::create_directory("other");
  EXPECT_EQ(find_model("smollm2"), file);
  expect_error(ErrorKind::model, {"other is no file", "GGUF"}, [] { find_model("other"); });
  std::filesystem::current_path(before);
}

TEST(Catalog, AFileOfTheCatalogHasItsName) {
  for (const CatalogEntry& entry : catalog()) {
    EXPECT_EQ(catalog_name(entry.file), entry.name);
  }
  EXPECT_EQ(catalog_name("mine.gguf"), "mine.gguf");
}

TEST(Catalog, AnUnknownNameOffersTheNearestAndAPathIsNamed) {
  expect_error(ErrorKind::usage, {"'smolm2'", "did you mean 'smollm2'?", "tq models"},
               [] { find_model("smolm2"); });
  expect_error(ErrorKind::usage, {"'zzz'", "tq models"}, [] { find_model("zzz"); });
  expect_error(ErrorKind::model, {"some.gguf"}, [] { find_model("some.gguf"); });
  expect_error(ErrorKind::model, {"folder/some"}, [] { find_model("folder/some"); });
}

}  // namespace
}  // namespace tq
