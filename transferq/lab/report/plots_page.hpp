// An HTML page of plots that needs nothing else: the plots are inline SVG, and a policy in its head
// forbids any request. It follows the reader's light or dark setting. Pure.
#pragma once

#include <string>
#include <string_view>

#include "transferq/lab/report/plot.hpp"

namespace tq::lab {

// A plot with its title and what is to be said of it; "" where there is nothing to show.
std::string figure(const Plot& plot, std::string_view caption);

struct PageText {
  std::string title, about, command;  // one line each
};

// `figures` and `sections`, which follow them, are HTML.
std::string plots_page(const PageText& text, const std::string& figures,
                       const std::string& sections);

}  // namespace tq::lab
