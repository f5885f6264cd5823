# tq_layer(NAME SOURCES file... DEPENDS target...)
#
# One static library a layer, transferq::NAME. A layer sees only what it names in DEPENDS, so an
# include of a later layer does not link.
add_library(tq_options INTERFACE)
target_include_directories(tq_options INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
target_compile_features(tq_options INTERFACE cxx_std_20)
target_compile_options(tq_options INTERFACE
  $<BUILD_INTERFACE:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion>
  $<BUILD_INTERFACE:$<$<BOOL:${TQ_WERROR}>:-Werror>>)
foreach(sanitizer IN LISTS TQ_SANITIZE)
  target_compile_options(tq_options INTERFACE $<BUILD_INTERFACE:-fsanitize=${sanitizer}>)
  target_link_options(tq_options INTERFACE $<BUILD_INTERFACE:-fsanitize=${sanitizer}>)
endforeach()

function(tq_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_library(tq_${name} STATIC ${ARG_SOURCES})
  add_library(transferq::${name} ALIAS tq_${name})
  target_link_libraries(tq_${name} PUBLIC tq_options ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE})
  set_target_properties(tq_${name} PROPERTIES EXPORT_NAME ${name} OUTPUT_NAME transferq_${name})
  set_property(GLOBAL APPEND PROPERTY TQ_LAYERS tq_${name})
endfunction()
