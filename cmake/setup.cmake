# Loaded by the presets: takes over what scripts/bootstrap found out.
# Without presets, give -DCMAKE_PREFIX_PATH=<llama.cpp's prefix> instead.
if(EXISTS "${CMAKE_CURRENT_LIST_DIR}/../build/setup.cmake")
  include("${CMAKE_CURRENT_LIST_DIR}/../build/setup.cmake")
elseif(NOT CMAKE_PREFIX_PATH AND NOT llama_DIR)
  message(NOTICE "Not set up yet: run scripts/bootstrap first, or give -DCMAKE_PREFIX_PATH.")
endif()
