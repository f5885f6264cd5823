// Programs as rewards: real child processes, written by the test.
#include "transferq/reward/program.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/reward/reward_list.hpp"

namespace tq {
namespace {

using testing::expect_error;
using testing::read_all;

// The reward is the number of e's; `extra` runs for each row, which it may change or skip.
constexpr const char* kServe = R"(import json, os, signal, sys, time
def say(text):
    sys.stdout.write(text + '\n')
    sys.stdout.flush()
def answer(row):
    say(json.dumps({'id': row['id'], 'reward': row['response'].count('e')}))
)";

class ProgramTest : public ::testing::Test {
 protected:
  std::string python(const std::string& body) {
    const auto path = folder_ / ("reward" + std::to_string(++count_) + ".py");
    std::ofstream(path) << kServe << body;
    return "exec python3 -S -E " + path.string();
  }
  // A program that does `each` for every row it reads.
  std::string each_row(const std::string& each, const std::string& first = "") {
    return python(first + "\nfor line in sys.stdin:\n    row = json.loads(line)\n    " + each +
                  "\n");
  }
  static Draft draft(const std::string& text, bool ended = true) {
    return {text, {}, {}, false, ended};
  }
  // Of one reward, but different.
  static std::vector<Draft> alike(std::size_t count, const std::string& text) {
    std::vector<Draft> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(draft(text + std::string(i, 'a')));
    return out;
  }
  std::vector<double> score(const Reward& reward, const std::vector<Draft>& drafts) {
    SessionPool pool({});
    return reward.open(prompt_, pool, {})->score(drafts);
  }
  static std::unique_ptr<Reward> make(const std::string& command, std::size_t restarts = 0,
                                      double timeout = 60, std::size_t batch = 256) {
    return make_program_reward({command, timeout, batch, restarts, true});
  }
  void expect_failure(const std::string& command, std::vector<std::string> words,
                      std::size_t restarts = 0, double timeout = 60) {
    words.push_back("the reward program");
    const auto reward = make(command, restarts, timeout);
    expect_error(ErrorKind::io, words, [&] { score(*reward, {draft("one"), draft("eel")}); });
  }
  std::string mark() const { return (folder_ / "mark").string(); }
  std::size_t marks() const { return read_all(folder_ / "mark").size(); }
  // Python that appends one character to a file.
  std::string leave_mark() const { return "open('" + mark() + "', 'a').write('x')"; }

  const testing::TemporaryFolder folder_;
  int count_ = 0;
  Prompt prompt_{"a", {{"system", "Be \"kind\""}, {"user", "Why\n\xC3\xA9?"}}};
};

TEST_F(ProgramTest, ScoresEachDraft) {
  const auto reward = make(each_row("answer(row)"));
  EXPECT_EQ(score(*reward, {draft("eel"), draft(""), draft("tree\n\xE2\x82\xAC \"e\"")}),
            (std::vector<double>{2, 0, 3}));
  EXPECT_EQ(score(*reward, {draft("e")}), std::vector<double>{1});
  EXPECT_TRUE(score(*reward, {}).empty());
}

TEST_F(ProgramTest, IsGivenThePromptAndWhetherTheResponseIsFinished) {
  const auto reward = make(each_row("open('" + mark() + "', 'a').write(line); answer(row)"));
  score(*reward, {draft("yes", true), draft("no", false), {"all of it", {}, {}, true, false}});
  std::vector<nlohmann::json> rows;
  std::ifstream file(mark());
  for (std::string line; std::getline(file, line);) rows.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["prompt"], "Why\n\xC3\xA9?");
  EXPECT_EQ(rows[0]["messages"][0],
            (nlohmann::json{{"role", "system"}, {"content", "Be \"kind\""}}));
  EXPECT_EQ(rows[0]["messages"][1]["content"], "Why\n\xC3\xA9?");
  EXPECT_EQ(rows[0]["response"], "yes");
  EXPECT_EQ(rows[0]["finished"], true);
  EXPECT_EQ(rows[1]["finished"], false);
  EXPECT_EQ(rows[2]["prompt"], "");
  EXPECT_TRUE(rows[2]["messages"].empty());
  EXPECT_EQ(rows[2]["response"], "all of it");
  EXPECT_EQ(rows[0].size(), 5u);
}

