#include "transferq/eval/data/prompt_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/eval/data/prompt_forms.hpp"
#include "transferq/eval/data/rows.hpp"
#include "transferq/eval/json_fields.hpp"
#include "transferq/eval/text_file.hpp"

namespace tq {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 4> kIdKeys{"question_id", "prompt_id", "uid", "hh_rlhf_index"};

// What a row offers as its id under the keys of published sets, in the order of kIdKeys.
using OfferedIds = std::array<std::string, kIdKeys.size()>;

OfferedIds offered_ids(const json& row) {
  OfferedIds out;
  for (std::size_t i = 0; i < kIdKeys.size(); ++i) {
    const auto it = row.find(kIdKeys[i]);
    if (it == row.end()) continue;
    if (it->is_string()) out[i] = it->get<std::string>();
    if (it->is_number()) out[i] = it->dump();
  }
  return out;
}

// The first key under which all rows offer different ids.
std::optional<std::size_t> id_key(const std::vector<OfferedIds>& rows) {
  for (std::size_t key = 0; key < kIdKeys.size(); ++key) {
    std::set<std::string> seen;
    const bool fits = std::all_of(rows.begin(), rows.end(), [&](const OfferedIds& ids) {
      return !ids[key].empty() && seen.insert(ids[key]).second;
    });
    if (fits) return key;
  }
  return std::nullopt;
}

std::string text_of(const Prompt& prompt) {
  std::string text;
  for (const Message& m : prompt.messages) text += m.role + '\0' + m.content + '\0';
  return text;
}

const PromptForm& detect(const json& row, Container container) {
  if (container == Container::csv) return csv_prompt_form();
  const auto forms = prompt_forms();
  return *std::find_if(forms.begin(), forms.end(),
                       [&](const auto& form) { return form.fits(row); });
}

Container container_for(std::string_view text, const std::string& name, const PromptForm* form) {
  const Container found = container_of(text, name, prompt_columns());
  if (form == nullptr) return found;
  if (form == &csv_prompt_form()) return Container::csv;
  // Only columns that are texts come out of a CSV file, and those are read by the form csv.
  return found == Container::csv ? Container::lines : found;
}

// Reads the rows one by one; `line` is the one that is being read.
class SetReader {
 public:
  SetReader(PromptSet& set, Repeats repeats) : set_(set), repeats_(repeats) {}

  void read(std::string_view text, const std::string& name, const PromptForm* form,
            std::size_t& line) {
    const Container container = container_for(text, name, form);
    const Rows rows(text, container);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      line = rows.line(i);
      const json row = rows.at(i);
      Prompt prompt{row_id(row, rows.number(i)), {}};
      if (form == nullptr) form = &detect(row, container);
      prompt.messages = form->read(row);
      check_prompt(prompt.messages);
      add(std::move(prompt), row);
    }
    line = 0;
    if (form != nullptr) set_.format = form->name;
    if (!named_) use_offered_ids();
    set_.available = set_.prompts.size();
  }

 private:
  void add(Prompt prompt, const json& row) {
    if (!ids_.insert(prompt.id).second) {
      throw Error(ErrorKind::input, fmt::format("the id '{}' is used twice", prompt.id));
    }
    named_ = named_ || row.contains("id");
    if (repeats_ == Repeats::left_out && !texts_.insert(text_of(prompt)).second) {
      ++set_.repeated;
      return;
    }
    offered_.push_back(offered_ids(row));
    set_.prompts.push_back(std::move(prompt));
  }

  void use_offered_ids() {
    const auto key = id_key(offered_);
    if (!key) return;
    for (std::size_t i = 0; i < offered_.size(); ++i) {
      set_.prompts[i].id = std::move(offered_[i][*key]);
    }
  }

  PromptSet& set_;
  Repeats repeats_;
  std::set<std::string> ids_, texts_;
  std::vector<OfferedIds> offered_;
  bool named_ = false;  // whether a row has an "id"
};

}  // namespace

PromptSet read_prompt_set(const std::filesystem::path& path, const std::string& format,
                          Repeats repeats) {
  const PromptForm* form = format == "auto" ? nullptr : &prompt_form(format);
  const std::string text = read_text_file(path);
  PromptSet set;
  set.sha256 = sha256_file(path);
  std::size_t line = 0;
  try {
    SetReader(set, repeats).read(without_mark(text), path.string(), form, line);
  } catch (const Error& e) {
    if (line == 0) throw Error(e.kind(), fmt::format("{} {}", path.string(), e.what()));
    throw Error(e.kind(),
                fmt::format("{} line {}: {}{}", path.string(), line, e.what(),
                            form == nullptr ? "" : fmt::format(" (read as {})", form->name)));
  }
  if (set.prompts.empty()) {
    throw Error(ErrorKind::input, fmt::format("{} has no prompts; write one {{\"id\", \"prompt\"}} "
                                              "a line",
                                              path.string()));
  }
  return set;
}

}  // namespace tq
