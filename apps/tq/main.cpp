// tq: the command. Exit 0; 1 for a failure while running; 2 for wrong usage; 130 when interrupted.
// Standard output holds results alone; errors are one line on standard error.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iostream>

#include "commands.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"
#include "transferq/engine/llama/model.hpp"

namespace {

int fail(std::string message, int code) {
  std::replace(message.begin(), message.end(), '\n', ' ');  // a line, whatever it quotes
  fmt::print(stderr, "tq: {}\n", message);
  return code;
}

int exit_code(tq::ErrorKind kind) {
  switch (kind) {
    case tq::ErrorKind::usage:
      return 2;
    case tq::ErrorKind::interrupted:
      return 130;
    default:
      return 1;
  }
}

// An unknown flag or command, with the nearest one there is.
std::string unknown(const CLI::App& app, const std::vector<std::string>& extras) {
  const CLI::App* command = &app;
  std::vector<std::string> names;
  std::string path = "tq";
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    path += " " + command->get_name();
  }
  for (const CLI::Option* option : command->get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (const CLI::App* sub : command->get_subcommands({})) names.push_back(sub->get_name());
  const std::string given = extras.front().substr(0, extras.front().find('='));
  const CLI::Option* prompt = command->get_option_no_throw("prompt");
  if (prompt != nullptr && prompt->count() > 0 && given.rfind('-', 0) != 0) {
    return fmt::format("unknown '{}'; a prompt of several words belongs in quotes; see {} --help",
                       given, path);
  }
  const std::string near = tq::nearest_name(given, names);
  return fmt::format("unknown '{}'{}; see {} --help", given,
                     near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near), path);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Decode-time alignment of language models by Transfer Q*");
  app.name("tq");
  app.set_version_flag("--version",
                       fmt::format("tq {} ({})", TQ_VERSION, tq::llama::engine_version()));
  app.footer(
      "`tq COMMAND --help` explains a command and gives examples.\n"
      "Begin with: tq generate \"Describe a rainy day.\" --decoder tq "
      "--reward head=sentiment --explain\n");
  tq::app::add_generate(app);
  tq::app::add_score(app);
  tq::app::add_fit(app);
  tq::app::add_control(app);
  tq::app::add_eval(app);
  tq::app::add_report(app);
  tq::app::add_lab(app);
  tq::app::add_bench(app);
  tq::app::add_models(app);
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) tq::app::print(app.help());
    return 0;
  } catch (const tq::Error& e) {
    return fail(e.what(), exit_code(e.kind()));
  } catch (const CLI::Success& e) {  // --help, --version
    const int code = app.exit(e);
    return std::cout.flush() ? code : fail("can't write to standard output", 1);
  } catch (const CLI::ExtrasError&) {
    return fail(unknown(app, app.remaining(true)), 2);
  } catch (const CLI::ParseError& e) {
    std::string path = "tq ";
    for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
      at = at->get_subcommands().front();
      path += at->get_name() + " ";
    }
    return fail(fmt::format("{}; see {}--help", e.what(), path), 2);
  } catch (const std::exception& e) {
    return fail(e.what(), 1);
  }
}
