// A short list on the command line: a name and/or key=value pairs, separated by commas, such as
// `smollm2,system=Be kind` or `head=FILE,model=smollm2`. A comma or backslash inside a value is
// written `\,` or `\\`. A value may be lists of its own, in braces: `sum={head=H,model=M}
// {length=50}`; one that begins with a brace and is no list begins with `\{`.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tq {

struct Spec {
  std::string text;                           // as given
  std::string name;                           // the part without '=', if any
  std::map<std::string, std::string> values;  // the key=value pairs

  bool has(const std::string& key) const { return values.count(key) > 0; }
  // The value, or `fallback` when the key is absent.
  std::string get(const std::string& key, const std::string& fallback = "") const;
  // The value as a number. Throws Error (usage) when it is not one.
  double number(const std::string& key, double fallback) const;
};

// `what` names the flag in error messages. Throws Error (usage) for an empty list, a key given
// twice, two names, or a key that is not in `keys` (the nearest one is offered).
Spec parse_spec(std::string_view text, std::string_view what, const std::set<std::string>& keys);

// The lists that a value holds: `{a,b=1} {c}` gives `a,b=1` and `c`; a value without braces is one
// list. Throws Error (usage) for text between the braces or a brace left open.
std::vector<std::string> inner_lists(std::string_view value);

// Quotes a value so that parse_spec gives it back.
std::string escape_spec_value(std::string_view value);

}  // namespace tq
