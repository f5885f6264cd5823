// The files of page/, embedded when the program is built.
#pragma once

#include <string_view>

namespace tq::report {

extern const std::string_view kPageHtml;
extern const std::string_view kPageStyle;
extern const std::string_view kPageScript;

}  // namespace tq::report
