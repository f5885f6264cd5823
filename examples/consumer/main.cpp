// Continues a text with a model's likeliest tokens, through the installed library.
// Usage: consumer MODEL.gguf TEXT
#include <iostream>
#include <transferq/core/error.hpp>
#include <transferq/engine/llama/model.hpp>
#include <vector>

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: consumer MODEL.gguf TEXT\n";
    return 2;
  }
  const auto model = tq::llama::load_model(argv[1]);
  const auto session = model->open_session({.cells = 256, .branches = 1});
  const auto branch = tq::Branch::open(*session);

  std::vector<tq::Token> tokens = model->tokenize(argv[2], /*special=*/true);
  std::cout << argv[2];
  for (int i = 0; i < 12; ++i) {
    const tq::Feed feed{branch.id(), tokens, tq::Want::argmax};
    const tq::Token next = session->forward({&feed, 1}).front().argmax;
    if (model->is_end(next)) break;
    std::cout << model->piece(next, /*special=*/false) << std::flush;
    tokens = {next};
  }
  std::cout << '\n';
  return 0;
} catch (const tq::Error& error) {
  std::cerr << "consumer: " << error.what() << '\n';
  return 1;
}
