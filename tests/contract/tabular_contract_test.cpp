// The contract on the tabular engine: exactly equal, to the bit.
#include "contract.hpp"
#include "transferq/core/random.hpp"
#include "transferq/engine/tabular/model.hpp"

namespace tq::contract {
namespace {

// Three tokens, a random row after every prefix of up to seven tokens, some with a zero.
const tabular::Table& table() {
  static const tabular::Table kTable = [] {
    tabular::Table out;
    std::vector<tabular::Prefix> level{{}};
    std::uint32_t drawn = 0;
    for (int length = 0; length < 8; ++length) {
      std::vector<tabular::Prefix> next;
      for (const tabular::Prefix& prefix : level) {
        std::vector<double> row(3);
        for (double& p : row) p = uniform({.seed = 7, .position = drawn++});
        if (drawn % 4 == 0) row[drawn % 3] = 0;
        const double sum = row[0] + row[1] + row[2];
        for (double& p : row) p /= sum;
        out[prefix] = row;
        for (Token token = 0; token < 3; ++token) next.push_back(prefix + Tokens{token});
      }
      level = std::move(next);
    }
    return out;
  }();
  return kTable;
}

Engine tabular_engine() {
  return {"table", [] { return std::make_shared<tabular::TabularModel>(3, table()); }, 0};
}

INSTANTIATE_TEST_SUITE_P(Tabular, SessionContract, testing::Values(tabular_engine()),
                         contract_name);
INSTANTIATE_TEST_SUITE_P(Tabular, BatcherContract, testing::Values(tabular_engine()),
                         contract_name);

}  // namespace
}  // namespace tq::contract
