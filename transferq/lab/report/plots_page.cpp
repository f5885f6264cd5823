#include "transferq/lab/report/plots_page.hpp"

#include <fmt/format.h>

#include "transferq/eval/report/escape.hpp"
#include "transferq/eval/report/page.hpp"

namespace tq::lab {

using report::html_text;

std::string figure(const Plot& plot, std::string_view caption) {
  const std::string drawing = drawn(plot);
  if (drawing.empty()) return "";
  return fmt::format("<figure><h3>{}</h3>{}<figcaption>{}</figcaption></figure>",
                     html_text(plot.title), drawing, html_text(caption));
}

std::string plots_page(const PageText& text, const std::string& figures,
                       const std::string& sections) {
  return fmt::format(
      R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>{0}</title>
<style>
{1}</style>
</head>
<body>
<header>
<h1 dir="auto">{0}</h1>
<p class="counts">{2}</p>
</header>
<main>
<section id="charts"><h2>Plots</h2>
<div class="charts">{3}</div>
</section>
{4}<section id="run"><h2>What exactly was run</h2>
<pre tabindex="0">{5}</pre>
</section>
</main>
</body>
</html>
)",
      html_text(text.title), report::kPageStyle, html_text(text.about), figures, sections,
      html_text(text.command));
}

}  // namespace tq::lab
