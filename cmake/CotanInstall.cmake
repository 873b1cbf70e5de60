# cmake --install: headers below include/cotan/, the static library, and a package that find_package(cotan) finds.
#
# The headers include each other from the repository's root ("ops/error.h"), so the installed root include/cotan is an include directory of cotan::cotan,
# and the umbrella header is reached as <cotan/cotan.h>.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(cotan_package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/cotan")

target_include_directories(cotan INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/cotan>)
install(TARGETS cotan EXPORT cotan_targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT cotan_targets NAMESPACE cotan:: FILE cotan-targets.cmake DESTINATION "${cotan_package_folder}")

foreach(folder ops graph autograd training)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${folder}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/cotan" FILES_MATCHING PATTERN "*.h" PATTERN "*.def" PATTERN "*.inl"
          PATTERN "training/cotan" EXCLUDE)
endforeach()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/backends" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/cotan" FILES_MATCHING PATTERN "*.h" PATTERN "*.def" PATTERN "*.inl"
        PATTERN "backends/onednn" EXCLUDE)
# The umbrella header stands at the root of the installed tree: <cotan/cotan.h>.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/training/cotan/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/cotan" OPTIONAL)

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/cotan-config.cmake.in" "${PROJECT_BINARY_DIR}/cotan-config.cmake"
                              INSTALL_DESTINATION "${cotan_package_folder}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/cotan-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/cotan-config.cmake" "${PROJECT_BINARY_DIR}/cotan-config-version.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/CotanOneDnn.cmake" "${PROJECT_SOURCE_DIR}/cmake/CotanHighway.cmake" DESTINATION "${cotan_package_folder}")
