#include "transferq/eval/report/svg.hpp"

#include <fmt/format.h>

#include "transferq/eval/report/escape.hpp"

namespace tq::report::svg {

std::string line(double x1, double y1, double x2, double y2, std::string_view css) {
  return fmt::format(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" class="{}"/>)", x1,
                     y1, x2, y2, css);
}

std::string text(double x, double y, std::string_view anchor, std::string_view css,
                 std::string_view content) {
  return fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}" class="{}">{}</text>)", x, y,
                     anchor, css, html_text(content));
}

std::string mark(std::size_t run, double x, double y) {
  const std::string css = fmt::format("mark r{}", run % 8);
  switch (run % 4) {
    case 0:
      return fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="5.5" class="{}"/>)", x, y, css);
    case 1:
      return fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="10" height="10" class="{}"/>)",
                         x - 5, y - 5, css);
    case 2:
      return fmt::format(R"(<path d="M{:.1f} {:.1f}l6.5 11.5h-13z" class="{}"/>)", x, y - 7, css);
    default:
      return fmt::format(R"(<path d="M{:.1f} {:.1f}l6.5 6.5l-6.5 6.5l-6.5 -6.5z" class="{}"/>)", x,
                         y - 6.5, css);
  }
}

double width_of(std::string_view label) {
  std::size_t characters = 0;
  for (const char c : label) characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return 6.9 * static_cast<double>(characters);
}

std::string drawing(double width, double height, std::string_view title, std::string_view content) {
  return fmt::format(
      R"(<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}"><title>{}</title>{}</svg>)",
      width, height, html_text(title), html_text(title), content);
}

}  // namespace tq::report::svg
