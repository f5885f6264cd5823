// make_tiny: writes the small models and adapters that the tests of the command run on.
//   make_tiny model OUT.gguf [--seed N] [--context N] [--embedding N] [--temperature X]
//                            [--no-template]
//   make_tiny lora|control OUT.gguf [--seed N] [--scale X]      for `model` with its defaults
//   make_tiny encoder OUT.gguf [--seed N] [--rank] [--label NAME]... [--ends]
//   make_tiny convert IN.gguf OUT.gguf TYPE
#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "transferq/core/error.hpp"
#include "transferq/engine/llama/convert.hpp"
#include "transferq/engine/llama/tiny_encoder.hpp"
#include "transferq/engine/llama/tiny_model.hpp"

int main(int argc, char** argv) {
  CLI::App app("Writes small models for tests");
  app.require_subcommand(1);
  std::string in, out, type;
  tq::llama::TinyModelOptions model;
  tq::llama::TinyAdapterOptions adapter;
  bool plain = false;

  CLI::App* make_model = app.add_subcommand("model");
  make_model->add_option("out", out)->required();
  make_model->add_option("--seed", model.seed);
  make_model->add_option("--context", model.context);
  make_model->add_option("--embedding", model.embedding);
  make_model->add_option("--temperature", model.temperature);
  make_model->add_flag("--no-template", plain);
  make_model->callback([&] {
    model.chat_template = !plain;
    tq::llama::write_tiny_model(out, model);
  });

  for (const std::string kind : {"lora", "control"}) {
    CLI::App* make_adapter = app.add_subcommand(kind);
    make_adapter->add_option("out", out)->required();
    make_adapter->add_option("--seed", adapter.seed);
    make_adapter->add_option("--scale", adapter.scale);
    make_adapter->callback([&, kind] {
      const auto write =
          kind == "lora" ? tq::llama::write_tiny_lora : tq::llama::write_tiny_control_vector;
      write(out, {}, adapter);
    });
  }

  tq::llama::TinyEncoderOptions encoder;
  CLI::App* make_encoder = app.add_subcommand("encoder");
  make_encoder->add_option("out", out)->required();
  make_encoder->add_option("--seed", encoder.seed);
  make_encoder->add_option("--label", encoder.labels);
  make_encoder->add_flag("--ends", encoder.ends);
  CLI::Option* rank = make_encoder->add_flag("--rank");
  make_encoder->callback([&] {
    if (*rank) encoder.pooling = tq::Pooling::rank;
    tq::llama::write_tiny_encoder(out, encoder);
  });

  CLI::App* convert = app.add_subcommand("convert");
  convert->add_option("in", in)->required();
  convert->add_option("out", out)->required();
  convert->add_option("type", type)->required();
  convert->callback([&] { tq::llama::convert_model(in, out, type); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  } catch (const tq::Error& e) {
    std::cerr << "make_tiny: " << e.what() << '\n';
    return 1;
  }
  return 0;
}
