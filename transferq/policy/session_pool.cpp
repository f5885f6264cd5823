#include "transferq/policy/session_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

// Attention visits every cell of the memory, so more of them cost time in every evaluation; beyond
// this many, branches take turns instead.
constexpr std::size_t kWaveCells = 8192;

// Tokens of a preamble that are worth a forward pass of their own at the first prompt.
constexpr std::size_t kPreamble = 32;

// What tells the policies of one model and adapter apart.
std::string name_of(const Policy& policy) {
  return (policy.format() == Format::chat ? "chat " : "raw ") + policy.system();
}

}  // namespace

SessionPool::SessionPool(SessionOptions options) : options_(std::move(options)) {}

void SessionPool::begin_prompt(std::stop_token stop) {
  stop_ = std::move(stop);
  for (Entry& e : entries_) {
    e.planned = e.needed = e.users = e.branches = 0;
    e.shared.clear();
    for (Preamble& preamble : e.preambles) preamble.planned = preamble.used = false;
  }
}

SessionPool::Entry& SessionPool::entry(const Policy& policy) {
  const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) {
    return e.model == policy.model().identity() && e.adapter == policy.adapter();
  });
  if (it != entries_.end()) return *it;
  entries_.push_back({policy.model().identity(), policy.adapter(), 0, 0, 0, 0, 0, nullptr});
  return entries_.back();
}

// The longest text in tokens.
std::size_t SessionPool::limit(const Policy& policy) const {
  const std::size_t trained = policy.model().context();
  return options_.cells > 0 ? std::min(options_.cells, trained) : trained;
}

void SessionPool::add(const Policy& policy, std::size_t longest, std::size_t needed,
                      const Workload& work) {
  // Two spare tokens a branch: another tokenizer may cut the same text differently.
  const std::size_t branches = std::min(work.width * (work.depth + 2), kWaveCells);
  Entry& e = entry(policy);
  e.planned += longest + std::max(branches, work.depth);
  e.needed += needed;
  if (++e.users > 1) ++e.branches;  // to share what another has evaluated
  if (e.users > 2) e.branches += work.width + 2;
  for (Preamble& preamble : e.preambles) preamble.planned |= preamble.of == name_of(policy);
}

void SessionPool::plan(const Policy& policy, std::size_t prompt, const Workload& work) {
  const std::size_t longest = prompt + work.tokens;
  const std::size_t most = limit(policy);
  if (longest > most) {
    const bool raise = most < policy.model().context();
    throw Error(ErrorKind::input,
                fmt::format("the prompt's {} tokens and a response of up to {} exceed the context "
                            "of {}; shorten the prompt{} --max-tokens{}",
                            prompt, work.tokens, most, raise ? ", lower" : " or lower",
                            raise ? " or raise --context" : ""));
  }
  add(policy, longest, longest, work);
}

std::size_t SessionPool::plan_cut(const Policy& policy, std::size_t prompt, const Workload& work) {
  const std::size_t most = limit(policy);
  if (prompt >= most) {
    throw Error(ErrorKind::input,
                fmt::format("the prompt's {} tokens fill the context of {} tokens of {}, which "
                            "scores the response; shorten the prompt",
                            prompt, most, policy.model().name()));
  }
  // Another tokenizer may need more tokens for the same text than the policy's.
  add(policy, std::min(prompt + 4 * work.tokens, most), std::min(prompt + work.tokens, most), work);
  return most;
}

void SessionPool::check(const Policy& policy, Fit fit) {
  const Entry& e = entry(policy);
  const std::size_t cells = fit == Fit::one_branch ? e.needed : e.planned;
  if (options_.cells == 0 || cells <= options_.cells) return;
  throw Error(
      ErrorKind::input,
      fmt::format("what works on {} needs {} tokens of memory together, more than the "
                  "context of {}; shorten the prompt, lower --max-tokens or raise --context",
                  policy.model().name(), cells, options_.cells));
}

