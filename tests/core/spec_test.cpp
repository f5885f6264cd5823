#include "transferq/core/spec.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

const std::set<std::string> kKeys{"system", "lora", "scale"};

// The message of the usage error that parsing gives, or "" if there is none.
std::string complaint(const std::string& text) {
  try {
    parse_spec(text, "--model", kKeys);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "";
}

TEST(Spec, NameAndValues) {
  const Spec spec = parse_spec("smollm2,system=Be kind,scale=0.5", "--model", kKeys);
  EXPECT_EQ(spec.text, "smollm2,system=Be kind,scale=0.5");
  EXPECT_EQ(spec.name, "smollm2");
  EXPECT_EQ(spec.get("system"), "Be kind");
  EXPECT_EQ(spec.number("scale", 1), 0.5);
  EXPECT_EQ(spec.number("lora", 7), 7);
  EXPECT_FALSE(spec.has("lora"));
  EXPECT_EQ(spec.get("lora", "none"), "none");
}

TEST(Spec, NameIsOptionalAndMayComeLast) {
  EXPECT_EQ(parse_spec("system=x", "--model", kKeys).name, "");
  EXPECT_EQ(parse_spec("system=x,m", "--model", kKeys).name, "m");
}

TEST(Spec, OnlyTheFirstEqualsSignDivides) {
  EXPECT_EQ(parse_spec("system=a=b=c", "--model", kKeys).get("system"), "a=b=c");
  EXPECT_EQ(parse_spec("system=", "--model", kKeys).get("system", "x"), "");
}

TEST(Spec, EscapedCommasAndBackslashes) {
  const Spec spec = parse_spec(R"(m,system=Be kind\, and C:\\new\dir\\)", "--model", kKeys);
  EXPECT_EQ(spec.get("system"), R"(Be kind, and C:\new\dir\)");
}

RC_GTEST_PROP(Spec, EscapingRoundTrips, (const std::string& value)) {
  const Spec spec = parse_spec("m,system=" + escape_spec_value(value), "--model", kKeys);
  RC_ASSERT(spec.name == "m");
  RC_ASSERT(spec.get("system") == value);
}

TEST(Spec, AValueMayBeListsInBraces) {
  const Spec spec = parse_spec(R"(m,system={a,b=1\,2} {c={d,e}},scale=2)", "--model", kKeys);
  EXPECT_EQ(spec.name, "m");
  EXPECT_EQ(spec.number("scale", 1), 2);
  EXPECT_EQ(inner_lists(spec.get("system")), (std::vector<std::string>{R"(a,b=1\,2)", "c={d,e}"}));
  EXPECT_EQ(inner_lists("a,b"), std::vector<std::string>{"a,b"});
  EXPECT_EQ(inner_lists(""), std::vector<std::string>{});
}

TEST(Spec, ABraceElsewhereIsABrace) {
  EXPECT_EQ(parse_spec(R"(system=[a-c]{2\,})", "--model", kKeys).get("system"), "[a-c]{2,}");
  EXPECT_EQ(parse_spec(R"(system=\{x)", "--model", kKeys).get("system"), "{x");
  EXPECT_EQ(parse_spec("system={x", "--model", kKeys).get("system"), "{x");
  for (const std::string bad : {"{a", "{a} b", "{a} {b"}) {
    EXPECT_THROW(inner_lists(bad), Error) << bad;
  }
}

TEST(Spec, ErrorsSayWhatToDo) {
  EXPECT_NE(complaint("").find("--model"), std::string::npos);
  EXPECT_NE(complaint("a,,system=x").find("empty part"), std::string::npos);
  EXPECT_NE(complaint("a,b").find("both 'a' and 'b'"), std::string::npos);
  EXPECT_NE(complaint("a,system=x,system=y").find("'system' twice"), std::string::npos);
  EXPECT_NE(complaint("a,sistem=x").find("did you mean 'system'?"), std::string::npos);
  EXPECT_NE(complaint("a,zzzzzzzz=x").find("it takes lora, scale, system"), std::string::npos);
  EXPECT_EQ(complaint("a,system=x"), "");
}

TEST(Spec, NumbersMustBeNumbers) {
  for (const std::string bad : {"", "x", "1x", "0.5 "}) {
    const Spec spec = parse_spec("scale=" + bad, "--model", kKeys);
    EXPECT_THROW(spec.number("scale", 1), Error) << bad;
  }
}

}  // namespace
}  // namespace tq
