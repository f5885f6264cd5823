// What every kind of reward keeps, one suite for all: a new kind adds a list to lists().
#include <gtest/gtest.h>
#include <httplib.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/reward/tiny_head.hpp"
#include "transferq/engine/llama/tiny_encoder.hpp"
#include "transferq/reward/reward_list.hpp"

namespace tq {
namespace {

// A server that scores a response by its length.
class LengthServer {
 public:
  LengthServer() {
    server_.Post(".*", [](const httplib::Request& request, httplib::Response& answer) {
      nlohmann::json rewards = nlohmann::json::array();
      const auto body = nlohmann::json::parse(request.body);
      for (const auto& row : body["rows"]) {
        rewards.push_back(row["response"].get<std::string>().size());
      }
      answer.set_content(nlohmann::json{{"rewards", rewards}}.dump(), "application/json");
    });
    server_.set_keep_alive_timeout(1);
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~LengthServer() {
    server_.stop();
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

class KindsContract : public ::testing::Test {
 protected:
  KindsContract() {
    for (const std::string pooling : {"last", "mean", "end"}) {
      write_head(tiny_ / (pooling + ".gguf"), testing::pooled_head(*model_, pooling));
    }
    write_head(tiny_ / "all.gguf", testing::pooled_head(*model_, "last,mean,max,min"));
    llama::TinyEncoderOptions encoder;
    llama::write_tiny_encoder(tiny_ / "embedder.gguf", encoder);
    encoder.pooling = Pooling::rank;
    llama::write_tiny_encoder(tiny_ / "ranker.gguf", encoder);
    std::ofstream(tiny_ / "lengths.sh")
        << "while read -r line; do id=${line#*\\\"id\\\":}; id=${id%%,*}; "
           "line=${line#*\\\"response\\\":}; "
           "echo \"{\\\"id\\\": $id, \\\"reward\\\": ${#line}}\"; done\n";
  }

  std::string file(const std::string& name) const { return (tiny_ / name).string(); }

  std::vector<std::string> lists() const {
    return {"head=" + file("last.gguf"),
            "head=" + file("mean.gguf"),
            "head=" + file("end.gguf"),
            "head=" + file("all.gguf"),
            "judge=Good?,yes=y,no=n,prompt=Q {question} A:\n{answer}\n{criterion}",
            "implicit={system=Be kind},beta=0.5",
            "rank=" + file("ranker.gguf"),
            "similar=a good day,model=" + file("embedder.gguf"),
            "length=3",
            "regex=o",
            "words=good you,avoid=bad",
            "program=sh " + file("lengths.sh"),
            "http=" + server_.url(),
            "sum={head=" + file("last.gguf") + "} {length=3},weights=1 2",
            "product={length=3} {words=good}",
            "clip={length=3},low=-0.5",
            "sign={words=good,avoid=bad}",
            "scale={head=" + file("mean.gguf") + "},by=2,plus=1"};
  }

  std::unique_ptr<Reward> make(const std::string& list) {
    return make_reward(list, store_, model_, Format::chat);
  }
  std::vector<double> score(const Reward& reward, const std::vector<Draft>& drafts) {
    SessionPool pool(testing::session_of());
    return reward.open(prompt_, pool, {60, 8, 20})->score(drafts);
  }

  testing::TinyModels tiny_;
  LengthServer server_;
  ModelStore store_;
  const std::filesystem::path base_ = tiny_.file();
  const std::shared_ptr<const Model> model_ = store_.model(base_.string());
  const Prompt prompt_ = make_prompt("p", "How are you?");
};

TEST_F(KindsContract, EveryKindIsHere) {
  const auto all = lists();
  for (const RewardKind& kind : reward_kinds()) {
    if (kind.names.count("normalise") > 0) continue;  // needs a head that was calibrated
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const std::string& list) {
      return kind.names.count(list.substr(0, list.find('='))) > 0;
    })) << kind.form;
  }
}

TEST_F(KindsContract, ABatchScoresAsItsDraftsOneByOne) {
  std::vector<Draft> drafts;
  for (const std::string text : {"you", "good and you", "", "bad", "good", "you", "<|im_end|>"}) {
    drafts.push_back({text, {}, {}, false, true});
  }
  std::vector<Draft> backwards(drafts.rbegin(), drafts.rend());
  for (const std::string& list : lists()) {
    SCOPED_TRACE(list);
    const auto reward = make(list);
    const auto together = score(*reward, drafts);
    ASSERT_EQ(together.size(), drafts.size());
    const auto reversed = score(*reward, backwards);
    SessionPool pool(testing::session_of());
    const auto kept = reward->open(prompt_, pool, {60, 8, 20});  // goes on from draft to draft
    for (std::size_t i = 0; i < drafts.size(); ++i) {
      EXPECT_TRUE(std::isfinite(together[i]));
      EXPECT_NEAR(score(*reward, {drafts[i]}).at(0), together[i], 1e-3) << drafts[i].text;
      EXPECT_NEAR(kept->score({&drafts[i], 1}).at(0), together[i], 1e-3) << drafts[i].text;
      EXPECT_NEAR(reversed[drafts.size() - 1 - i], together[i], 1e-3) << drafts[i].text;
    }
    EXPECT_NEAR(together[0], together[5], 1e-3);
  }
}

TEST_F(KindsContract, NoDraftsAreNoScoresAndNoCost) {
  for (const std::string& list : lists()) {
    SCOPED_TRACE(list);
    const auto reward = make(list);
    SessionPool pool(testing::session_of());
    const auto scorer = reward->open(prompt_, pool, {60, 8, 20});
    EXPECT_TRUE(scorer->score({}).empty());
    EXPECT_EQ(scorer->evaluations() + scorer->prompt_evaluations(), 0u);
  }
}

TEST_F(KindsContract, ARewardSaysWhatItIs) {
  std::set<std::string> prints;
  for (const std::string& list : lists()) {
    SCOPED_TRACE(list);
    const auto reward = make(list);
    EXPECT_FALSE(reward->info().name.empty());
    EXPECT_EQ(reward->info().fingerprint, make(list)->info().fingerprint);
    EXPECT_TRUE(prints.insert(reward->info().fingerprint).second) << "as of another list";
  }
}

TEST_F(KindsContract, AKeyThatIsNotItsOwnIsRefused) {
  for (const std::string& list : lists()) {
    SCOPED_TRACE(list);
    testing::expect_error(ErrorKind::usage, {"--reward"}, [&] { make(list + ",colour=red"); });
  }
}

}  // namespace
}  // namespace tq