std::uint64_t SessionPool::evaluations() const {
  std::uint64_t sum = 0;
  for (const Entry& e : entries_) sum += e.session ? e.session->evaluations() : 0;
  return sum;
}

std::size_t SessionPool::planned(const Policy& policy) { return entry(policy).planned; }

Session& SessionPool::get(const Policy& policy, std::size_t least) {
  Entry& e = entry(policy);
  std::size_t cells = options_.cells > 0 ? options_.cells : e.planned;
  if (e.users <= 1) cells = std::max(cells, least);
  const std::size_t branches = options_.branches + e.branches;
  if (e.session == nullptr || e.session->capacity().cells < cells || e.opened < branches) {
    e.preambles.clear();
    e.shared.clear();
    e.session.reset();  // free its memory first
    SessionOptions options = options_;
    options.cells = cells;
    options.branches = e.opened = branches;  // the engine may give fewer
    options.adapter = policy.adapter();
    e.session = policy.model().open_session(options);
  }
  e.session->stop_on(stop_);
  make_room(e);
  return *e.session;
}

// Drops preambles that are no part of what was planned for this prompt where that needs their
// place.
void SessionPool::make_room(Entry& e) {
  const auto apart = [](const Preamble& p) { return !p.planned && !p.used; };
  std::size_t cells = e.planned;
  for (const Preamble& p : e.preambles) cells += apart(p) ? p.tokens.size() : 0;
  if (cells > e.session->capacity().cells) std::erase_if(e.preambles, apart);
}

SessionPool::Beginning SessionPool::longest_shared(const Entry& e, std::span<const Token> prompt) {
  const Branch* best = nullptr;
  std::size_t length = 0;
  for (const Branch& branch : e.shared) {
    const std::vector<Token> tokens = e.session->tokens(branch.id());
    const auto parted = std::ranges::mismatch(tokens, prompt).in1;
    const auto same = static_cast<std::size_t>(parted - tokens.begin());
    if (same <= length) continue;
    best = &branch;
    length = same;
  }
  if (best == nullptr) return {};
  Beginning out{best->fork(), length};
  out.branch.truncate(length);
  return out;
}

// Notes what a prompt begins with, so that what others do can make room.
void SessionPool::use_preamble(Entry& e, const Policy& policy, std::span<const Token> preamble) {
  for (Preamble& p : e.preambles) {
    const bool same = std::ranges::equal(p.tokens, preamble);
    p.used |= same;
    p.planned &= same || p.of != name_of(policy);  // this prompt begins in another way
  }
  make_room(e);
}

// What prompts begin with, evaluated now where it is not held.
Branch SessionPool::open_preamble(Entry& e, const Policy& policy, std::span<const Token> preamble) {
  const auto held = std::ranges::find_if(
      e.preambles, [&](const Preamble& p) { return std::ranges::equal(p.tokens, preamble); });
  if (held != e.preambles.end()) return held->branch.fork();
  Branch branch = Branch::open(*e.session);
  if (preamble.size() < kPreamble) return branch;
  const std::array<Feed, 1> feeds{Feed{branch.id(), preamble, Want::nothing}};
  e.session->forward(feeds);
  e.preambles.push_back(
      {name_of(policy), {preamble.begin(), preamble.end()}, branch.fork(), true, true});
  return branch;
}

SessionPool::Beginning SessionPool::open(const Policy& policy, std::span<const Token> prompt) {
  Entry& e = entry(policy);
  // A shorter prompt is not even asked: its policy may have no template.
  const std::span<const Token> preamble =
      prompt.first(prompt.size() > kPreamble ? policy.preamble(prompt) : 0);
  use_preamble(e, policy, preamble);
  Beginning shared = longest_shared(e, prompt);
  if (shared.branch && shared.shared >= preamble.size()) return shared;
  return {open_preamble(e, policy, preamble), 0};
}

void SessionPool::share(const Policy& policy, const Branch& branch) {
  Entry& e = entry(policy);
  if (e.users > 1) e.shared.push_back(branch.fork());
}

}  // namespace tq
