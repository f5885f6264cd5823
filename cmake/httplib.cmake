# cpp-httplib, with TLS. Debian's package is a header and a library compiled with these options,
# which change the classes in the header; elsewhere it is the header alone.
find_path(TQ_HTTPLIB_INCLUDE httplib.h)
if(NOT TQ_HTTPLIB_INCLUDE)
  message(FATAL_ERROR "httplib.h is not here: install libcpp-httplib-dev (cpp-httplib)")
endif()
find_library(TQ_HTTPLIB_LIBRARY cpp-httplib)
find_package(OpenSSL REQUIRED COMPONENTS SSL Crypto)

# tq_use_httplib(TARGET): for its own sources, not for whoever includes its headers.
function(tq_use_httplib target)
  target_include_directories(${target} SYSTEM PRIVATE ${TQ_HTTPLIB_INCLUDE})
  target_compile_definitions(${target} PRIVATE CPPHTTPLIB_OPENSSL_SUPPORT)
  if(TQ_HTTPLIB_LIBRARY)
    target_compile_definitions(${target} PRIVATE CPPHTTPLIB_ZLIB_SUPPORT CPPHTTPLIB_BROTLI_SUPPORT)
    target_link_libraries(${target} PRIVATE ${TQ_HTTPLIB_LIBRARY})
  endif()
  target_link_libraries(${target} PRIVATE OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
endfunction()
