// The sessions one worker decodes with: one for each (model, adapter), so that reference, baseline
// and reward share an evaluation wherever they can. Sessions live on from prompt to prompt.
// Not thread-safe: each worker thread has a pool of its own; the models are shared.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "transferq/engine/model.hpp"
#include "transferq/engine/session.hpp"
#include "transferq/policy/policy.hpp"

namespace tq {

// How much memory a decoder needs on top of the prompt.
struct Workload {
  std::size_t tokens = 0;  // of the response on the trunk
  std::size_t width = 1;   // branches that grow at once
  std::size_t depth = 0;   // tokens each of them grows by

  std::size_t cells(std::size_t prompt) const { return prompt + tokens + width * depth; }
};

class SessionPool {
 public:
  // `options.cells` is a fixed size for every session, or 0: then each is as large as the work
  // asks for, up to a limit beyond which the work is done in waves.
  explicit SessionPool(SessionOptions options);
  const SessionOptions& options() const { return options_; }

  // Forgets the plans of the prompt before; no branch of a session may be left but those of the
  // pool itself. Evaluations for this prompt stop when `stop` asks for it.
  void begin_prompt(std::stop_token stop = {});

  // Announces work in a policy's session, before the first get() of a prompt. What several users
  // of one session announce adds up: cells, the branches of each user beyond the decoder and one
  // reward, which `options.branches` is for, and one to share a prompt. Throws Error (input) when a
  // prompt of `prompt` tokens and its response can never fit.
  void plan(const Policy& policy, std::size_t prompt, const Workload& work);

  // The same for a text that may be cut at the end: returns its longest length in tokens. Throws
  // Error (input) when the prompt leaves no room for any of the response.
  std::size_t plan_cut(const Policy& policy, std::size_t prompt, const Workload& work);

  // Whether more than one user planned work in the policy's session.
  bool shared(const Policy& policy) { return entry(policy).users > 1; }

  // Throws Error (input) when a fixed size does not hold what was announced for a policy's session:
  // with one branch growing at a time, which is enough for a user that works in waves, or with all.
  enum class Fit { one_branch, all_branches };
  void check(const Policy& policy, Fit fit);
  // Tokens evaluated so far by the sessions that are open.
  std::uint64_t evaluations() const;
  // Cells announced so far for a policy's session.
  std::size_t planned(const Policy& policy);

  // A new branch of the session that get() gave last, for an encoded prompt. It holds the longest
  // beginning that was shared; or what all prompts of the policy begin with (Policy::preamble),
  // evaluated by itself and once for them all, where that is longer and worth it. Evaluations may
  // throw.
  struct Beginning {
    Branch branch;
    std::size_t shared = 0;  // tokens of it that somebody else counts as evaluated for this prompt
  };
  Beginning open(const Policy& policy, std::span<const Token> prompt);

  // Lets the other users of the branch's session begin with what it holds, until the next prompt.
  void share(const Policy& policy, const Branch& branch);

  // The session for a policy, large enough for what was planned. One that has a single user is made
  // anew with `least` cells where it has fewer; that user must hold no branch of it then.
  Session& get(const Policy& policy, std::size_t least = 0);

 private:
  // What the prompts of a policy have in common. It stays for those to come while there is room.
  struct Preamble {
    std::string of;  // whose: describes format and system prompt
    std::vector<Token> tokens;
    Branch branch;
    bool planned = false;  // work announced for this prompt begins with it, as far as is known
    bool used = false;     // and has begun
  };
  struct Entry {
    std::string model;
    Adapter adapter;
    std::size_t planned = 0;   // cells with which all branches grow at once, within reason
    std::size_t needed = 0;    // and with which one does, the least that is enough
    std::size_t users = 0;     // that announced work
    std::size_t branches = 0;  // beyond the options' own
    std::size_t opened = 0;    // branches that the session was opened for
    std::unique_ptr<Session> session;
    std::vector<Preamble> preambles = {};  // on its branches
    std::vector<Branch> shared = {};       // of this prompt
  };
  Entry& entry(const Policy& policy);
  std::size_t limit(const Policy& policy) const;
  void add(const Policy& policy, std::size_t longest, std::size_t needed, const Workload& work);
  static void make_room(Entry& entry);
  static Beginning longest_shared(const Entry& entry, std::span<const Token> prompt);
  static void use_preamble(Entry& entry, const Policy& policy, std::span<const Token> preamble);
  static Branch open_preamble(Entry& entry, const Policy& policy, std::span<const Token> preamble);

  SessionOptions options_;
  std::stop_token stop_;
  std::vector<Entry> entries_;
};

}  // namespace tq
