# `make install`: the command, the layers as one package (transferq::transferq), the shipped reward
# heads, and the llama.cpp that bootstrap compiled, so that the package needs no cache.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY TQ_LAYERS)
add_library(tq_transferq INTERFACE)
add_library(transferq::transferq ALIAS tq_transferq)
target_link_libraries(tq_transferq INTERFACE ${layers})
set_target_properties(tq_transferq PROPERTIES EXPORT_NAME transferq)

# All that is installed, to be built before `cmake --install`.
add_custom_target(package_files)
add_dependencies(package_files tq ${layers})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/transferq)
install(TARGETS tq)
install(TARGETS tq_transferq tq_options ${layers} EXPORT transferqTargets
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT transferqTargets NAMESPACE transferq:: DESTINATION ${package_dir})
install(DIRECTORY transferq DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(DIRECTORY assets/ DESTINATION ${CMAKE_INSTALL_DATADIR}/transferq)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(bundled_llama ${CMAKE_INSTALL_LIBDIR}/transferq/llama)
if(TQ_LLAMA_COMPILED)
  install(DIRECTORY ${TQ_LLAMA_PREFIX}/ DESTINATION ${bundled_llama})
endif()

configure_package_config_file(cmake/transferqConfig.cmake.in transferqConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS bundled_llama)
write_basic_package_version_file(transferqConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/transferqConfig.cmake
              ${PROJECT_BINARY_DIR}/transferqConfigVersion.cmake DESTINATION ${package_dir})