TEST_F(ProgramTest, IsStartedAtTheFirstScoreAndOnce) {
  const auto reward = make(each_row("answer(row)", leave_mark()));
  SessionPool pool({});
  const auto scorer = reward->open(prompt_, pool, {});
  EXPECT_FALSE(std::filesystem::exists(mark()));
  const std::vector<Draft> drafts{draft("e")};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(scorer->score(drafts).at(0), 1);
  EXPECT_EQ(marks(), 1u);
}

TEST_F(ProgramTest, AnswersInAnyOrder) {
  const auto reward = make(python(R"(
rows = [json.loads(sys.stdin.readline()) for i in range(4)]
for row in reversed(rows): answer(row)
sys.stdin.read()
)"));
  EXPECT_EQ(score(*reward, {draft("e"), draft("ee"), draft("eee"), draft("")}),
            (std::vector<double>{1, 2, 3, 0}));
}

TEST_F(ProgramTest, AHugeBatchGoesThroughFullPipes) {
  // It answers each row at once, padded: both pipes are full much of the time.
  const auto reward = make(
      each_row(
          "say(json.dumps({'id': row['id'], 'reward': row['response'].count('e'), 'pad': 'p' * "
          "3000}))"),
      0, 120, 4000);
  std::vector<Draft> drafts;
  std::vector<double> expected;
  for (std::size_t i = 0; i < 2000; ++i) {
    drafts.push_back(draft(std::string(i % 50, 'e') + std::string(10000, 'x')));
    expected.push_back(static_cast<double>(i % 50));
  }
  EXPECT_EQ(score(*reward, drafts), expected);
}

TEST_F(ProgramTest, ReadsAllBeforeItAnswersUpToTheBatch) {
  // Answers only in groups of three: a batch of three is enough, and seven drafts come as 3, 3, 1.
  const auto reward = make(python(R"(
group, seen = [], 0
for line in sys.stdin:
    group.append(json.loads(line))
    seen += 1
    if len(group) == 3 or seen == 7:
        for row in group: answer(row)
        group = []
)"),
                           0, 60, 3);
  EXPECT_EQ(score(*reward, alike(7, "ee")), std::vector<double>(7, 2.0));
}

TEST_F(ProgramTest, OneThatDiesOnceIsStartedAgain) {
  const auto reward =
      make(each_row("answer(row)", "if not os.path.exists('" + mark() + "'):\n    " + leave_mark() +
                                       "\n    answer(json.loads(sys.stdin.readline"
                                       "()))\n    sys.exit(1)"),
           1);
  EXPECT_EQ(score(*reward, {draft("e"), draft("ee"), draft("eee")}),
            (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(marks(), 1u);
}

TEST_F(ProgramTest, OneThatAnswersARowAndEndsIsStartedForEach) {
  const auto reward =
      make(python(leave_mark() + "\nanswer(json.loads(sys.stdin.readline()))\n"), 1);
  EXPECT_EQ(score(*reward, {draft("e"), draft("ee"), draft("eee"), draft("")}),
            (std::vector<double>{1, 2, 3, 0}));
  EXPECT_EQ(marks(), 4u);
}

TEST_F(ProgramTest, OneThatDiesAlwaysIsGivenUp) {
  expect_failure(python(leave_mark() + "\nsys.stderr.write('starting\\nmodel.bin is gone\\n')\n"
                                       "sys.exit(7)"),
                 {"exited with status 7", "3 times in a row",
                  "(its last message: 'model.bin is "
                  "gone')"},
                 2);
  EXPECT_EQ(marks(), 3u);
  expect_failure("kill -9 $$", {"ended by signal 9"});
  expect_failure("/no/such/program", {"exited with status 127", "/no/such/program"});
  expect_failure("exit 0", {"exited with status 0 without an answer"});
}

TEST_F(ProgramTest, OneThatHangsIsEnded) {
  expect_failure(python("signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1000)"),
                 {"gave no answer for 0.2 s", "2 times in a row", "timeout="}, 1, 0.2);
  // Messages without an end are no answer, either.
  expect_failure(python("while True: sys.stderr.write('.' * 1000)"), {"gave no answer for 0.2 s"},
                 0, 0.2);
}

TEST_F(ProgramTest, ASlowOneHasTheTimeForEachAnswer) {
  const auto reward = make(each_row("time.sleep(0.2); answer(row)"), 0, 10);
  EXPECT_EQ(score(*reward, alike(4, "e")), std::vector<double>(4, 1.0));
}

TEST_F(ProgramTest, GarbageIsQuoted) {
  expect_failure(each_row("say('reward: 3')"), {"said 'reward: 3'", "no JSON object", "one line"});
  expect_failure(each_row("say('[1]')"), {"'[1]'"});
  expect_failure(each_row("say('{\"reward\": 1}')"), {"no \"id\""});
  expect_failure(each_row("say('{\"id\": \"0\", \"reward\": 1}')"), {"no \"id\""});
  expect_failure(each_row("say('{\"id\": 2, \"reward\": 1}')"), {"has the id 2"});
  expect_failure(each_row("say('{\"id\": -1, \"reward\": 1}')"), {"no \"id\""});
  expect_failure(each_row("say('\\xff\\x00' + 'z' * 500)"), {"zz...'"});
  expect_failure(python("while True: sys.stdout.write('y' * 10000)"), {"yyy", "megabyte"});
}

TEST_F(ProgramTest, WhatIsNoFiniteNumberIsNoReward) {
  for (const std::string value : {"NaN", "Infinity", "-Infinity", "1e999"}) {
    expect_failure(each_row("say('{\"id\": %d, \"reward\": " + value + "}' % row['id'])"),
                   {value, "finite number"});
  }
  for (const std::string value : {"null", "true", "\"1\"", "[1]"}) {
    expect_failure(each_row("say('{\"id\": %d, \"reward\": " + value + "}' % row['id'])"),
                   {"\"reward\": " + value, "no finite number"});
  }
  expect_failure(each_row("say('{\"id\": %d}' % row['id'])"), {"no finite number"});
}

TEST_F(ProgramTest, ItsOwnErrorIsPassedOn) {
  expect_failure(each_row("say(json.dumps({'id': row['id'], 'error': 'too long\\nby far'}))"),
                 {"can't score a response", "'too long by far'"});
  expect_failure(
      each_row("say('{\"id\": %d, \"reward\": 1, \"error\": {\"code\": 3}}' % row['id'])"),
      {"{\"code\":3}"});
}

TEST_F(ProgramTest, AnIdAnsweredTwiceIsAnError) {
  expect_failure(each_row("answer(row); answer(row)"), {"answered a draft twice"});
}

TEST_F(ProgramTest, AfterAFailureTheNextCallWorks) {
  const auto reward = make(each_row("say('what?') if 'x' in row['response'] else answer(row)"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(score(*reward, {draft("e")}), std::vector<double>{1});
    expect_error(ErrorKind::io, {"what?"}, [&] { score(*reward, {draft("x")}); });
  }
}

TEST_F(ProgramTest, OneThatReadsNothingRaisesNoSigpipe) {
  const auto before = ::signal(SIGPIPE, SIG_DFL);
  // Its input is closed from the start, while much is to be written.
  const auto reward = make("exec 0<&-; sleep 0.1; exit 3");
  expect_error(ErrorKind::io, {"exited with status 3"},
               [&] { score(*reward, alike(100, std::string(10000, 'x'))); });
  sigset_t pending;
  ::sigpending(&pending);
  EXPECT_EQ(::sigismember(&pending, SIGPIPE), 0);
  ::signal(SIGPIPE, before);
}

TEST_F(ProgramTest, GetsNoneOfOurFilesAndTheUsualSignals) {
  const int leaky = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  sigset_t set, old;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &set, &old);
  const auto reward =
      make(each_row("open('" + mark() +
                        "', 'a').write(' '.join(sorted(os.listdir('/proc/self/fd'))[:3]) + ' ' + "
                        "str(os.path.exists('/proc/self/fd/" +
                        std::to_string(leaky) +
                        "')) + ' ' + "
                        "[l.split()[1] for l in open('/proc/self/status') if "
                        "l.startswith('SigBlk')][0]); answer(row)",
                    "assert not os.path.exists('/proc/self/fd/" + std::to_string(leaky) + "')"));
  EXPECT_EQ(score(*reward, {draft("e")}), std::vector<double>{1});
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
  ::signal(SIGPIPE, before);
  ::close(leaky);
  EXPECT_NE(read_all(mark()).find("0000000000000000"), std::string::npos) << read_all(mark());
}

// Whether a process is there, or is about to be gone.
bool gone(pid_t pid) {
  for (int i = 0; i < 500; ++i) {
    if (::kill(pid, 0) != 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST_F(ProgramTest, EndsWithTheReward) {
  const std::string command =
      each_row("open('" + mark() + "', 'w').write(str(os.getpid())); answer(row)",
               "signal.signal(signal.SIGTERM, signal.SIG_IGN)");
  // A pipeline behind the shell, one part of which does not go willingly.
  auto reward = make("cat | (" + command + "); echo");
  EXPECT_EQ(score(*reward, {draft("e")}), std::vector<double>{1});
  const pid_t pid = std::stoi(read_all(mark()));
  EXPECT_EQ(::kill(pid, 0), 0);
  reward.reset();
  EXPECT_TRUE(gone(pid));
}

TEST_F(ProgramTest, SeveralPromptsShareOneProgram) {
  const auto reward = make(each_row("answer(row)", leave_mark()));
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        SessionPool pool({});
        const auto scorer = reward->open(prompt_, pool, {});
        for (std::size_t i = 0; i < 20; ++i) {
          const std::vector<Draft> drafts{draft(std::string(t, 'e')), draft(std::string(i, 'e'))};
          const std::vector<double> expected{static_cast<double>(t), static_cast<double>(i)};
          if (scorer->score(drafts) != expected) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(marks(), 1u);
}

TEST_F(ProgramTest, ReadsItsListAndRefusesMalformedOnes) {
  ModelStore store;
  const auto read = [&](const std::string& list) {
    return make_reward(list, store, nullptr, Format::raw);
  };
  const auto reward = read("program=echo '{\"id\": 0\\, \"reward\": 2}'; cat > /dev/null");
  EXPECT_EQ(score(*reward, {draft("e")}), std::vector<double>{2});
  EXPECT_TRUE(reward->info().partial);
  EXPECT_FALSE(reward->info().range.bounded());
  EXPECT_FALSE(read("program=x,partial=0")->info().partial);
  EXPECT_FALSE(read("program=x,partial=no")->info().partial);
  EXPECT_NE(read("program=x")->info().fingerprint, read("program=y")->info().fingerprint);
  EXPECT_EQ(read("program=x")->info().fingerprint, read("program=x,batch=3")->info().fingerprint);
  for (const std::string bad : {"timeout=0", "timeout=-1", "timeout=nan", "timeout=x", "batch=0",
                                "batch=1.5", "restarts=-1", "partial=2"}) {
    expect_error(ErrorKind::usage, {bad}, [&] { read("program=x," + bad); });
  }
  expect_error(ErrorKind::usage, {"names no command"}, [&] { read("program= "); });
}

}  // namespace
}  // namespace tq
