// Pieces of SVG that the charts share. Pure.
#pragma once

#include <string>
#include <string_view>

namespace tq::report::svg {

std::string line(double x1, double y1, double x2, double y2, std::string_view css);
std::string text(double x, double y, std::string_view anchor, std::string_view css,
                 std::string_view content);
// The sign of the run with this number: one of four shapes in one of eight colours.
std::string mark(std::size_t run, double x, double y);
// About how wide a label is, in units of the drawing.
double width_of(std::string_view label);
// The whole drawing; `title` is what a screen reader says.
std::string drawing(double width, double height, std::string_view title, std::string_view content);

}  // namespace tq::report::svg
