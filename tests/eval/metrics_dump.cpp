// metrics_dump [ENCODER.gguf]: what the library says of each line of standard input, a line each,
// to be compared with an independent computation (tests/reference/eval_metrics.py).
//   {"response"}                the metrics of a text; with an encoder and a "prompt" also
//                               coherence and the two embeddings it was computed from
//   {"values", "seed"}          an interval for their mean and the p value of a paired test
//   {"p"}                       the p values after Holm's correction
//   {"mean", "plain", "best"}   the normalised reward, null where there is none
#include <cmath>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "transferq/engine/llama/encoder.hpp"
#include "transferq/eval/metrics/bootstrap.hpp"
#include "transferq/eval/metrics/coherence.hpp"
#include "transferq/eval/metrics/normalised.hpp"
#include "transferq/eval/metrics/paired_test.hpp"
#include "transferq/eval/metrics/text_metrics.hpp"

namespace {

using nlohmann::json;

json value_or_null(const std::optional<double>& value) { return value ? json(*value) : json(); }

json of_response(const json& row, const std::shared_ptr<const tq::Encoder>& encoder) {
  const auto response = row.at("response").get<std::string>();
  const tq::TextMetrics m = tq::text_metrics(response);
  json out{{"words", m.words},
           {"rep_2", value_or_null(m.rep_2)},
           {"rep_3", value_or_null(m.rep_3)},
           {"rep_4", value_or_null(m.rep_4)},
           {"diversity", value_or_null(m.diversity)}};
  if (encoder != nullptr && row.contains("prompt")) {
    const std::vector<std::string> texts{row.at("prompt").get<std::string>(), response};
    out["coherence"] = value_or_null(tq::CoherenceMeter(encoder).of(texts[0], texts[1]));
    out["embeddings"] = encoder->open_session(1)->embed(texts);
  }
  return out;
}

json of_line(const json& row, const std::shared_ptr<const tq::Encoder>& encoder) {
  if (row.contains("values")) {
    const auto values = row.at("values").get<std::vector<double>>();
    const auto seed = row.at("seed").get<std::uint64_t>();
    const tq::Estimate e = tq::bootstrap_mean(values, seed);
    return {{"mean", e.mean},
            {"low", e.low},
            {"high", e.high},
            {"n", e.n},
            {"p", tq::paired_permutation_test(values, seed)}};
  }
  if (row.contains("p")) return {{"holm", tq::holm(row.at("p").get<std::vector<double>>())}};
  if (row.contains("best")) {
    return {{"normalised", tq::normalised_reward(row.at("mean"), row.at("plain"), row.at("best"))}};
  }
  return of_response(row, encoder);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto encoder = argc > 1 ? tq::llama::load_encoder(argv[1]) : nullptr;
    for (std::string line; std::getline(std::cin, line);) {
      std::cout << of_line(json::parse(line), encoder).dump() << '\n';
    }
  } catch (const std::exception& error) {
    std::cerr << "metrics_dump: " << error.what() << '\n';
    return 1;
  }
}
